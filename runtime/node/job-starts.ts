/**
 * The starts of jobs, which the head must know before their drivers do anything. For a head a start is known by its job,
 * so that asking it again changes nothing.
 */
import type { ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { type HeadPatience, type HeadQuestion, HeadQuestions } from './head-questions.ts'

/** One of them is called, once, unless the job ends before. */
export interface JobStartAnswers {
  readonly started: () => void
  readonly unanswered: (reason: string) => void
}

interface JobStart extends HeadQuestion {
  readonly job: ProcessId
  readonly started: () => void
}

export class JobStarts {
  readonly #questions: HeadQuestions<JobStart>
  /** Jobs that a head has acknowledged. Their drivers wait for none when they come back over another link. */
  readonly #known = new Set<ProcessId>()

  constructor(patience: HeadPatience) {
    this.#questions = new HeadQuestions(patience)
  }

  /** Starts that no head has answered yet. */
  get size(): number {
    return this.#questions.size
  }

  ask(job: ProcessId, info: Readonly<Record<string, unknown>>, answers: JobStartAnswers): void {
    if (this.#known.has(job)) return answers.started()
    this.#questions.ask({ job, ...answers, send: (head, id) => head.send([MessageType.jobStart, id, job, info]) })
  }

  /** The node is a member of this head. */
  connected(head: Link): void {
    this.#questions.connected(head)
  }

  disconnected(): void {
    this.#questions.disconnected()
  }

  /** The head knows that job now. */
  acknowledged(id: number): void {
    const start = this.#questions.take(id)
    if (start === undefined) return
    this.#known.add(start.job)
    start.started()
  }

  ended(job: ProcessId): void {
    this.#known.delete(job)
    this.#questions.takeAll((start) => start.job === job)
  }

  close(): void {
    this.#questions.takeAll()
  }
}
