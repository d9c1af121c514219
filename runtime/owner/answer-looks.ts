/**
 * Answers together instead of each by itself. While a queue is long, what a worker answers is no news: it has its next
 * tasks already, and many wait. So it leaves its answers in shared memory (objects/answer-ring.ts), and this process
 * looks there every few milliseconds, at all such workers in one turn.
 *
 *     1 told, answer by answer --rest--> 2 looked at --wake, a long silence, end of its link or lease--> 1, after a last look
 *
 * Being told costs this process, and the worker that it takes a CPU from, about 0.3 ms after long work, when nothing is in
 * their caches; each further answer of the same turn a sixth of that.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { AnswerRing, LeftAnswer } from '../objects/answer-ring.ts'
import { type Done, MessageType } from '../protocol/messages.ts'

/** Until the next look when no answer says how long the next one may wait, in milliseconds. */
const idleLookMs = 16

/** A worker that has not answered for so long is to send its answer: its task is a long one. Milliseconds. */
const mostSilentMs = 100

export interface LeftFor {
  readonly ring: AnswerRing
  readonly epoch: number
}

interface Watched extends LeftFor {
  heardMs: number
  /** Its answers are to be sent again. */
  wakes: boolean
}

export class AnswerLooks {
  readonly #clock: Clock
  readonly #answered: (lease: number, answer: LeftAnswer) => void
  readonly #damaged: (lease: number, error: Error) => void
  readonly #watched = new Map<number, Watched>()
  #timer: Timer | undefined
  #dueMs = 0

  constructor(
    clock: Clock,
    answered: (lease: number, answer: LeftAnswer) => void,
    damaged: (lease: number, error: Error) => void,
  ) {
    this.#clock = clock
    this.#answered = answered
    this.#damaged = damaged
  }

  /** The next answers of that lease may wait for so long. Has no effect where another owner looks there. */
  rest(lease: number, { ring, epoch }: LeftFor, mostMs: number): void {
    if (!this.#watched.has(lease)) {
      if (!ring.listen(epoch)) return
      this.#watched.set(lease, { ring, epoch, heardMs: this.#clock.now(), wakes: false })
    }
    const watched = this.#watched.get(lease)
    if (watched !== undefined) watched.wakes = false
    this.#by(this.#clock.now() + mostMs)
  }

  /** Its answers are to be sent again; as soon as the answer that is being told is through, so that none overtakes it. */
  wake(lease: number): void {
    const watched = this.#watched.get(lease)
    if (watched === undefined || watched.wakes) return
    watched.wakes = true
    queueMicrotask(() => {
      if (watched.wakes && this.#watched.get(lease) === watched) this.end(lease)
    })
  }

  /** Nothing is left for that lease any more; what is there is told before this returns. */
  end(lease: number): void {
    const watched = this.#watched.get(lease)
    if (watched === undefined) return
    this.#watched.delete(lease)
    const { ring, epoch } = watched
    ring.ignore(epoch)
    this.#takeAll(lease, watched)
    ring.ignored(epoch)
  }

  /** Something else has come from there, which must not overtake what was left before it. */
  before(lease: number): void {
    const watched = this.#watched.get(lease)
    if (watched !== undefined) this.#takeAll(lease, watched)
  }

  get size(): number {
    return this.#watched.size
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
      this.#takeAll(lease, watched)
      if (startedMs - watched.heardMs > mostSilentMs) this.end(lease)
    }
    // Who had nothing to say did not rest anew.
    if (this.#watched.size > 0) this.#by(startedMs + idleLookMs)
  }

  /** Memory that a worker has written over is the end of its link. */
  #take(lease: number, ring: AnswerRing): LeftAnswer | undefined {
    try {
      return ring.take()
    } catch (error) {
      this.#damaged(lease, error as Error)
      return undefined
    }
  }

  #takeAll(lease: number, watched: Watched): void {
    const { ring, epoch } = watched
    for (let answer = this.#take(lease, ring); answer !== undefined; answer = this.#take(lease, ring)) {
      if (answer.epoch !== epoch) continue
      watched.heardMs = this.#clock.now()
      this.#answered(lease, answer)
    }
  }
}

/** The message that its worker would have sent; `next` is the sequence that the lease has got to. */
export function doneOf({ epoch, sequence, micros, bytes }: LeftAnswer, next: number): Done {
  return [MessageType.done, epoch, next - ((next - sequence) >>> 0), micros, bytes]
}
