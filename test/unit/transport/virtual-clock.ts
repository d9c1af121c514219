/** Time that moves when a test says so. */
import type { Clock, Timer } from '../../../runtime/base/clock.ts'

export class VirtualClock implements Clock {
  #nowMs = 0
  #timers: { atMs: number; action: () => void }[] = []

  now(): number {
    return this.#nowMs
  }

  get pending(): number {
    return this.#timers.length
  }

  after(delayMs: number, action: () => void): Timer {
    const entry = { atMs: this.#nowMs + delayMs, action }
    this.#timers.push(entry)
    return { cancel: () => void (this.#timers = this.#timers.filter((timer) => timer !== entry)) }
  }

  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs
    for (;;) {
      const due = this.#timers.filter((timer) => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== due)
      this.#nowMs = due.atMs
      due.action()
    }
    this.#nowMs = untilMs
  }
}
