/**
 * Answers together instead of each by itself. While a queue is long, what a worker answers is no news: it has its next
 * tasks already, and many wait. So it leaves its answers in shared memory (objects/answer-ring.ts), and this process
 * looks there now and then (see `answersRestMicros`), at all such workers in one turn.
 *
 *     1 told ----rest----> 2 looked at ----wake, a long silence----> 3 looked at until nothing is left there ----> 1
 *                              ^------------------rest------------------'
 *
 * From each of them the end of its lease leads to a last look. What comes by the socket and what is left here are told in
 * the order in which the worker answered: an answer that is left here waits for those of the tasks before it.
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

export interface AnswerLooksPorts {
  /** The first task of that lease whose answer is still to come, and where the next one will be; undefined without it. */
  tasksOf(lease: number): { readonly first: number; readonly next: number } | undefined
  /** What a worker answered: the message that it would have sent. */
  answered(lease: number, message: Done): void
  /** Tells several of them by `tell`. */
  together(tell: () => void): void
  /** A worker has written over the memory: the end of its link. */
  damaged(lease: number, error: Error): void
}

interface Watched extends LeftFor {
  heardMs: number
  /** For so long what it leaves may wait, and until when. */
  restMs: number
  dueMs: number
  /** `drains`: what is left there is the last, until it rests again. `ends`: its last look has begun. */
  state: 'listens' | 'drains' | 'ends'
  readonly isEarly: (epoch: number, sequence: number) => boolean
}

export class AnswerLooks {
  readonly #clock: Clock
  readonly #ports: AnswerLooksPorts
  readonly #watched = new Map<number, Watched>()
  #timer: Timer | undefined
  #dueMs = 0
  /** Within a look, which says at its end when the next one is. */
  #looking = false

  constructor(clock: Clock, ports: AnswerLooksPorts) {
    this.#clock = clock
    this.#ports = ports
  }

  /** The next answers of that lease may wait for so long. Has no effect where another owner looks there. */
  rest(lease: number, { ring, epoch }: LeftFor, mostMs: number): void {
    let watched = this.#watched.get(lease)
    if (watched?.state === 'ends') return
    if (watched?.state !== 'listens') {
      if (!ring.listen(epoch)) return
      watched ??= {
        ...{ ring, epoch, heardMs: this.#clock.now(), restMs: 0, dueMs: 0, state: 'listens' },
        isEarly: (of, sequence) => of === epoch && this.#isEarly(lease, sequence),
      }
      watched.state = 'listens'
      this.#watched.set(lease, watched)
    }
    watched.restMs = mostMs
    watched.dueMs = this.#clock.now() + mostMs
    this.#by(watched.dueMs)
  }

  /** Its answers are to be sent again, and what it has left until then is told soon. */
  wake(lease: number): void {
    const watched = this.#watched.get(lease)
    if (watched?.state !== 'listens') return
    watched.state = 'drains'
    watched.ring.ignore(watched.epoch)
    watched.dueMs = this.#clock.now()
    this.#by(watched.dueMs)
  }

  /**
   * Nothing is left for that lease any more; what is there is told before this returns. An answer may be the last one of
   * its lease, and end it while it is told: then this is within a look, or a last look, which finds its lease gone.
   */
  end(lease: number): void {
    const watched = this.#watched.get(lease)
    if (watched === undefined) return
    if (watched.state !== 'ends') watched.ring.ignore(watched.epoch)
    watched.state = 'ends'
    this.#takeAll(lease, watched)
    if (this.#isGone(lease, watched)) return
    this.#watched.delete(lease)
    watched.ring.ignored(watched.epoch)
  }

  /** Something else has come from there, which must not overtake what was left before it. */
  before(lease: number): void {
    const watched = this.#watched.get(lease)
    if (watched !== undefined) this.#takeAll(lease, watched, watched.isEarly)
  }

  get size(): number {
    return this.#watched.size
  }

  /** Its last look is over: the memory may not be there any more. */
  #isGone(lease: number, watched: Watched): boolean {
    return this.#watched.get(lease) !== watched
  }

  #by(dueMs: number): void {
    if (this.#looking) return
    if (this.#timer !== undefined && this.#dueMs <= dueMs) return
    this.#timer?.cancel()
    this.#dueMs = dueMs
    this.#timer = this.#clock.after(Math.max(0, dueMs - this.#clock.now()), () => this.#look())
  }

  #look(): void {
    this.#timer = undefined
    const startedMs = this.#clock.now()
    const watching = [...this.#watched]
    this.#looking = true
    try {
      this.#ports.together(() => {
        for (const [lease, watched] of watching) this.#takeAll(lease, watched, watched.isEarly)
      })
      for (const [lease, watched] of watching)
        if (!this.#isGone(lease, watched)) this.#lookedAt(lease, watched, startedMs)
    } finally {
      this.#looking = false
    }
    if (this.#watched.size === 0) return
    this.#by(Math.min(...Array.from(this.#watched.values(), ({ dueMs }) => dueMs)))
  }

  #lookedAt(lease: number, watched: Watched, startedMs: number): void {
    // What was left between the look and its end.
    if (watched.state === 'drains') this.#takeAll(lease, watched, watched.isEarly)
    if (this.#isGone(lease, watched)) return
    const isSilent = startedMs - watched.heardMs > mostSilentMs
    if (watched.state === 'drains' && (isSilent || watched.ring.empty)) this.end(lease)
    else if (isSilent) this.#drain(lease, watched, startedMs)
    // Who had nothing to say did not rest anew.
    else if (watched.dueMs <= startedMs) watched.dueMs = startedMs + idleLookMs
    // What it leaves from now on may wait for the next answers of the others.
    else if (watched.heardMs < startedMs)
      watched.dueMs = Math.max(watched.dueMs, startedMs + Math.min(idleLookMs, watched.restMs))
  }

  /**
   * Nothing is left there from now on. What was left too early is told at the end of this: the answer before it may have been
   * sent just now, and come in a moment.
   */
  #drain(lease: number, watched: Watched, nowMs: number): void {
    watched.state = 'drains'
    watched.ring.ignore(watched.epoch)
    watched.dueMs = nowMs + idleLookMs
    this.#takeAll(lease, watched, watched.isEarly)
    watched.heardMs = watched.dueMs - mostSilentMs - 1
  }

  #takeAll(lease: number, watched: Watched, isEarly?: Watched['isEarly']): void {
    const { ring, epoch } = watched
    while (!this.#isGone(lease, watched)) {
      const answer = this.#take(lease, ring, isEarly)
      if (answer === undefined) return
      if (answer.epoch !== epoch) continue
      watched.heardMs = this.#clock.now()
      this.#ports.answered(lease, this.#doneOf(lease, answer))
    }
  }

  #take(lease: number, ring: AnswerRing, isEarly?: Watched['isEarly']): LeftAnswer | undefined {
    try {
      return ring.take(isEarly)
    } catch (error) {
      this.#ports.damaged(lease, error as Error)
      return undefined
    }
  }

  #doneOf(lease: number, { epoch, sequence, micros, bytes }: LeftAnswer): Done {
    return [MessageType.done, epoch, wholeSequence(sequence, this.#ports.tasksOf(lease)?.next ?? 0), micros, bytes]
  }

  /** Whether a task before it is still to be answered: a worker runs those of a lease one after the other. */
  #isEarly(lease: number, sequence: number): boolean {
    const tasks = this.#ports.tasksOf(lease)
    return tasks !== undefined && wholeSequence(sequence, tasks.next) > tasks.first
  }
}

/** A sequence that is named by its lowest 32 bits; `next` is where its lease has got to. */
function wholeSequence(named: number, next: number): number {
  return next - ((next - named) >>> 0)
}
