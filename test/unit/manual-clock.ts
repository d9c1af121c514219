/** Time that passes only when a test says so. */
import type { Clock, Timer } from '../../runtime/base/clock.ts'

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
    return { cancel: () => void (this.#timers = this.#timers.filter((timer) => timer !== entry)) }
  }

  /** Fires what falls due, in order. */
  advance(byMs: number): void {
    const endMs = this.#nowMs + byMs
    while (this.#fireNext(endMs));
    this.#nowMs = endMs
  }

  /** The same; `between` is awaited after each, so that messages travel. */
  async pass(durationMs: number, between: () => Promise<void>): Promise<void> {
    const endMs = this.#nowMs + durationMs
    while (this.#fireNext(endMs)) await between()
    this.#nowMs = endMs
    await between()
  }

  #fireNext(endMs: number): boolean {
    const due = this.#timers.filter(({ atMs }) => atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
    if (due === undefined) return false
    this.#timers = this.#timers.filter((timer) => timer !== due)
    this.#nowMs = due.atMs
    due.action()
    return true
  }
}
