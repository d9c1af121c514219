/**
 * Parts of functions that capture (`owner/captured-calls.ts`), as long as their owners may name them and there is room.
 * What was put away for want of room is asked of whoever pushed the task that needs it.
 */
import { ProtocolError } from '../base/errors.ts'
import type { LoadedFunction } from '../code/load.ts'
import type { Captures } from '../owner/captured-format.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'

export interface HeldPart {
  readonly bytes: Uint8Array
  captures: Captures | undefined
  /** Made before, of a function that leaves it as it is. */
  fn: LoadedFunction | undefined
}

export function newHeldPart(bytes: Uint8Array): HeldPart {
  return { bytes, captures: undefined, fn: undefined }
}

/** What one task needs. */
export class NeededParts {
  /** In the order of the numbers; undefined until it is there. */
  readonly parts: (HeldPart | undefined)[]
  failure: Error | undefined
  #missing: number
  #wake: (() => void) | undefined
  readonly whole: Promise<void> | undefined

  constructor(parts: (HeldPart | undefined)[]) {
    this.parts = parts
    this.#missing = parts.filter((part) => part === undefined).length
    if (this.#missing > 0) this.whole = new Promise((resolve) => (this.#wake = resolve))
  }

  /** Whether the task can start, if only to fail. */
  get isSettled(): boolean {
    return this.#missing === 0 || this.failure !== undefined
  }

  fill(index: number, part: HeldPart | undefined, number: number): void {
    if (this.parts[index] !== undefined) return
    if (part === undefined) {
      this.failure ??= new ProtocolError(`a call names part ${number}, which its owner does not have either`)
    } else {
      this.parts[index] = part
      this.#missing--
    }
    if (this.isSettled) this.#wake?.()
  }
}

interface Entry {
  readonly link: Link
  readonly number: number
  readonly part: HeldPart
}

interface Wanted {
  readonly needed: NeededParts
  readonly index: number
}

interface LinkParts {
  readonly entries: Map<number, Entry>
  readonly wanted: Map<number, Wanted[]>
}

/** For all links together. */
const maxHeldBytes = 256 * 1024 * 1024

export class HeldParts {
  readonly #maxBytes: number
  readonly #byLink = new WeakMap<Link, LinkParts>()
  /** In the order of their last use. */
  readonly #order = new Set<Entry>()
  #bytes = 0

  constructor(maxBytes: number = maxHeldBytes) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** `bytes`: null where the owner has none to send. */
  add(link: Link, number: number, bytes: Uint8Array | null): void {
    const of = this.#of(link)
    const wanted = of.wanted.get(number)
    // Of a task that has been given up nothing is sent any more: the answers to the others come behind that.
    const told = bytes === null ? wanted?.splice(0, 1) : wanted
    if (told === wanted || wanted?.length === 0) of.wanted.delete(number)
    // A copy: the bytes are a piece of what was read from the link.
    const part = bytes === null ? undefined : newHeldPart(new Uint8Array(bytes))
    if (part !== undefined) this.#put(of, { link, number, part })
    for (const { needed, index } of told ?? []) needed.fill(index, part, number)
  }

  drop(link: Link, number: number): void {
    const entry = this.#byLink.get(link)?.entries.get(number)
    if (entry !== undefined) this.#remove(entry)
  }

  countOf(link: Link): number {
    return this.#byLink.get(link)?.entries.size ?? 0
  }

  /** What a task needs that has just come by the link; what is not here any more is asked for. */
  take(link: Link, task: number, numbers: readonly number[]): NeededParts {
    const of = this.#of(link)
    const needed = new NeededParts(numbers.map((number) => this.#use(of, number)))
    if (needed.isSettled) return needed
    const missing: number[] = []
    numbers.forEach((number, index) => {
      if (needed.parts[index] !== undefined) return
      const wanted = of.wanted.get(number)
      if (wanted === undefined) of.wanted.set(number, [{ needed, index }])
      else wanted.push({ needed, index })
      missing.push(number)
    })
    link.send([MessageType.partMiss, task, missing])
    return needed
  }

  #of(link: Link): LinkParts {
    let of = this.#byLink.get(link)
    if (of === undefined) {
      this.#byLink.set(link, (of = { entries: new Map(), wanted: new Map() }))
      // Owners come as others go.
      for (const entry of this.#order) if (entry.link.closed) this.#remove(entry)
    }
    return of
  }

  #use({ entries }: LinkParts, number: number): HeldPart | undefined {
    const entry = entries.get(number)
    if (entry === undefined) return undefined
    this.#order.delete(entry)
    this.#order.add(entry)
    return entry.part
  }

  #put({ entries }: LinkParts, entry: Entry): void {
    const before = entries.get(entry.number)
    if (before !== undefined) this.#remove(before)
    entries.set(entry.number, entry)
    this.#order.add(entry)
    this.#bytes += entry.part.bytes.length
    for (const oldest of this.#order) {
      if (this.#bytes <= this.#maxBytes || oldest === entry) return
      this.#remove(oldest)
    }
  }

  #remove(entry: Entry): void {
    this.#order.delete(entry)
    this.#bytes -= entry.part.bytes.length
    this.#byLink.get(entry.link)?.entries.delete(entry.number)
  }
}
