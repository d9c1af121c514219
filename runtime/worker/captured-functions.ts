/**
 * Functions that captured variables, at the worker: their texts and captures by the link that they came by, and the
 * function made of them for a call. Each call has variables of its own, unless it is known to leave them as they are.
 */
import { ProtocolError } from '../base/errors.ts'
import { areLoaded, loadModules } from '../code/captures/loaded-modules.ts'
import { codeCodec } from '../code/captures/send-code.ts'
import type { LoadedFunction, LocateModule } from '../code/load.ts'
import { decodeCompact, expand } from '../objects/compact.ts'
import { decodeValue, type RefCodec } from '../objects/value.ts'
import { readFlags, unpackCaptures, type CaptureFacts, type Captures } from '../owner/captured-format.ts'
import { refTupleOf } from '../owner/refs.ts'
import type { RefTuple } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { HeldParts, newHeldPart, type HeldPart, type NeededParts } from './held-parts.ts'
import { watchCaptures } from './lost-changes.ts'

/** What a task needs of what its link had been sent when it came. */
export interface Held {
  readonly facts: CaptureFacts
  /** Its captures come among its arguments. */
  readonly isStored: boolean
  /** The part with its captures, where they are one, then those with texts. */
  readonly needed: NeededParts
}

export interface CapturedPorts {
  readonly refCodec: RefCodec
  readonly locate: LocateModule
  warn(text: string): void
}

export class CapturedFunctions {
  readonly #ports: CapturedPorts
  readonly #parts: HeldParts

  constructor(ports: CapturedPorts, parts: HeldParts = new HeldParts()) {
    this.#ports = ports
    this.#parts = parts
  }

  /** `bytes`: null answers a question for what its owner does not have. */
  add(link: Link, number: number, bytes: Uint8Array | null): void {
    this.#parts.add(link, number, bytes)
  }

  drop(link: Link, number: number): void {
    this.#parts.drop(link, number)
  }

  /** Parts that are kept of this link. */
  countOf(link: Link): number {
    return this.#parts.countOf(link)
  }

  /** `task`: the number of a task that has just come by the link; `first`: its first argument. */
  hold(link: Link, task: number, first: Uint8Array): Held {
    const [flags = 0, own = 0, ...texts] = decodeCompact(first) as readonly number[]
    const isStored = own === 0
    return {
      facts: readFlags(flags),
      isStored,
      needed: this.#parts.take(link, task, isStored ? texts : [own, ...texts]),
    }
  }

  /** Calls `use` with the function; later, where modules have to be loaded first. `args`: all of the task's. */
  with(
    held: Held,
    args: readonly unknown[],
    register: (refs: readonly RefTuple[]) => void,
    use: (fn: LoadedFunction, args: readonly unknown[]) => unknown,
  ): unknown {
    const { needed, isStored } = held
    if (needed.failure !== undefined) throw needed.failure
    const part = isStored ? newHeldPart(args[1] as Uint8Array) : (needed.parts[0] as HeldPart)
    const rest = args.slice(2)
    const captures = (part.captures ??= unpackCaptures(part.bytes))
    const call = (): unknown => {
      const fn = this.#make(held, part, captures, register)
      return held.facts.isChecked ? watchCaptures(fn, this.#ports, () => use(fn, rest)) : use(fn, rest)
    }
    if (areLoaded(captures.modules)) return call()
    return loadModules(captures.modules, this.#ports.locate).then(call)
  }

  #make(held: Held, part: HeldPart, captures: Captures, register: (refs: readonly RefTuple[]) => void): LoadedFunction {
    const { isReusable, isChecked } = held.facts
    if (part.fn !== undefined) return part.fn
    const encoded = expand(captures.value)
    if (encoded.refs.length > 0) register(encoded.refs.map(refTupleOf))
    const first = held.isStored ? 0 : 1
    const textOf = (number: number): string =>
      Buffer.from((held.needed.parts[first + number] as HeldPart).bytes).toString()
    const fn = decodeValue(encoded, { ...this.#ports.refCodec, code: codeCodec(undefined, textOf, true) })
    if (typeof fn !== 'function') throw new ProtocolError('the captures of a call are of no function')
    if (isReusable && !isChecked) part.fn = fn as LoadedFunction
    return fn as LoadedFunction
  }
}
