/**
 * The state machine of an owner's tasks with everything that goes in and out written down (task-events.ts). It decides
 * nothing: each method is the one of the machine, or of its outside, with a line about it.
 */
import type { Clock } from '../base/clock.ts'
import type { NodeId } from '../base/ids.ts'
import { SubmitState } from './submit-state.ts'
import type { ExitReport } from '../protocol/messages.ts'
import type { Failure, Grant, SubmitEffects, SubmitOptions, TaskTemplate } from './submit-types.ts'
import type { TaskEvents } from './task-events.ts'
import type { TaskTable } from './task-table.ts'

type Origin = Parameters<SubmitState['failed']>[3]

export interface SubmitParts {
  readonly table: TaskTable
  readonly clock: Clock
  /** Where the instructions go. */
  readonly leasing: Required<SubmitEffects>
  readonly options: SubmitOptions
  /** Where it is written down; otherwise nothing of that is in the way of a task. */
  readonly events: TaskEvents | undefined
}

export function submitState({ table, clock, leasing, options, events }: SubmitParts): SubmitState {
  if (events === undefined) return new SubmitState(table, clock, leasing, options)
  return new RecordedSubmit(table, clock, recordedEffects(leasing, events), options).writingTo(events)
}

class RecordedSubmit extends SubmitState {
  #events!: TaskEvents
  #submitting = -1

  writingTo(events: TaskEvents): this {
    this.#events = events
    return this
  }

  override submit(number: number, template: TaskTemplate, ready: boolean): void {
    this.#events.add('queued', { n: number, name: template.name, ready })
    this.#submitting = number
    super.submit(number, template, ready)
    this.#submitting = -1
  }

  override ready(number: number): void {
    // One that is ready when it is submitted has said so.
    if (number !== this.#submitting) this.#events.add('ready', { n: number })
    super.ready(number)
  }

  override done(index: number, sequence: number, runMicros: number): number {
    const number = super.done(index, sequence, runMicros)
    if (number >= 0) this.#events.add('finished', { n: number, l: index, runMicros })
    return number
  }

  override failed(
    index: number,
    sequence: number,
    runMicros: number,
    origin: Origin,
  ): ReturnType<SubmitState['failed']> {
    const verdict = super.failed(index, sequence, runMicros, origin)
    if (verdict !== undefined)
      this.#events.add('threw', { n: verdict.number, l: index, runMicros, origin, settled: verdict.settle })
    return verdict
  }

  override blocked(index: number): void {
    this.#events.add('blocked', { l: index })
    super.blocked(index)
  }

  override resumed(index: number): void {
    this.#events.add('resumed', { l: index })
    super.resumed(index)
  }

  override reclaim(node: NodeId, leaseId: number, whenIdle: boolean): void {
    for (const lease of this.leases.values())
      if (lease.grant.node === node && lease.grant.leaseId === leaseId && !whenIdle)
        this.#events.add('reclaimed', { l: lease.index })
    super.reclaim(node, leaseId, whenIdle)
  }

  override broken(index: number, reason: string): void {
    if (this.leases.has(index)) this.#events.add('link broken', { l: index, reason })
    super.broken(index, reason)
  }

  override workerEnded(index: number, exit: ExitReport, startedUpTo: number | null): void {
    const [code, signal] = exit
    this.#events.add('worker ended', { l: index, code, signal, startedUpTo })
    super.workerEnded(index, exit, startedUpTo)
  }

  override nodeDead(node: NodeId, reason: string): void {
    for (const lease of this.leases.values())
      if (lease.grant.node === node) this.#events.add('node died', { l: lease.index, node, reason })
    super.nodeDead(node, reason)
  }
}

function recordedEffects(leasing: Required<SubmitEffects>, events: TaskEvents): Required<SubmitEffects> {
  return {
    requestLease(requestId, of, node, visited, argumentBytes) {
      events.add('lease asked', { request: requestId, resources: of.resources, kind: of.kind, node: node ?? 'home' })
      leasing.requestLease(requestId, of, node, visited, argumentBytes)
    },
    argumentBytes: (number) => leasing.argumentBytes(number),
    prefetch: (number, node) => leasing.prefetch(number, node),
    cancelRequest: (requestId, node) => leasing.cancelRequest(requestId, node),
    open(index, grant) {
      events.add('leased', { l: index, ...placeOf(grant) })
      leasing.open(index, grant)
    },
    push(index, sequence, number, template, attempt) {
      events.add('pushed', { n: number, l: index, sequence, attempt })
      leasing.push(index, sequence, number, template, attempt)
    },
    flush: (index) => leasing.flush(index),
    rest: (index, micros) => leasing.rest(index, micros),
    wake: (index) => leasing.wake(index),
    recall: (index, sequences) => leasing.recall(index, sequences),
    recallsAtOnce: (index) => leasing.recallsAtOnce(index),
    abort: (index, sequence, recursive) => leasing.abort(index, sequence, recursive),
    endWorker(index, reason) {
      events.add('worker is ended', { l: index, reason })
      leasing.endWorker(index, reason)
    },
    returnLease(index, grant, endWorker) {
      events.add('lease returned', { l: index, endWorker })
      leasing.returnLease(index, grant, endWorker)
    },
    returnGrant: (grant) => leasing.returnGrant(grant),
    fail(number, failure) {
      events.add('failed', { n: number, ...failureFields(failure) })
      leasing.fail(number, failure)
    },
    classEnded: (classIndex, how) => leasing.classEnded(classIndex, how),
    story(number, event, lease) {
      events.add(event, { n: number, l: lease })
      leasing.story(number, event, lease)
    },
  }
}

function placeOf({ node, worker, pid, epoch }: Grant): Readonly<Record<string, unknown>> {
  return { node, worker, pid, epoch }
}

function failureFields(failure: Failure): Readonly<Record<string, unknown>> {
  const { kind } = failure
  if (kind === 'worker-crashed') return { kind, node: failure.node, code: failure.exit[0], signal: failure.exit[1] }
  if (kind === 'node-died') return { kind, node: failure.node, reason: failure.reason }
  if (kind === 'timeout') return { kind, reason: `it ran longer than ${failure.timeoutMs} ms` }
  return { kind, reason: 'text' in failure ? failure.text : failure.reason }
}
