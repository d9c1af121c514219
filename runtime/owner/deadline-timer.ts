/**
 * One timer for many deadlines: it looks when the first of them is due, and is told when the next one is. It never looks
 * twice within `leastMs`: a process that computes shares its CPU with whoever looks.
 */
import type { Clock, Timer } from '../base/clock.ts'

export class DeadlineTimer {
  readonly #clock: Clock
  readonly #leastMs: number
  readonly #look: (late: boolean) => number
  #timer: Timer | undefined
  #dueMs = Number.POSITIVE_INFINITY
  #wasLate = false

  /** `look` does what is due, and returns when it is to be called next; `late`: this process was busy itself. */
  constructor(clock: Clock, leastMs: number, look: (late: boolean) => number) {
    this.#clock = clock
    this.#leastMs = leastMs
    this.#look = look
  }

  /** Something is due then; monotonic milliseconds. */
  by(dueMs: number): void {
    if (dueMs + this.#leastMs >= this.#dueMs) return
    this.#timer?.cancel()
    const delayMs = Math.max(this.#leastMs, dueMs - this.#clock.now())
    this.#dueMs = this.#clock.now() + delayMs
    this.#timer = this.#clock.after(delayMs, () => this.#due())
  }

  /** What was due first is not any more: nothing is before that. */
  notBefore(dueMs: number): void {
    if (this.#timer === undefined || dueMs <= this.#dueMs) return
    this.#timer.cancel()
    this.#timer = undefined
    this.#dueMs = Number.POSITIVE_INFINITY
    if (dueMs < Number.POSITIVE_INFINITY) this.by(dueMs)
  }

  #due(): void {
    this.#timer = undefined
    // Timers run before what has arrived is read: answers that are here already would look overdue.
    const late = this.#clock.now() - this.#dueMs > this.#leastMs
    // Between two looks was a read: a process whose every turn is long looks at every second one.
    this.#wasLate = late && !this.#wasLate
    this.#dueMs = Number.POSITIVE_INFINITY
    const nextMs = this.#look(this.#wasLate)
    if (nextMs < Number.POSITIVE_INFINITY) this.by(nextMs)
  }
}
