/**
 * Answers together instead of each by itself. While a queue is long, what a worker answers is no news: it has its next
 * tasks already, and many wait. So it leaves its answers in shared memory (objects/answer-ring.ts), and this process
 * looks there every few milliseconds, at all such workers in one turn.
 *
 *     1 told, answer by answer --rest--> 2 looked at --wake, looks in vain, end of its link or lease--> 1, after a last look
 *
 * Being told costs this process, and the worker that it takes a CPU from, about 0.3 ms after long work, when nothing is in
 * their caches; each further answer of the same turn a sixth of that.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { AnswerRing, LeftAnswer } from '../objects/answer-ring.ts'

/** Until the next look when no answer says how long the next one may wait, in milliseconds. */
const idleLookMs = 16

/** After so many looks without an answer a worker is to send it: its task is a long one. */
const mostInVain = 3

export interface LeftFor {
  readonly ring: AnswerRing
  readonly epoch: number
}

interface Watched extends LeftFor {
  /** Looks since its last answer. */
  inVain: number
}

export class AnswerLooks {
  readonly #clock: Clock
  readonly #answered: (lease: number, answer: LeftAnswer) => void
  readonly #watched = new Map<number, Watched>()
  #timer: Timer | undefined
  #dueMs = 0

  constructor(clock: Clock, answered: (lease: number, answer: LeftAnswer) => void) {
    this.#clock = clock
    this.#answered = answered
  }

  /** The next answers of that lease may wait for so long. Has no effect where another owner looks there. */
  rest(lease: number, { ring, epoch }: LeftFor, mostMs: number): void {
    if (!this.#watched.has(lease)) {
      if (!ring.listen(epoch)) return
      this.#watched.set(lease, { ring, epoch, inVain: 0 })
    }
    this.#by(this.#clock.now() + mostMs)
  }

  /** From now on its answers are sent; those that are there are told before this returns. */
  wake(lease: number): void {
    const watched = this.#watched.get(lease)
    if (watched === undefined) return
    this.#watched.delete(lease)
    const { ring, epoch } = watched
    ring.ignore(epoch)
    this.#takeAll(lease, watched)
    ring.ignored(epoch)
  }

  #by(dueMs: number): void {
    if (this.#timer !== undefined && this.#dueMs <= dueMs) return
    this.#timer?.cancel()
    this.#dueMs = dueMs
    this.#timer = this.#clock.after(Math.max(0, dueMs - this.#clock.now()), () => this.#look())
  }

  #look(): void {
    this.#timer = undefined
    const startedMs = this.#clock.now()
    for (const [lease, watched] of [...this.#watched]) {
      if (!this.#watched.has(lease)) continue
      watched.inVain++
      this.#takeAll(lease, watched)
      if (watched.inVain >= mostInVain) this.wake(lease)
    }
    // Who had nothing to say did not rest anew.
    if (this.#watched.size > 0) this.#by(startedMs + idleLookMs)
  }

  #takeAll(lease: number, watched: Watched): void {
    const { ring, epoch } = watched
    for (let answer = ring.take(); answer !== undefined; answer = ring.take()) {
      if (answer.epoch !== epoch) continue
      watched.inVain = 0
      this.#answered(lease, answer)
    }
  }
}
