/**
 * A pinned worker holds its CPU for its whole life, and a pool may have nothing to do for long. So its CPU is lent, as
 * that of a task that awaits a value is: when it has been idle for a while, until its next call.
 *
 *     1 working --no call runs--> 2 idle --500 ms--> 3 lent
 *         ^-------------call----------+------call------+
 */
import type { Clock, Timer } from '../base/clock.ts'

/** Not at once: pools that are just being filled count on the CPUs that they hold when they choose nodes. */
const lendAfterMs = 500

export class IdleLending {
  readonly #clock: Clock
  readonly #tell: (epoch: number, lent: boolean) => void
  #epoch: number | undefined
  #timer: Timer | undefined
  #lent = false

  /** `tell` the node manager that the CPU of a lease is lent, or needed again. */
  constructor(clock: Clock, tell: (epoch: number, lent: boolean) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  /** The worker is somebody's own from here on. */
  pinned(epoch: number): void {
    this.#epoch = epoch
    this.idle()
  }

  idle(): void {
    const epoch = this.#epoch
    if (epoch === undefined || this.#lent || this.#timer !== undefined) return
    this.#timer = this.#clock.after(lendAfterMs, () => {
      this.#timer = undefined
      this.#lent = true
      this.#tell(epoch, true)
    })
  }

  working(): void {
    if (this.#epoch === undefined) return
    this.#timer?.cancel()
    this.#timer = undefined
    if (!this.#lent) return
    this.#lent = false
    this.#tell(this.#epoch, false)
  }
}
