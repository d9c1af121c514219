/**
 * Lost objects of this owner, and those of others that were lost: the outside of `recovery-state.ts`.
 *
 *     node dead, or refused pulls --> copies leave the directory --> need --> task runs again --> settle, or an error
 */
import { objectKey, type NodeId, type ObjectNumber, type TaskNumber } from '../base/ids.ts'
import { ObjectReconstructionFailedError, OwnerDiedError } from '../base/errors.ts'
import type { PullReport } from '../objects/pull-failures.ts'
import type { KeptSpec, Lineage } from './lineage.ts'
import { reconstructionFailed } from './loss-errors.ts'
import type { OwnerHost } from './host.ts'
import type { ObjectAccess } from './object-access.ts'
import type { ObjectTable, Outcome } from './object-table.ts'
import { compactError } from './compact-error.ts'
import type { OwnerValues } from './owner-values.ts'
import { type LossReason, RecoveryState } from './recovery-state.ts'
import type { SubmitState } from './submit-state.ts'
import type { Failure } from './submit-types.ts'
import type { TaskEvents } from './task-events.ts'
import { slotOf, TaskState, type TaskTable } from './task-table.ts'

export interface RecoveryParts {
  readonly host: OwnerHost
  readonly table: TaskTable
  readonly objects: ObjectTable
  readonly access: ObjectAccess
  readonly values: Pick<OwnerValues, 'frees'>
  readonly lineage: Lineage
  readonly events: TaskEvents | undefined
  readonly submit: Pick<SubmitState, 'templateOf' | 'classAt'>
  isDead(node: NodeId): boolean
  isHeld(number: ObjectNumber): boolean
  /** Of the copies that are left of an object, that node's is to stay. */
  inherit(number: ObjectNumber, node: NodeId): void
  /** Submits the task once more, from its spec. */
  rerun(task: TaskNumber, spec: KeptSpec): void
}

/** How long a reader that reaches no holder is left waiting before it tries again, in milliseconds. */
const laterMs = 200

export class Recovery {
  readonly state: RecoveryState
  readonly #parts: RecoveryParts
  /** Lost objects that somebody waits for, and how they were lost. */
  readonly #wanted = new Map<ObjectNumber, string>()

  constructor(parts: RecoveryParts) {
    this.#parts = parts
    const { host, lineage } = parts
    this.state = new RecoveryState(
      {
        makerOf: (number) => lineage.state.makerOf(number),
        judge: (number, maker) => this.#judge(number, maker),
        reopen: (number) => this.#reopen(number),
        rerun: (task) => this.#rerun(task),
        fail: (number, reason) => this.#fail(number, reason),
      },
      host.clock,
    )
  }

  /** Entries of tables that are empty when nothing is lost. */
  get size(): number {
    return this.state.size + this.#wanted.size
  }

  /**
   * A copy of an object of this process could not be read, as `report` says. Calls back when there is something new:
   * at once, or when the cluster has had time to notice who is dead.
   */
  reported(number: ObjectNumber, report: PullReport, then: () => void): void {
    const { objects, table } = this.#parts
    const outcome = table.has(number) ? objects.outcome(number) : undefined
    if (outcome?.[0] !== 'stored' || outcome[2].length === 0) return then()
    const { holders, answer } = this.state.reported(number, outcome[2], report, (node) => this.#parts.isDead(node))
    const left = new Set(holders)
    const gone = outcome[2].filter((holder) => !left.has(holder))
    const missing = gone.map(([node]) => `node ${node} does not have it any more`).join(', ')
    const how = report.why ? `${missing}; ${report.why}` : missing
    objects.keepHolders(number, (holder) => left.has(holder), how)
    // One that was not reached may have it, and one that has said that it does not may be about to get it.
    for (const [node] of gone) this.#parts.values.frees.stray(node, number)
    if (answer === 'now') then()
    else this.#parts.host.clock.after(laterMs, then)
  }

  /** What lay on that node is gone. */
  nodeDead(node: NodeId, reason: string): void {
    const { table, objects, host } = this.#parts
    const how = `node ${node} is dead: ${reason}`
    for (const number of table.numbers()) {
      const before = objects.outcome(number)
      objects.keepHolders(number, ([at, process]) => at !== node || process === host.self.process, how)
      if (before?.[0] === 'stored' && before[2][0]?.[0] === node) this.#inherit(number)
    }
  }

  /** The first of its holders has it for good, and those that only read it for as long as they have room: the first is gone. */
  #inherit(number: ObjectNumber): void {
    const outcome = this.#parts.objects.outcome(number)
    const heir = outcome?.[0] === 'stored' ? outcome[2].find(([at, process]) => at === process) : undefined
    if (heir !== undefined) this.#parts.inherit(number, heir[0])
  }

  /** Whether what a task answers is to be taken for this result: not for one that was not lost, when it ran again. */
  takes(number: ObjectNumber): boolean {
    if (this.state.isIdle || !this.state.isRunning(this.#parts.objects.taskOf(number))) return true
    return this.#isLost(number)
  }

  /** The end of a result, whether or not its task has run again for another one. */
  settle(number: ObjectNumber, outcome: Outcome, reason: LossReason | undefined = 'task failed'): void {
    const { objects } = this.#parts
    if (this.state.isIdle || !this.state.isRunning(objects.taskOf(number))) return objects.settle(number, outcome)
    if (outcome[0] !== 'error') {
      if (this.#isLost(number)) this.#settleAgain(number, outcome)
      else if (outcome[0] === 'stored') this.#freeSecond(number, outcome)
    } else {
      const { generates } = this.#parts.submit.templateOf(number)
      for (const lost of generates === true ? this.#wantedOf(number) : this.#wanted.has(number) ? [number] : [])
        this.#settleAgain(lost, reason === undefined ? outcome : this.#failed(lost, outcome[1], reason))
    }
  }

  /** Whether an item of a generator is to be made again when that runs again. */
  wantsItem(number: ObjectNumber): boolean {
    const { table, objects } = this.#parts
    if (!table.has(number) || !this.#isLost(number)) return false
    return objects.outcome(number) === undefined || this.#parts.isHeld(number)
  }

  /** An item was made again. */
  itemMade(number: ObjectNumber, outcome: Outcome): void {
    this.#settleAgain(number, outcome)
  }

  /** A generator has ended, and what is kept of it can be run again: for items that were lost and are waited for. */
  generatorEnded(task: TaskNumber): void {
    if (this.#wanted.size > 0) for (const number of this.#wantedOf(task)) this.state.need(number)
  }

  /** Lost objects of that task that somebody waits for. */
  #wantedOf(task: TaskNumber): ObjectNumber[] {
    return [...this.#wanted.keys()].filter((number) => this.#parts.objects.taskOf(number) === task)
  }

  /** A task has settled; it may be that it did for the second time. */
  finished(task: TaskNumber): void {
    if (this.state.isIdle || !this.state.isRunning(task)) return
    this.state.ended(task)
    this.#parts.lineage.state.ran(task, (number) => this.#parts.isHeld(number))
  }

  /** Nobody refers to the object any more. */
  dropped(number: ObjectNumber): void {
    this.state.drop(number)
  }

  clear(): void {
    this.state.clear()
    this.#wanted.clear()
  }

  #isLost(number: ObjectNumber): boolean {
    const outcome = this.#parts.objects.outcome(number)
    return outcome === undefined || (outcome[0] === 'stored' && outcome[2].length === 0)
  }

  #settleAgain(number: ObjectNumber, outcome: Outcome): void {
    this.#wanted.delete(number)
    this.state.drop(number)
    this.#parts.objects.settle(number, outcome)
  }

  /** The result was not lost, and there is one more of it now. */
  #freeSecond(number: ObjectNumber, outcome: Outcome & { 0: 'stored' }): void {
    const before = this.#parts.objects.outcome(number)
    const kept = before?.[0] === 'stored' ? before[2] : []
    const { frees } = this.#parts.values
    for (const [node] of outcome[2]) if (!kept.some(([, process]) => process === node)) frees.tell(node, number)
  }

  #judge(number: ObjectNumber, maker: TaskNumber | undefined): LossReason | 'later' | undefined {
    const { objects, table, lineage, submit } = this.#parts
    const task = maker ?? objects.taskOf(number)
    const isItem = objects.isItem(number)
    if (maker === undefined && !isItem && !objects.isResult(task)) return 'put'
    const template = submit.templateOf(isItem ? number : task)
    // Its calls have no retries either; that is not why.
    if (submit.classAt(template.classIndex).of.kind === 'pinned') return 'pinned worker'
    if (template.maxRetries === 0) return 'retries disabled'
    if (maker === undefined && isItem) return this.#runs(task) ? 'later' : 'generator ended'
    if (table.at(task).retries[slotOf(task)] === 0) return 'attempts exceeded'
    const made = maker === undefined ? undefined : lineage.specOf(maker)?.made
    if (made === undefined) return 'lineage evicted'
    const isThere = (arg: ObjectNumber): boolean =>
      table.has(arg) && (lineage.state.makerOf(arg) !== undefined || this.#parts.isHeld(arg))
    return made.every(isThere) ? undefined : 'lineage evicted'
  }

  /** Whether a task has not settled. */
  #runs(task: TaskNumber): boolean {
    const { table } = this.#parts
    const state = table.has(task) ? table.at(task).state[slotOf(task)] : TaskState.none
    return state !== TaskState.none && state !== TaskState.settled
  }

  #reopen(number: ObjectNumber): void {
    const { objects } = this.#parts
    const outcome = objects.outcome(number)
    if (outcome === undefined) return
    this.#wanted.set(number, outcome.lost ?? '')
    objects.reopen(number)
  }

  #rerun(task: TaskNumber): void {
    const { events, lineage, objects } = this.#parts
    const spec = lineage.specOf(task)
    if (spec === undefined) return
    lineage.state.runs(task)
    if (events !== undefined) {
      const [number, reason] = [...this.#wanted].find(([wanted]) => objects.taskOf(wanted) === task) ?? [task, '']
      events.add('value lost', { n: task, key: this.#keyOf(number), reason })
    }
    this.#parts.rerun(task, spec)
  }

  #fail(number: ObjectNumber, reason: LossReason): void {
    this.#settleAgain(number, this.#failed(number, undefined, reason))
  }

  /** What is told instead of the value. An argument that could not be made again has said it already. */
  #failed(number: ObjectNumber, bytes: Uint8Array | undefined, reason: LossReason): Outcome {
    const { objects, access, submit } = this.#parts
    const cause: unknown = bytes === undefined ? undefined : access.decodeInline(bytes, () => {})
    if (bytes !== undefined && cause instanceof ObjectReconstructionFailedError) return ['error', bytes]
    const task = objects.taskOf(number)
    const why = cause instanceof OwnerDiedError ? 'owner died' : reason
    const how = this.#wanted.get(number) ?? ''
    const isItem = objects.isItem(number)
    // One that runs again may wait for a worker.
    const isMade = isItem || objects.isResult(task) || this.state.isRunning(task)
    const made = isMade ? submit.templateOf(isItem ? number : task) : undefined
    const error = reconstructionFailed(why, { key: this.#keyOf(number), how, task: made, cause })
    return ['error', compactError(error)]
  }

  #keyOf(number: ObjectNumber): string {
    return objectKey({ owner: this.#parts.host.self.process, number })
  }
}

/** Why a task that ran again ended without an answer; undefined where that is told as it is. */
export function lossReasonOf(failure: Failure): LossReason | undefined {
  switch (failure.kind) {
    case 'cancelled':
      return 'cancelled'
    case 'timeout':
      return 'task failed'
    case 'worker-crashed':
    case 'node-died':
      return 'attempts exceeded'
    case 'unschedulable':
    case 'setup':
      return 'unschedulable'
    case 'class-closed':
      return undefined
  }
}
