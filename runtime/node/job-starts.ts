/**
 * The starts of jobs, which the head must know before their drivers do anything. Each is asked of every head that this
 * node registers with, until one has answered; for a head a start is known by its job, so that asking it again changes
 * nothing. A head has so long to answer, and none may be away for longer than that.
 */
import type { Timer } from '../base/clock.ts'
import type { ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { headSilence, type HeadPatience } from './head-patience.ts'

/** One of them is called, once, unless the job ends before. */
export interface JobStartAnswers {
  readonly started: () => void
  readonly unanswered: (reason: string) => void
}

interface Waiting {
  readonly job: ProcessId
  readonly info: Readonly<Record<string, unknown>>
  readonly answers: JobStartAnswers
  timer: Timer | undefined
}

export class JobStarts {
  readonly #options: HeadPatience
  readonly #waiting = new Map<number, Waiting>()
  /** Jobs that a head has acknowledged. Their drivers wait for none when they come back over another link. */
  readonly #known = new Set<ProcessId>()
  #head: Link | undefined
  #nextId = 1

  constructor(options: HeadPatience) {
    this.#options = options
  }

  /** Starts that no head has answered yet. */
  get size(): number {
    return this.#waiting.size
  }

  ask(job: ProcessId, info: Readonly<Record<string, unknown>>, answers: JobStartAnswers): void {
    if (this.#known.has(job)) return answers.started()
    const id = this.#nextId++
    const entry: Waiting = { job, info, answers, timer: undefined }
    this.#waiting.set(id, entry)
    this.#send(id, entry)
  }

  /** The node is a member of this head. */
  connected(head: Link): void {
    this.#head = head
    for (const [id, entry] of this.#waiting) this.#send(id, entry)
  }

  disconnected(): void {
    this.#head = undefined
  }

  /** The head knows that job now. */
  acknowledged(id: number): void {
    const entry = this.#take(id)
    if (entry === undefined) return
    this.#known.add(entry.job)
    entry.answers.started()
  }

  ended(job: ProcessId): void {
    this.#known.delete(job)
    for (const [id, entry] of [...this.#waiting]) if (entry.job === job) this.#take(id)
  }

  close(): void {
    for (const id of [...this.#waiting.keys()]) this.#take(id)
  }

  #send(id: number, entry: Waiting): void {
    const { clock, timeoutMs } = this.#options
    entry.timer?.cancel()
    entry.timer = clock.after(timeoutMs, () => {
      this.#take(id)?.answers.unanswered(headSilence(this.#options, this.#head !== undefined))
    })
    this.#head?.send([MessageType.jobStart, id, entry.job, entry.info])
  }

  #take(id: number): Waiting | undefined {
    const entry = this.#waiting.get(id)
    this.#waiting.delete(id)
    entry?.timer?.cancel()
    return entry
  }
}
