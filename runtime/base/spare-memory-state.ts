/**
 * When a process that rests gives memory back. V8 keeps room for as much garbage as the process made when it worked last,
 * and looks for what it could do without only while the process works; so one that has nothing to do keeps 2 to 4 MB that
 * nobody uses, for as long as it has nothing to do. To give them back takes some full collections, which stop it.
 *
 *     1 works --rest--> 2 looks in a while --disturbed, or busy with something else--> 2, later and later
 *         ^                  └──quiet ever since the look before──> 3 gives back, if that is worth it ──┐
 *         └──────work──────┴───────────────────────────────────────────────────────────────────────────┘
 *
 * Calls may follow each other in microseconds: they set no timer each, one looks whether there were some.
 */
import type { Clock, Timer } from './clock.ts'
import { type Random, randomInteger } from './random.ts'

export interface SpareMemoryParts {
  readonly clock: Clock
  readonly random: Random
  /** CPU time that this process has used, in milliseconds: of user code that runs without being called, too. */
  readonly cpuMs: () => number
  /** What V8 has taken for its heap, and what of it is in use. */
  readonly heap: () => { readonly heldBytes: number; readonly usedBytes: number }
  /** Whether something is under way of which `work` and `rest` do not tell. */
  readonly isBusy: () => boolean
  /** Calls `done` after it; never where it cannot be done. */
  readonly giveBack: (done: () => void) => void
  /** The shortest time from one giving back to the next, in milliseconds. */
  readonly pauseMs: number
}

/** How long nothing may happen before. */
const leastQuietMs = 150
/**
 * What has worked for long may go on soon, and would have to compile and to make room again: it must have rested for this
 * part of what it has computed.
 */
const quietPart = 0.5
/** The processes of a machine often come to rest together: they do not all collect at once. */
const mostSpreadMs = 50
/** The longest time between two looks, of a process that has worked for long, or is busy with something else. */
const mostLookMs = 10_000
/** A process that uses more of its time than this does not rest. */
const restingPart = 0.1
/** Less than this is not worth a collection. */
const leastBytes = 2 ** 20
/** A larger heap is left to V8: what stops the process is then longer than 50 ms. */
const mostUsedBytes = 32 * 2 ** 20

export class SpareMemoryState {
  readonly #parts: SpareMemoryParts
  readonly #firstLookMs: number
  #timer: Timer | undefined
  #resting = false
  /** There was work since the last look. */
  #disturbed = false
  /** Used until the last look, and until memory was given back last. */
  #cpuMs = 0
  #cpuBeforeMs = 0
  /** What V8 held when memory had been given back, and when that was. */
  #keptBytes = 0
  #gaveMs = -Infinity

  constructor(parts: SpareMemoryParts) {
    this.#parts = parts
    this.#firstLookMs = leastQuietMs + randomInteger(parts.random, mostSpreadMs)
  }

  /** Nothing runs any more. */
  rest(): void {
    this.#resting = true
    this.#disturbed = true
    if (this.#timer === undefined) this.#lookIn(this.#firstLookMs)
  }

  /** Something runs. */
  work(): void {
    this.#resting = false
  }

  /** No timer is left. */
  stop(): void {
    this.#resting = false
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #lookIn(waitMs: number): void {
    this.#timer = this.#parts.clock.after(waitMs, () => {
      this.#timer = undefined
      // `rest` is called again when what runs now has ended.
      if (this.#resting) this.#look(waitMs)
    })
  }

  #look(waitedMs: number): void {
    const { cpuMs, isBusy } = this.#parts
    const usedMs = cpuMs() - this.#cpuMs
    this.#cpuMs += usedMs
    if (this.#disturbed) {
      this.#disturbed = false
      const restMs = Math.ceil(quietPart * (this.#cpuMs - this.#cpuBeforeMs))
      this.#lookIn(Math.min(mostLookMs, Math.max(this.#firstLookMs, restMs)))
    } else if (isBusy() || usedMs > restingPart * waitedMs) this.#lookIn(Math.min(mostLookMs, 2 * waitedMs))
    else this.#rested()
  }

  #rested(): void {
    const { clock, heap, giveBack, pauseMs } = this.#parts
    const { heldBytes, usedBytes } = heap()
    if (heldBytes - this.#keptBytes < leastBytes || usedBytes > mostUsedBytes) return
    const leftMs = this.#gaveMs + pauseMs - clock.now()
    if (leftMs > 0) return this.#lookIn(leftMs)
    this.#gaveMs = clock.now()
    this.#cpuBeforeMs = this.#cpuMs
    this.#keptBytes = heldBytes
    giveBack(() => {
      this.#keptBytes = heap().heldBytes
    })
  }
}
