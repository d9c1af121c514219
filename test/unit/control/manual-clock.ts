import type { Clock, Timer } from '../../../runtime/base/clock.ts'

/** Time that passes only when a test says so. */
export class ManualClock implements Clock {
  #nowMs = 0
  #timers: { atMs: number; action: () => void }[] = []

  now(): number {
    return this.#nowMs
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#timers.length
  }

  after(delayMs: number, action: () => void): Timer {
    const entry = { atMs: this.#nowMs + delayMs, action }
    this.#timers.push(entry)
    return { cancel: () => (this.#timers = this.#timers.filter((other) => other !== entry)) }
  }

  /** Fires what falls due, in order; `between` is awaited after each, so that messages travel. */
  async pass(durationMs: number, between: () => Promise<void>): Promise<void> {
    const endMs = this.#nowMs + durationMs
    for (;;) {
      const due = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (!due) break
      this.#timers = this.#timers.filter((other) => other !== due)
      this.#nowMs = due.atMs
      due.action()
      await between()
    }
    this.#nowMs = endMs
    await between()
  }
}
