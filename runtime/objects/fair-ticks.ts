/**
 * Looks at the time on behalf of other processes, and a time that counts fairly for them: that in which this process was held
 * up (a driver that hosts its node computes) is left out. What would have ended a wait is still unread then.
 */
import { type Clock, heldUpMs, type Timer } from '../base/clock.ts'

/** Between two looks, in milliseconds. */
const tickMs = 50

export class FairTicks {
  readonly #clock: Clock
  readonly #look: (hasRead: boolean) => void
  #lostMs = 0
  #timer: Timer | undefined

  /** `look` is told whether this process could read meanwhile. */
  constructor(clock: Clock, look: (hasRead: boolean) => void) {
    this.#clock = clock
    this.#look = look
  }

  /** In milliseconds. */
  now(): number {
    return this.#clock.now() - this.#lostMs
  }

  /** Looks in a while, for which this process need not stay alive. May be called again before that. */
  next(): void {
    if (this.#timer !== undefined) return
    const dueMs = this.#clock.now() + tickMs
    this.#timer = this.#clock.after(tickMs, () => {
      this.#timer = undefined
      const lateMs = this.#clock.now() - dueMs
      if (lateMs > tickMs) this.#lostMs += lateMs
      this.#look(lateMs <= heldUpMs)
    })
  }

  cancel(): void {
    this.#timer?.cancel()
  }
}
