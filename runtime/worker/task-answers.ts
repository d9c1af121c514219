/** The answers of tasks: what each says, and how it gets to its owner. */
import type { AnswerRing } from '../objects/answer-ring.ts'
import type { ReferenceState } from '../owner/reference-state.ts'
import type { ReplyRefs } from '../owner/reference-types.ts'
import { type Failed, MessageType, type RefTuple, type ResultTuple } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'

const noRefs: readonly RefTuple[] = []
const nothingLent: ReplyRefs = { borrowed: noRefs, ackId: 0 }

/** What an answer needs to know of its task. */
export interface AnsweredTask {
  readonly link: Pick<Link, 'send' | 'flush' | 'closed' | 'peer'>
  readonly epoch: number
  readonly sequence: number
  /** Distinguishes tasks of different owners in this process. */
  readonly local: number
  /** Its owner was sent something about it: its answer must not come before that. */
  readonly told: boolean
  /** Refs came with its arguments. */
  readonly borrows: boolean
}

export class TaskAnswers {
  readonly #references: () => Pick<ReferenceState, 'reply' | 'leaveTask'> | undefined
  readonly #ring: () => AnswerRing | undefined
  /** The answer that was left there last. */
  #left: { readonly task: AnsweredTask; readonly micros: number; readonly bytes: Uint8Array } | undefined

  /**
   * `references`: undefined where this process has never had one. `ring`: where answers are left for an owner that looks
   * there; undefined where no memory is shared.
   */
  constructor(
    references: () => Pick<ReferenceState, 'reply' | 'leaveTask'> | undefined,
    ring: () => AnswerRing | undefined,
  ) {
    this.#references = references
    this.#ring = ring
  }

  /** That lease is over: its owner looks for nothing any more. */
  over(epoch: number): void {
    this.#ring()?.over(epoch)
  }

  /** One small result. */
  inline(task: AnsweredTask, micros: number, bytes: Uint8Array): void {
    const { link, epoch, sequence } = task
    const { borrowed, ackId } = task.borrows ? this.#reply(task, noRefs) : nothingLent
    if (borrowed.length > 0 || ackId !== 0) {
      const results: ResultTuple[] = [['inline', bytes, noRefs]]
      link.send([MessageType.doneMany, epoch, sequence, micros, results, borrowed, ackId])
    } else if (!task.told && this.#ring()?.leave(epoch, sequence, micros, bytes) === true)
      this.#left = { task, micros, bytes }
    else link.send([MessageType.done, epoch, sequence, micros, bytes])
  }

  /**
   * This worker has nothing to do: tasks took less time than was expected of them. What it has left is told at once, by
   * sending the last of it again, so that more can be sent to it.
   */
  idle(): void {
    if (this.#left === undefined) return
    const { task, micros, bytes } = this.#left
    this.#left = undefined
    if (this.#ring()?.empty !== false) return
    task.link.send([MessageType.done, task.epoch, task.sequence, micros, bytes])
    task.link.flush()
  }

  many(task: AnsweredTask, micros: number, results: readonly ResultTuple[], contained: readonly RefTuple[]): void {
    const { borrowed, ackId } = this.#reply(task, contained)
    task.link.send([MessageType.doneMany, task.epoch, task.sequence, micros, results, borrowed, ackId])
  }

  failed(task: AnsweredTask, micros: number, error: Uint8Array, origin: Failed[5]): void {
    const { borrowed } = this.#reply(task, noRefs)
    task.link.send([MessageType.failed, task.epoch, task.sequence, micros, error, origin, borrowed])
  }

  #reply(task: AnsweredTask, contained: readonly RefTuple[]): ReplyRefs {
    const { link, local } = task
    const references = this.#references()
    if (references === undefined) return nothingLent
    if (!link.closed) return references.reply(local, link.peer, contained)
    // Its owner has given it up: nobody hears what it would lend.
    references.leaveTask(local)
    return nothingLent
  }
}
