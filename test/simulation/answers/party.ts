/**
 * A process that can be held up in the middle of what it does, at any operation on shared memory, while others go on.
 * What it runs is made of plain functions, which cannot stop half way. So they are thrown out of (`HeldUp`), and when the
 * process goes on it is made anew: it hears once more all that it has heard, gets of each operation what it got then, and
 * what it said then is not said again; from where it was held up it goes on in earnest.
 */
import type { Clock, Timer } from '../../../runtime/base/clock.ts'
import { type AnswerRing, answerRing, answerRingBytes, type WordAccess } from '../../../runtime/objects/answer-ring.ts'

/** Thrown through the code of a process that is held up. */
export class HeldUp extends Error {}

/** What a process hears: the end of a timer, a message, an order of the history. */
export type Heard = { readonly timer: number } | { readonly from: number; readonly message: readonly unknown[] }

/** What a process is made of. */
export interface Program {
  heard(from: number, message: readonly unknown[]): void
}

/** What surrounds all processes. */
export interface Around {
  now(): number
  /** Whether the process is held up just before or after an operation on that word of a ring, or on a claim page. */
  holdsUp(word: number | undefined): boolean
  /** Words for entries that each ring has. */
  readonly ringWords: number
  later(party: Party, delayMs: number, timer: number): void
  send(from: number, to: number, message: readonly unknown[]): void
  /** Something that is checked. */
  tell(party: Party, what: string, details: readonly unknown[]): void
}

/** From where a process went on to where it was held up, or the end of what it did. */
interface Stretch {
  readonly results: number[]
  /** Shared memory at its begin, where it was touched. */
  readonly memories: Map<number, Uint8Array>
}

interface Entry {
  readonly heard: Heard
  readonly stretches: Stretch[]
}

/** Rings of shared memory, by worker. */
export type Memories = ReadonlyMap<number, Uint8Array>

export class Party {
  readonly id: number
  readonly clock: Clock
  readonly #around: Around
  readonly #make: (party: Party) => Program
  readonly #shared: Memories
  /** What this process sees of shared memory: of the others', what was there when it went on. */
  #own = new Map<number, Uint8Array<ArrayBuffer>>()
  readonly #log: Entry[] = []
  readonly #inbox: Heard[] = []
  #program: Program
  #timers: ((() => void) | undefined)[] = []
  /** Of all that it has said, and of what it has said since it was made anew. */
  #said = 0
  #saying = 0
  #entry: Entry | undefined
  #stretch = 0
  #result = 0
  #isHeldUp = false

  constructor(id: number, around: Around, shared: Memories, make: (party: Party) => Program) {
    this.id = id
    this.#around = around
    this.#make = make
    this.#shared = shared
    this.clock = {
      now: () => this.#value(() => around.now()),
      after: (delayMs, action) => this.#after(delayMs, action),
    }
    this.#program = make(this)
  }

  get isHeldUp(): boolean {
    return this.#isHeldUp
  }

  hear(heard: Heard): void {
    if (this.#isHeldUp) this.#inbox.push(heard)
    else {
      this.#log.push({ heard, stretches: [] })
      this.#live()
    }
  }

  /** Goes on where it was held up. */
  goOn(): void {
    this.#isHeldUp = false
    const last = this.#log.at(-1) as Entry
    this.#own = new Map()
    this.#timers = []
    this.#saying = 0
    this.#program = this.#make(this)
    for (const entry of this.#log) if (entry !== last) this.#play(entry)
    this.#live()
    while (!this.#isHeldUp && this.#inbox.length > 0) this.hear(this.#inbox.shift() as Heard)
  }

  send(to: number, message: readonly unknown[]): void {
    this.#say(() => this.#around.send(this.id, to, message))
  }

  tell(what: string, ...details: readonly unknown[]): void {
    this.#say(() => this.#around.tell(this, what, details))
  }

  /** The ring of a worker, as this process has it mapped. */
  ringOf(worker: number): AnswerRing {
    return answerRing(this.#memoryOf(worker), 0, this.accessTo(worker), this.#around.ringWords)
  }

  #memoryOf(worker: number): ArrayBuffer {
    let own = this.#own.get(worker)
    if (own === undefined) {
      this.#own.set(worker, (own = new Uint8Array(answerRingBytes)))
      const stretch = this.#entry?.stretches[this.#stretch]
      own.set(stretch?.memories.get(worker) ?? (this.#shared.get(worker) as Uint8Array))
    }
    return own.buffer
  }

  /** Operations on shared words. `worker`: whose ring they are; none for what only `Atomics` touches. */
  accessTo(worker?: number): WordAccess {
    const at = (index: number, operate: () => number): number => {
      this.#mayBeHeldUp(worker, index)
      const result = this.#value(operate)
      this.#mayBeHeldUp(worker, index)
      return result
    }
    // What was written by it is in its own memory even when it hears all once more.
    const again = (words: Int32Array, index: number, value: number): void => {
      if (worker !== undefined) words[index] = value
    }
    return {
      load: (words, index) => at(index, () => Atomics.load(words, index)),
      store: (words, index, value) => {
        again(
          words,
          index,
          at(index, () => Atomics.store(words, index, value)),
        )
        return value
      },
      compareExchange: (words, index, expected, value) => {
        const seen = at(index, () => Atomics.compareExchange(words, index, expected, value))
        if (seen === expected) again(words, index, value)
        return seen
      },
    }
  }

  #mayBeHeldUp(worker: number | undefined, word: number): void {
    this.#value(() => {
      // What was written between two operations is kept, too.
      if (worker !== undefined) this.#touch(worker)
      if (this.#around.holdsUp(worker === undefined ? undefined : word)) throw new HeldUp()
      return 0
    })
  }

  #touch(worker: number): void {
    const { memories } = (this.#entry as Entry).stretches.at(-1) as Stretch
    // As it was at the begin of the stretch: no other process has done anything since.
    if (!memories.has(worker)) memories.set(worker, Uint8Array.from(this.#shared.get(worker) as Uint8Array))
  }

  #after(delayMs: number, action: () => void): Timer {
    const timer = this.#timers.push(action) - 1
    this.#say(() => this.#around.later(this, delayMs, timer))
    return { cancel: () => void (this.#timers[timer] = undefined) }
  }

  #say(say: () => void): void {
    if (this.#saying++ < this.#said) return
    this.#said++
    say()
  }

  /** What an operation results in: what it resulted in before, where this is heard once more. */
  #value(operate: () => number): number {
    const { stretches } = this.#entry as Entry
    for (;;) {
      const { results } = stretches[this.#stretch] as Stretch
      const known = results[this.#result]
      if (known !== undefined) {
        this.#result++
        return known
      }
      if (this.#stretch === stretches.length - 1) break
      this.#stretch++
      this.#result = 0
      this.#begin()
    }
    const result = operate()
    stretches.at(-1)?.results.push(result)
    this.#result++
    return result
  }

  /** A stretch begins with shared memory as it was then, or is now. */
  #begin(): void {
    const { stretches } = this.#entry as Entry
    const stretch = stretches[this.#stretch] as Stretch
    const isLive = this.#stretch === stretches.length - 1 && stretch.memories.size === 0
    for (const [worker, own] of this.#own) {
      const then = stretch.memories.get(worker)
      if (then !== undefined) own.set(then)
      else if (isLive) own.set(this.#shared.get(worker) as Uint8Array)
    }
  }

  /** Hears the last of its log, as far as it was held up in it from what it knows, and from there in earnest. */
  #live(): void {
    const entry = this.#log.at(-1) as Entry
    entry.stretches.push({ results: [], memories: new Map() })
    try {
      this.#play(entry)
    } catch (error) {
      if (!(error instanceof HeldUp)) throw error
      this.#isHeldUp = true
    }
    for (const worker of entry.stretches.at(-1)?.memories.keys() ?? [])
      this.#shared.get(worker)?.set(this.#own.get(worker) as Uint8Array)
  }

  #play(entry: Entry): void {
    this.#entry = entry
    this.#stretch = 0
    this.#result = 0
    this.#begin()
    const { heard } = entry
    if ('timer' in heard) this.#timers[heard.timer]?.()
    else this.#program.heard(heard.from, heard.message)
  }
}
