/**
 * A pinned worker holds its CPU for its whole life, and a pool may have nothing to do for long. So its CPU is lent, as
 * that of a task that awaits a value is: when it has been idle for a while, until its next call.
 *
 *     1 working --no call runs--> 2 idle --500 ms--> 3 lent
 *         ^-------------call----------+------call------+
 *
 * Calls may follow each other in microseconds: they set no timer each, one looks when the last has ended.
 */
import type { Clock, Timer } from '../base/clock.ts'

/** Not at once: pools that are just being filled count on the CPUs that they hold when they choose nodes. */
const lendAfterMs = 500

export class IdleLending {
  readonly #clock: Clock
  readonly #tell: (epoch: number, lent: boolean) => void
  #epoch: number | undefined
  #timer: Timer | undefined
  #isWorking = false
  #idleSinceMs = 0
  #lent = false

  /** `tell` the node manager that the CPU of a lease is lent, or needed again. */
  constructor(clock: Clock, tell: (epoch: number, lent: boolean) => void) {
    this.#clock = clock
    this.#tell = tell
  }

  /** The worker is somebody's own from here on. Its first call may have come before. */
  pinned(epoch: number): void {
    this.#epoch = epoch
    if (!this.#isWorking) this.#beIdle()
  }

  idle(): void {
    if (!this.#isWorking) return
    this.#isWorking = false
    this.#beIdle()
  }

  working(): void {
    this.#isWorking = true
    if (!this.#lent) return
    this.#lent = false
    this.#tell(this.#epoch as number, false)
  }

  #beIdle(): void {
    if (this.#epoch === undefined || this.#lent) return
    this.#idleSinceMs = this.#clock.now()
    if (this.#timer === undefined) this.#wait(lendAfterMs)
  }

  #wait(waitMs: number): void {
    this.#timer = this.#clock.after(waitMs, () => {
      this.#timer = undefined
      if (this.#isWorking) return
      const leftMs = this.#idleSinceMs + lendAfterMs - this.#clock.now()
      if (leftMs > 0) return this.#wait(leftMs)
      this.#lent = true
      this.#tell(this.#epoch as number, true)
    })
  }
}
