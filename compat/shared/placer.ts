/**
 * Where a call of the user's function runs: on a worker when that is provably the same, else in the caller, exactly as
 * the original runs it. What was decided, and why, is kept for `explain`.
 */
import { analyse, type FunctionVerdict } from '../../lib/explain.ts'
import { isUnshippable, ship } from '../../lib/ship.ts'

/** `auto`: a worker when the call is provably the same there. `worker`, `caller`: there, in any case. */
export type Placement = 'auto' | 'worker' | 'caller'

const placements: readonly unknown[] = ['auto', 'worker', 'caller']

/** The value of an option, or of what it is by default. Throws TypeError for another one. */
export function checkPlacement(value: unknown, otherwise: Placement, caller: string): Placement {
  if (value === undefined) return otherwise
  if (placements.includes(value)) return value as Placement
  throw new TypeError(`${caller}: placement must be 'auto', 'worker' or 'caller', not ${JSON.stringify(value)}`)
}

export interface PlacedFunction {
  readonly name: string
  /** Calls of it that went to a worker, and that ran in the caller. */
  readonly worker: number
  readonly caller: number
  /** Why it ran in the caller, the last time; with the line in its text where there is one. */
  readonly reasons: readonly string[]
}

export interface PlacerReport {
  readonly placement: Placement
  readonly worker: number
  readonly caller: number
  readonly functions: readonly PlacedFunction[]
}

export interface PlaceOptions {
  readonly placement: Placement
  readonly signal?: AbortSignal | undefined
  /** The function takes `{ signal }`, which is rebuilt where it runs. */
  readonly givesSignal?: boolean
}

type AnyFunction = (...args: never[]) => unknown

interface Known {
  name: string
  worker: number
  caller: number
  reasons: readonly string[]
  /** Calls in a row of functions of this text that were to stay. */
  stayed: number
  /** Calls that have come back from workers, since the text was last found to be quick, or not. */
  returned: number
  /** It takes less than sending it: so many microseconds. */
  quickMicros: number | undefined
}

/** A text whose functions were to stay so often in a row is not looked into again: they stay. */
const sureAfter = 3
/**
 * What took less than `quickMicros` on workers, `sureOfQuick` times, runs in the caller: sending it costs many times that.
 * It goes back to workers when it takes more than `longMs` here.
 */
const quickMicros = 50
const sureOfQuick = 100
const longMs = 1
/** Texts that are remembered, the oldest go first. */
const maxKnown = 1000

export class Placer {
  readonly #placement: Placement
  readonly #maxRetries: number
  readonly #known = new Map<string, Known>()
  #worker = 0
  #caller = 0

  constructor(placement: Placement, maxRetries: number = 0) {
    this.#placement = placement
    this.#maxRetries = maxRetries
  }

  /** What `fn(...args)` gives, or the promise of it from a worker. Throws what it throws, when it runs here. */
  run(fn: AnyFunction, args: readonly unknown[], options: PlaceOptions): unknown {
    const { placement, signal, givesSignal = false } = options
    const text = Function.prototype.toString.call(fn)
    const known = this.#knownOf(fn, text)
    if (placement === 'caller') return this.#here(fn, args, known, ["placement is 'caller'"])
    if (placement === 'auto') {
      if (known.quickMicros !== undefined) return this.#quickly(fn, args, known, known.quickMicros)
      const reasons = this.#against(fn, givesSignal ? [] : args, known)
      if (reasons !== undefined) return this.#here(fn, args, known, reasons)
    }
    const measured = (micros: number): void => {
      if (++known.returned >= sureOfQuick && micros < quickMicros) known.quickMicros = micros
    }
    const sent = (): Promise<unknown> =>
      ship(fn, args, { signal, givesSignal, maxRetries: this.#maxRetries, text, measured })
    if (placement === 'worker') {
      this.#counted(known)
      return later(sent)
    }
    let running: Promise<unknown>
    try {
      running = sent()
    } catch (error) {
      if (!isUnshippable(error)) throw error
      return this.#here(fn, args, known, [(error as Error).message])
    }
    this.#counted(known)
    return running.catch((error: unknown) => {
      if (!isUnshippable(error) || signal?.aborted === true) throw error
      // It only computes: that it ran there already, and its result could not come back, nobody has noticed.
      known.worker--
      this.#worker--
      known.stayed = sureAfter
      return this.#here(fn, args, known, [`its result cannot travel: ${(error as Error).message}`])
    })
  }

  report(): PlacerReport {
    const functions = [...this.#known.values()].map(({ name, worker, caller, reasons }) => ({
      name,
      worker,
      caller,
      reasons,
    }))
    return { placement: this.#placement, worker: this.#worker, caller: this.#caller, functions }
  }

  /** Why the call is to stay; undefined when nothing speaks against a worker. */
  #against(fn: AnyFunction, args: readonly unknown[], known: Known): readonly string[] | undefined {
    if (known.stayed >= sureAfter) return known.reasons
    const { verdict, reasons }: FunctionVerdict = analyse(fn, { args })
    if (verdict === 'ship') {
      known.stayed = 0
      return undefined
    }
    known.stayed++
    return reasons.map(({ message }) => message)
  }

  #quickly(fn: AnyFunction, args: readonly unknown[], known: Known, micros: number): unknown {
    const startedAt = performance.now()
    try {
      return this.#here(fn, args, known, [`it takes ${Math.ceil(micros)} µs, which is less than sending it`])
    } finally {
      if (performance.now() - startedAt > longMs) {
        known.quickMicros = undefined
        known.returned = 0
      }
    }
  }

  #here(fn: AnyFunction, args: readonly unknown[], known: Known, reasons: readonly string[]): unknown {
    known.caller++
    this.#caller++
    known.reasons = reasons
    return fn(...(args as never[]))
  }

  #counted(known: Known): void {
    known.worker++
    this.#worker++
  }

  #knownOf(fn: AnyFunction, text: string): Known {
    let known = this.#known.get(text)
    if (known === undefined) {
      known = {
        name: fn.name === '' ? 'anonymous' : fn.name,
        worker: 0,
        caller: 0,
        reasons: [],
        stayed: 0,
        returned: 0,
        quickMicros: undefined,
      }
      this.#known.set(text, known)
      if (this.#known.size > maxKnown) this.#known.delete(this.#known.keys().next().value as string)
    }
    return known
  }
}

async function later(send: () => Promise<unknown>): Promise<unknown> {
  return send()
}
