/** The answers of workers to what this owner pushed, and what each does to its task and to the refs in it. */
import type { NodeId } from '../base/ids.ts'
import {
  type DoneMany,
  type Failed,
  MessageType,
  type Message,
  type RefTuple,
  type ResultTuple,
} from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import type { LatePins } from './late-pins.ts'
import type { Leasing } from './leasing.ts'
import type { Outcome } from './object-table.ts'
import type { ReferenceState } from './reference-state.ts'
import type { SubmitState } from './submit-state.ts'

export interface AnswerContext {
  readonly state: SubmitState
  readonly references: ReferenceState
  readonly leasing: Leasing
  settle(number: number, index: number, outcome: Outcome): void
  settleInline(number: number, bytes: Uint8Array): void
  resultsOf(number: number): number
  /** The task is about to settle with these: its spec may have to be kept. */
  keepSpec(number: number, results: readonly ResultTuple[]): void
  /** Whether what came is taken for this result; not where one that is there was made a second time. */
  takes(number: number): boolean
  /** Values of its arguments could not be brought to its worker. */
  argumentsLost(number: number, error: Uint8Array): void
  /** A result that comes too late lies in the store of that node. */
  untaken(number: number, node: NodeId): void
  /** The refs that the task pinned; from then on they are the caller's to let go of. */
  takePins(number: number): readonly RefTuple[]
  pinsOf(number: number): readonly RefTuple[]
  readonly latePins: LatePins
  finish(number: number, node: NodeId): void
  /** The task says something before its end. */
  event(number: number, value: Uint8Array): void
}

/** A number that no object has: results of a task that has ended already belong to nobody. */
const nobody = 0

export class Answers {
  readonly #context: AnswerContext

  constructor(context: AnswerContext) {
    this.#context = context
  }

  /** False when the message is not an answer. */
  received(link: Link, message: Message): boolean {
    const { state, leasing } = this.#context
    switch (message[0]) {
      case MessageType.done:
        this.#done(link, message[1], message[2], message[3], message[4])
        return true
      case MessageType.doneMany:
        this.#doneMany(link, message)
        return true
      case MessageType.failed:
        this.#failed(link, message)
        return true
      case MessageType.returned: {
        const index = leasing.leaseAt(link, message[1])
        if (index === undefined) return true
        this.#context.latePins.drop(index, message[2])
        state.returned(index, message[2])
        return true
      }
      case MessageType.blocked:
      case MessageType.resumed: {
        const index = leasing.leaseAt(link, message[1])
        if (index === undefined) return true
        if (message[0] === MessageType.blocked) state.blocked(index)
        else state.resumed(index)
        return true
      }
      case MessageType.taskEvent:
        if (leasing.leaseAt(link, message[1]) !== undefined) this.#context.event(message[2], message[3])
        return true
      default:
        return false
    }
  }

  #done(link: Link, epoch: number, sequence: number, runMicros: number, value: Uint8Array): void {
    const { state, leasing } = this.#context
    const index = leasing.leaseAt(link, epoch)
    if (index === undefined) return
    this.#context.latePins.dropOne(index, sequence)
    const number = state.done(index, sequence, runMicros)
    if (number < 0) return
    this.#context.settleInline(number, value)
    this.#context.finish(number, link.peer.node)
  }

  #doneMany(link: Link, message: DoneMany): void {
    const [, epoch, sequence, runMicros, results, borrowed, ackId] = message
    const { state, references, leasing } = this.#context
    const index = leasing.leaseAt(link, epoch)
    // Taken before the state machine hears of it, which may give the lease back by that.
    const late = this.#context.latePins.take(index, sequence)
    const first = index === undefined ? -1 : (state.leases.get(index)?.task(sequence) ?? -1)
    const number = index === undefined ? -1 : state.done(index, sequence, runMicros)
    const worker = link.peer
    if (number < 0) {
      results.forEach((result, i) => {
        if (result[0] === 'stored' && first >= 0) this.#context.untaken(first + i, worker.node)
      })
      const orphans = results.map((result) => ({ number: nobody, refs: result[2] }))
      references.replied({ worker, pins: late, settled: true, borrowed, results: orphans, ackId })
      return
    }
    // Each result is held while it settles, so that what it contains has a container, and whoever waits can take it.
    const contents = results.map((result, i) => ({
      number: this.#context.takes(number + i) ? number + i : nobody,
      refs: result[2],
    }))
    for (const content of contents) if (content.number !== nobody) references.retainOwned(content.number)
    this.#context.keepSpec(number, results)
    references.replied({
      worker,
      pins: this.#context.takePins(number),
      settled: true,
      borrowed,
      results: contents,
      ackId,
    })
    results.forEach((result, i) => {
      const outcome: Outcome =
        result[0] === 'inline' ? ['inline', result[1]] : ['stored', result[1], [[worker.node, worker.node]]]
      this.#context.settle(number, i, outcome)
    })
    this.#context.finish(number, worker.node)
    for (const content of contents) if (content.number !== nobody) references.releaseOwned(content.number)
  }

  #failed(link: Link, message: Failed): void {
    const [, epoch, sequence, runMicros, error, origin, borrowed] = message
    const { state, references, leasing } = this.#context
    const index = leasing.leaseAt(link, epoch)
    const late = this.#context.latePins.take(index, sequence)
    const verdict = index === undefined ? undefined : state.failed(index, sequence, runMicros, origin)
    const worker = link.peer
    const settled = verdict?.settle === true
    const pins =
      verdict === undefined
        ? late
        : settled
          ? this.#context.takePins(verdict.number)
          : this.#context.pinsOf(verdict.number)
    if (borrowed.length > 0 || pins.length > 0) {
      references.replied({ worker, pins, settled: settled || verdict === undefined, borrowed, results: [], ackId: 0 })
    }
    if (verdict !== undefined && origin === 'arguments') return this.#context.argumentsLost(verdict.number, error)
    if (verdict === undefined || !settled) return
    const count = this.#context.resultsOf(verdict.number)
    const outcome: Outcome = ['error', error]
    for (let i = 0; i < count; i++) this.#context.settle(verdict.number, i, outcome)
    this.#context.finish(verdict.number, worker.node)
  }
}
