/**
 * Where a call of the user's function runs: on a worker when that is provably the same, else in the caller, exactly as
 * the original runs it. What was decided, and why, is kept for `explain`.
 */
import { BoundedMap } from '../../lib/bounded-map.ts'
import { TaskError } from '../../lib/errors.ts'
import { analyse, changedBuiltIns, type FunctionVerdict } from '../../lib/explain.ts'
import { isUnshippable, readingOnce, ship } from '../../lib/ship.ts'
import { isTimeReplaced } from '../../lib/timers.ts'
import { Stretch } from './stretch.ts'

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

interface PlaceOptions {
  readonly placement: Placement
  readonly signal?: AbortSignal | undefined
  /** The function takes `{ signal }`, which is rebuilt where it runs. */
  readonly givesSignal?: boolean
}

type AnyFunction = (...args: never[]) => unknown
type AnyPlaced = (...args: unknown[]) => unknown
type AnyTask = (given: { readonly signal?: AbortSignal }) => unknown

const auto: PlaceOptions = { placement: 'auto' }
const autoTask: PlaceOptions = { placement: 'auto', givesSignal: true }

/** What is known of the functions of one text. */
interface Known {
  readonly name: string
  readonly text: string
  worker: number
  caller: number
  reasons: readonly string[]
  /** Calls in a row of functions of this text that were to stay. */
  stayed: number
  /** Calls that have come back from workers, since the text was last found to be quick, or not. */
  returned: number
  /** It takes less than sending it. */
  isQuick: boolean
  /** Calls whose number has one of these bits run here without another look. */
  passMask: number
}

/** A text whose functions were to stay so often in a row is not looked into again: they stay. */
const sureAfter = 3
/**
 * What took less than `quickMicros` on workers, `sureOfQuick` times, runs in the caller: sending it costs many times that.
 * It goes back to workers when a call takes more than `longMs` here; one in eight is looked at, later one in 32.
 */
const quickMicros = 50
const sureOfQuick = 100
const longMs = 1
/** Of the number of a call: those with none of these bits are looked at. Of the first thousand more than later. */
const lookedAtMask = 7
const seldomMask = 31
const oftenUntil = 1000
/** The global is behind a getter, which costs as much as to read the clock. */
const clock: typeof performance = performance
/** So many texts are remembered. */
const maxKnown = 1000

export class Placer {
  readonly #placement: Placement
  readonly #maxRetries: number
  readonly #known = new BoundedMap<string, Known>(maxKnown, { onForgotten: (_, known) => this.#forget(known) })
  /** Calls of texts that are not remembered any more. */
  readonly #forgotten = { worker: 0, caller: 0 }
  #lastFunction: AnyFunction | undefined
  #lastKnown: Known | undefined
  /** What the original is given for it; undefined, too, since it stays. */
  #lastPlaced: AnyFunction | undefined
  /** Its text was read at this call. */
  #isNew = false
  /** Of new functions that were to run here, where placement is 'auto'. */
  readonly #stretch = new Stretch()
  /** That may come before the next that is looked at. */
  #left = 0

  constructor(placement: Placement, maxRetries: number = 0) {
    this.#placement = placement
    this.#maxRetries = maxRetries
  }

  /**
   * What `placed` or `placedTask`, whichever the shim asks, gave for `fn` in the call before, if that still holds. V8
   * inlines only so many bytes of code into a call, and leaves out the original's behind a longer way to here: a shim
   * asks this first, and has the rest in a function of its own.
   */
  again<T extends AnyFunction>(fn: T): T | undefined {
    return fn === this.#lastFunction ? (this.#lastPlaced as T | undefined) : undefined
  }

  /** The same for a shim that hands a function over for one call; `fn` itself, when this one need not be looked at. */
  atOnce<T extends AnyFunction>(fn: T): T | undefined {
    if (fn === this.#lastFunction) return this.#lastPlaced as T | undefined
    return this.#left > 0 && typeof fn === 'function' ? this.#passed(fn) : undefined
  }

  /**
   * Whether a call of `fn` stays without another look. It is counted, and the original may run the function itself, as if
   * there was no placer.
   */
  stays(fn: AnyFunction): boolean {
    const known = this.#knownOf(fn)
    if (known.stayed < sureAfter) return false
    this.#isSample(known)
    known.caller++
    return true
  }

  /**
   * `fn`, as the original is to call it where placement is 'auto': decided at each call, with nearly nothing beside where
   * it is known to be quick.
   */
  placed(fn: AnyFunction): AnyPlaced {
    return fn !== this.#lastFunction && this.#left > 0 ? this.#passing(fn) : this.#placed(fn)
  }

  #placed(fn: AnyFunction): AnyPlaced {
    const known = this.#knownOf(fn)
    if (this.#isSample(known)) return this.#sampled(fn, known)
    return this.#keep(known, (...args) => {
      if (!passes(known)) return this.#lookAt(fn, known, ...args)
      known.caller++
      return fn(...(args as never[]))
    })
  }

  /** The same of a task, which is given `{ signal }`: on a worker one of its own. */
  placedTask(task: AnyTask): AnyTask {
    const known = this.#knownOf(task)
    if (this.#isSample(known)) return (given) => this.#timed(task, [given], known)
    return this.#keep(known, (given) => {
      if (!passes(known)) {
        if (known.isQuick) return this.#timed(task, [given], known)
        return this.#run(task, [given], known, { ...autoTask, signal: given.signal })
      }
      known.caller++
      return task(given)
    })
  }

  /** `fn`, as the original is to call it, with what is said of it. */
  placedBy(fn: AnyFunction, options: PlaceOptions): AnyPlaced {
    const known = this.#knownOf(fn)
    return (...args) => this.#run(fn, args, known, options)
  }

  /** What `task(given)` gives, or the promise of it from a worker, where the task gets a signal of its own. */
  task(task: AnyTask, given: Parameters<AnyTask>[0], placement: Placement): unknown {
    const known = this.#knownOf(task)
    return this.#run(task, [given], known, { placement, signal: given.signal, givesSignal: true })
  }

  /** A call of `fn` counts as one of the function that was looked at last. */
  #passed<T extends AnyFunction>(fn: T): T {
    this.#left--
    ;(this.#lastKnown as Known).caller++
    return fn
  }

  /** `fn`, whose first call is not looked at. */
  #passing(fn: AnyFunction): AnyPlaced {
    this.#left--
    const known = this.#lastKnown as Known
    let placed: AnyPlaced | null | undefined
    return (...args) => {
      if (placed !== undefined) return (placed ??= this.#placed(fn))(...args)
      placed = null
      known.caller++
      return fn(...(args as never[]))
    }
  }

  /** `fn`, whose first call is measured: it stands for those that are not looked at. */
  #sampled(fn: AnyFunction, known: Known): AnyPlaced {
    let placed: AnyPlaced | undefined
    let isFirst = true
    return (...args) => {
      if (!isFirst) return (placed ??= this.#placed(fn))(...args)
      isFirst = false
      return this.#timed(fn, args, known)
    }
  }

  /** Whether a call of this function is measured for others: of one that was looked at just now, once. */
  #isSample(known: Known): boolean {
    if (!this.#isNew) return false
    this.#isNew = false
    if (known.isQuick || known.stayed >= sureAfter) this.#left = this.#stretch.stayed()
    else this.#endStretch()
    return this.#left > 0 && known.isQuick
  }

  #endStretch(): void {
    this.#left = 0
    this.#stretch.ended()
  }

  /** `placed`, of the last function: what was made of it before, if that still holds. */
  #keep<T extends AnyFunction>(known: Known, placed: T): T {
    if (known.stayed >= sureAfter) return placed
    return (this.#lastPlaced ??= placed) as T
  }

  /** For a caller that only hands its arguments on, so that V8 makes no array of them. */
  #lookAt(fn: AnyFunction, known: Known, ...args: readonly unknown[]): unknown {
    return this.#run(fn, args, known, auto)
  }

  #run(fn: AnyFunction, args: readonly unknown[], known: Known, options: PlaceOptions): unknown {
    if (options.placement === 'caller') return this.#here(fn, args, known, ["placement is 'caller'"])
    if (options.placement === 'worker') {
      known.worker++
      return later(() => this.#send(fn, args, known, options))
    }
    if (known.isQuick) return passes(known) ? this.#here(fn, args, known, known.reasons) : this.#timed(fn, args, known)
    return known.stayed < sureAfter ? this.#look(fn, args, known, options) : this.#here(fn, args, known, known.reasons)
  }

  report(): PlacerReport {
    const functions = [...this.#known.values()].map(({ name, worker, caller, reasons }) => ({
      name,
      worker,
      caller,
      reasons,
    }))
    let { worker, caller } = this.#forgotten
    for (const one of functions) {
      worker += one.worker
      caller += one.caller
    }
    return { placement: this.#placement, worker, caller, functions }
  }

  #look(fn: AnyFunction, args: readonly unknown[], known: Known, options: PlaceOptions): unknown {
    const { signal, givesSignal = false } = options
    const apart = whyApart(fn)
    if (apart !== undefined) return this.#here(fn, args, known, [apart])
    let running: Promise<unknown> | readonly string[]
    try {
      running = readingOnce(() => {
        const { verdict, reasons }: FunctionVerdict = analyse(fn, {
          args: givesSignal ? [] : args,
          changed: changedBuiltIns(),
          isExact: true,
        })
        if (verdict === 'ship') return this.#send(fn, args, known, options, true)
        if (++known.stayed >= sureAfter) this.#surelyStays(known)
        return reasons.map(({ message }) => message)
      })
    } catch (error) {
      if (!isUnshippable(error)) throw error
      running = [error.message]
    }
    if (!(running instanceof Promise)) return this.#here(fn, args, known, running)
    known.stayed = 0
    known.worker++
    return running.catch((error: unknown) => {
      if (!isUnshippable(error) || signal?.aborted === true) throw error
      // It only computes: that it ran there already, and its result could not come back, nobody has noticed.
      known.worker--
      known.stayed = sureAfter
      this.#surelyStays(known)
      return this.#here(fn, args, known, [`what it gives or throws cannot travel: ${whyNot(error)}`])
    })
  }

  #surelyStays(known: Known): void {
    known.passMask = -1
    this.#lastPlaced = undefined
  }

  #send(
    fn: AnyFunction,
    args: readonly unknown[],
    known: Known,
    { signal, givesSignal = false }: PlaceOptions,
    onlyComputes = false,
  ): Promise<unknown> {
    const measured = (micros: number): void => {
      if (++known.returned < sureOfQuick || micros >= quickMicros || known.isQuick) return
      known.isQuick = true
      known.passMask = lookedAtMask
      known.reasons = [`it takes ${Math.ceil(micros)} µs, which is less than sending it`]
    }
    const maxRetries = this.#maxRetries
    return ship(fn, args, { signal, givesSignal, maxRetries, text: known.text, measured, onlyComputes })
  }

  #timed(fn: AnyFunction, args: readonly unknown[], known: Known): unknown {
    const startedAt = clock.now()
    try {
      known.caller++
      return fn(...(args as never[]))
    } finally {
      if (clock.now() - startedAt > longMs) {
        this.#endStretch()
        known.isQuick = false
        known.passMask = 0
        known.returned = 0
      } else if (known.caller > oftenUntil) known.passMask = seldomMask
    }
  }

  #here(fn: AnyFunction, args: readonly unknown[], known: Known, reasons: readonly string[]): unknown {
    known.caller++
    known.reasons = reasons
    return fn(...(args as never[]))
  }

  #knownOf(fn: AnyFunction): Known {
    // Mostly it is the function of the call before.
    if (fn === this.#lastFunction) return this.#lastKnown as Known
    const text = Function.prototype.toString.call(fn)
    const last = this.#lastKnown
    // To compare it is less than to look it up.
    const known = last?.text === text ? last : (this.#known.get(text) ?? this.#remember(fn, text))
    this.#isNew = true
    this.#lastFunction = fn
    this.#lastKnown = known
    this.#lastPlaced = undefined
    return known
  }

  #remember(fn: AnyFunction, text: string): Known {
    const name = fn.name === '' ? 'anonymous' : fn.name
    const counts = { worker: 0, caller: 0, stayed: 0, returned: 0 }
    const known: Known = { name, text, ...counts, reasons: [], isQuick: false, passMask: 0 }
    this.#known.set(text, known)
    return known
  }

  #forget({ worker, caller }: Known): void {
    this.#forgotten.worker += worker
    this.#forgotten.caller += caller
  }
}

/** What makes this process, or the function, unlike any worker: under test. */
function whyApart(fn: AnyFunction): string | undefined {
  if (isTimeReplaced()) return 'the timers of this process are replaced, as tests do: on a worker time is the real one'
  if (!(fn instanceof Function))
    return 'it is of another realm (`node:vm`, a sandbox of Jest), and what a worker gives would be of this one'
  return undefined
}

function whyNot(error: Error): string {
  return error instanceof TaskError ? `an error of the class ${error.originalName}` : error.message
}

/** A call that runs here without another look. */
function passes(known: Known): boolean {
  return (known.caller & known.passMask) !== 0
}

async function later(send: () => Promise<unknown>): Promise<unknown> {
  return send()
}
