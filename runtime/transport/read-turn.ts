/**
 * For how long the bulk channels of a process read in one turn of its event loop, all of them together: whatever else
 * there is to do waits no longer. Bytes alone would not say it: to memory that was never written the kernel reads at a
 * tenth of the speed.
 */
import { setImmediate } from '../base/timers.ts'

/** What one read takes comes on top: a chunk at the most. */
const mostTurnMs = 4

export class ReadTurn {
  readonly #nowMs: () => number
  readonly #inNextTurn: (begin: () => void) => void
  /** When the first bytes of this turn came. */
  #sinceMs: number | undefined
  /** Channels that read no more before the next turn. */
  #waiting: (() => void)[] = []

  constructor(
    nowMs: () => number = () => performance.now(),
    inNextTurn: (begin: () => void) => void = (begin) => void setImmediate(begin),
  ) {
    this.#nowMs = nowMs
    this.#inNextTurn = inNextTurn
  }

  /** Of a channel that has read. False: it is enough for this turn, and `goOn` is called in the next one. */
  hasTime(goOn: () => void): boolean {
    if (this.#sinceMs === undefined) {
      this.#sinceMs = this.#nowMs()
      this.#inNextTurn(() => this.#begin())
    }
    if (this.#nowMs() - this.#sinceMs < mostTurnMs) return true
    this.#waiting.push(goOn)
    return false
  }

  #begin(): void {
    this.#sinceMs = undefined
    for (const goOn of this.#waiting.splice(0)) goOn()
  }
}
