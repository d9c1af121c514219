/**
 * What a node asks the head, for itself and for its processes. A head may die at any message, so what it has not
 * answered is asked of the next one as well, under the same id, and any of them may answer:
 *
 *     1 waiting --a head is there--> 2 asked --answered--> (taken)
 *          ^                            |
 *          +---------link lost----------+--link lost, and it must not be asked twice--> (cut off)
 *     1, 2 --no answer in time, which is counted anew from each head--> (unanswered)
 *
 * Owners ask their home in the same way (owner/home-questions.ts); they wait for as long as it may come back.
 */
import { afterFairly } from '../base/clock.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { Link } from '../transport/link.ts'

/** How long a node waits for the head. */
export interface HeadPatience {
  readonly clock: Clock
  /** Counted from the question, and anew from each head that it is asked of. */
  readonly timeoutMs: number
  /** For messages. */
  readonly headName: string
}

export interface HeadQuestion {
  readonly send: (head: Link, id: number) => void
  /** No head has answered in time; the reason is for people. */
  readonly unanswered: (reason: string) => void
  /** The link broke over which it was asked. Whatever changes nothing when it is asked twice has none, and is. */
  readonly cutOff?: () => void
}

interface Open<Question> {
  readonly question: Question
  timer: Timer | undefined
}

export class HeadQuestions<Question extends HeadQuestion> {
  readonly #patience: HeadPatience
  readonly #open = new Map<number, Open<Question>>()
  #head: Link | undefined
  #lastId = 0

  constructor(patience: HeadPatience) {
    this.#patience = patience
  }

  /** Questions that have no answer yet. */
  get size(): number {
    return this.#open.size
  }

  get isHeadAway(): boolean {
    return this.#head === undefined
  }

  ask(question: Question): void {
    const id = ++this.#lastId
    const open: Open<Question> = { question, timer: undefined }
    this.#open.set(id, open)
    this.#send(id, open)
  }

  /** The node is a member of this head. */
  connected(head: Link): void {
    this.#head = head
    for (const [id, open] of this.#open) this.#send(id, open)
  }

  /** The node is a member of no head now. May be called where it was of none before. */
  disconnected(): void {
    if (this.#head === undefined) return
    this.#head = undefined
    for (const { cutOff } of this.takeAll((question) => question.cutOff !== undefined)) cutOff?.()
  }

  /** Whoever gets an answer takes its question; undefined for what nobody asks any more. */
  take(id: number): Question | undefined {
    const open = this.#open.get(id)
    this.#open.delete(id)
    open?.timer?.cancel()
    return open?.question
  }

  /** Those of which nobody wants to know any more, or all. */
  takeAll(where: (question: Question) => boolean = () => true): Question[] {
    const ids = [...this.#open].filter(([, { question }]) => where(question)).map(([id]) => id)
    return ids.flatMap((id) => this.take(id) ?? [])
  }

  #send(id: number, open: Open<Question>): void {
    const { clock, timeoutMs } = this.#patience
    open.timer?.cancel()
    open.timer = afterFairly(clock, timeoutMs, () => this.take(id)?.unanswered(this.#silence()))
    if (this.#head !== undefined) open.question.send(this.#head, id)
  }

  #silence(): string {
    const { headName, timeoutMs } = this.#patience
    const silence = this.isHeadAway ? `was away for ${timeoutMs} ms` : `did not answer within ${timeoutMs} ms`
    return `the head ${headName} ${silence}; is it running?`
  }
}
