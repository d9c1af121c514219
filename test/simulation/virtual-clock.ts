/** Time of the simulation: a heap of events; whoever waits is called in order of time, then of asking. */
import type { Clock, Timer } from '../../runtime/base/clock.ts'

interface Event {
  readonly atMs: number
  readonly order: number
  action: (() => void) | undefined
}

export class VirtualClock implements Clock {
  readonly #heap: Event[] = []
  #now = 0
  #order = 0
  /** Events that have happened. */
  count = 0

  now(): number {
    return this.#now
  }

  after(delayMs: number, action: () => void): Timer {
    return this.at(this.#now + Math.max(0, delayMs), action)
  }

  /** At that time, not before now. What is to keep an order says when: a sum of delays may round below another one. */
  at(atMs: number, action: () => void): Timer {
    const event: Event = { atMs: Math.max(this.#now, atMs), order: this.#order++, action }
    this.#heap.push(event)
    this.#up(this.#heap.length - 1)
    return { cancel: () => void (event.action = undefined) }
  }

  /** Lets the next event happen; false when there is none by then. */
  step(untilMs: number = Infinity): boolean {
    for (let event = this.#heap[0]; event !== undefined; event = this.#heap[0]) {
      if (event.action !== undefined && event.atMs > untilMs) return false
      this.#pop()
      if (event.action === undefined) continue
      this.#now = event.atMs
      this.count++
      event.action()
      return true
    }
    return false
  }

  #pop(): Event | undefined {
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (first === undefined || last === undefined || first === last) return first
    this.#heap[0] = last
    this.#down(0)
    return first
  }

  #up(index: number): void {
    for (let at = index; at > 0;) {
      const parent = (at - 1) >> 1
      if (!this.#swapIfBefore(at, parent)) return
      at = parent
    }
  }

  #down(index: number): void {
    for (let at = index; ;) {
      const [left, right] = [2 * at + 1, 2 * at + 2]
      const child = right < this.#heap.length && before(this.#at(right), this.#at(left)) ? right : left
      if (child >= this.#heap.length || !this.#swapIfBefore(child, at)) return
      at = child
    }
  }

  #at(index: number): Event {
    return this.#heap[index] as Event
  }

  #swapIfBefore(child: number, parent: number): boolean {
    const [a, b] = [this.#at(child), this.#at(parent)]
    if (!before(a, b)) return false
    this.#heap[child] = b
    this.#heap[parent] = a
    return true
  }
}

function before(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
