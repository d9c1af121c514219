/**
 * The calls back of a process to its home, which asks for them by tickets. It asks again for as long as nobody has come
 * with one: who computes reads all that at once, and calls back once for each ticket. A call back that fails is told to
 * nobody, as it is asked for again.
 */
import { Abandon } from '../transport/abandon.ts'

/** Calls back under way: a listener takes so many connections at a time and more, and its home has others to hear. */
const mostAtOnce = 64

export class Tickets {
  readonly #callBack: (ticket: string, abandon: Abandon) => Promise<void>
  readonly #waiting = new Set<string>()
  readonly #underWay = new Set<string>()
  readonly #abandon = new Abandon()

  constructor(callBack: (ticket: string, abandon: Abandon) => Promise<void>) {
    this.#callBack = callBack
  }

  asked(ticket: string): void {
    if (this.#abandon.reason !== undefined || this.#underWay.has(ticket)) return
    this.#waiting.add(ticket)
    this.#next()
  }

  close(reason: Error): void {
    this.#waiting.clear()
    this.#abandon.now(reason)
  }

  #next(): void {
    for (const ticket of this.#waiting) {
      if (this.#underWay.size >= mostAtOnce) return
      this.#waiting.delete(ticket)
      this.#underWay.add(ticket)
      this.#callBack(ticket, this.#abandon)
        .catch(() => {})
        .finally(() => {
          this.#underWay.delete(ticket)
          this.#next()
        })
    }
  }
}
