/**
 * The life of a task, as its owner decides it: events come in, instructions go out to `SubmitEffects`.
 *
 *                 submit                ready                 push
 *     (none) --> 1 waiting ---------> 2 queued ------------> 3 pushed --- done/failed ---> 5 settled
 *                    |                  ^   |                  |   |                          ^
 *                    |                  |   |                  |   +-- link broken --> 4 ending
 *                    |                  +---|-- recalled, returned (spends no retry) --+   |  |
 *                    |                  +---|-- started, retries left (spends one) --------+  |
 *                    +------ cancel --------+------ cancel, timeout, retries spent -----------+
 *
 * What holds:
 * - A task settles once: whoever moves it to 5 is the only one to say so (`fail`, or the caller of `done`/`failed`).
 * - A task is pushed again only when its word on the claim page was recalled, its worker gave it back unstarted, the
 *   node says that the worker is dead and had not started it, or it has a retry left and its worker is dead.
 * - An answer counts only while the task stands at that lease under that sequence: late ones are `fenced`.
 * - Cancel beats retry and settles at once; the worker is told to abort, and ended when it goes on after the grace.
 *   Before a worker is ended for that, everything behind the task is recalled, so that nobody else is harmed.
 */
import type { NodeId } from '../base/ids.ts'
import type { ExitReport, RefusalCode } from '../protocol/messages.ts'
import { sequenceBefore } from '../objects/claim-page.ts'
import type { LeaseRecord } from './lease-record.ts'
import { type ClassRecord, SubmitQueue } from './submit-queue.ts'
import type { Failure, Grant, TaskTemplate } from './submit-types.ts'
import { slotOf, TaskState } from './task-table.ts'

/** What an answer of a worker means for its task. */
export type Verdict = { readonly number: number; readonly settle: boolean } | undefined

/** Weight of the newest run time in the moving average. */
const newest = 0.2

export class SubmitState extends SubmitQueue {
  /** A new task, whose number was taken from the table; `ready` when none of its arguments has to be waited for. */
  submit(number: number, template: TaskTemplate, ready: boolean): void {
    this.templates[template.number] = template
    const page = this.table.at(number)
    const slot = slotOf(number)
    page.template[slot] = template.number
    page.retries[slot] = template.maxRetries
    page.state[slot] = TaskState.waiting
    this.unsettled++
    const record = this.classAt(template.classIndex)
    if (record.closed !== undefined) this.#end(number, record.closed)
    else if (ready) this.ready(number)
  }

  /** All arguments are there. */
  ready(number: number): void {
    if (!this.#is(number, TaskState.waiting)) return
    const record = this.classAt(this.templateOf(number).classIndex)
    if (record.closed !== undefined) return this.#end(number, record.closed)
    this.enqueue(number, false)
    this.pump(record)
  }

  /** The caller settles the task itself, because an argument failed. Returns whether it had not settled. */
  drop(number: number): boolean {
    if (!this.#is(number, TaskState.waiting)) return false
    this.#settled(number)
    return true
  }

  /** Asks for the worker of a pinned class; its queue is served once it stands. */
  openPinned(classIndex: number): void {
    this.request(this.classAt(classIndex))
  }

  /** Ends a pinned class: its worker is given back after the running task, or ended now; what is queued fails. */
  closePinned(classIndex: number, reason: string, now: boolean): void {
    const record = this.classAt(classIndex)
    this.#failQueued(record, { kind: 'class-closed', reason })
    record.closed ??= { kind: 'class-closed', reason }
    this.#withdraw(record)
    for (const lease of [...record.leases]) {
      if (now) this.#endWorker(lease, reason)
      else this.#close(lease)
    }
    if (record.leases.length === 0) this.#classEnded(record, record.closed)
  }

  granted(requestId: number, grant: Grant): void {
    const request = this.forgetRequest(requestId)
    const record = request === undefined ? undefined : this.classAt(request.classIndex)
    if (record === undefined || (record.queued === 0 && record.of.kind === 'task')) this.effects.returnGrant(grant)
    else this.addLease(record, grant)
  }

  redirected(requestId: number, node: NodeId): void {
    const request = this.requests.get(requestId)
    if (request === undefined) return
    request.node = node
    this.effects.requestLease(requestId, this.classAt(request.classIndex).of, node, request.visited)
  }

  refused(requestId: number, code: RefusalCode, text: string): void {
    const request = this.requests.get(requestId)
    if (request === undefined) return
    const record = this.classAt(request.classIndex)
    if (code === 'busy' || code === 'draining') {
      if (request.node !== null) request.visited.push(request.node)
      // A node that was busy may be free by the time that everybody was asked.
      request.retryAtMs = this.clock.now() + (request.node === null ? this.options.busyRetryMs : 0)
      request.node = null
      return this.keepTicking()
    }
    this.forgetRequest(requestId)
    const failure: Failure = code === 'infeasible' ? { kind: 'unschedulable', text } : { kind: 'setup', text }
    if (record.of.kind === 'pinned') record.closed = failure
    if (record.leases.length === 0) this.#failQueued(record, failure)
    this.#withdraw(record)
    if (record.of.kind === 'pinned') this.#classEnded(record, failure)
  }

  opened(index: number): void {
    const lease = this.leases.get(index)
    if (lease?.state !== 'opening') return
    lease.state = 'open'
    lease.idleSinceMs = this.clock.now()
    const record = this.classAt(lease.classIndex)
    this.refill(record, lease)
    this.keepTicking()
  }

  /** A worker's answer. Returns the task that it settles, or -1 when the answer is stale. */
  done(index: number, sequence: number, runMicros: number): number {
    const number = this.#answered(index, sequence, runMicros)
    if (number >= 0) this.#settled(number)
    const lease = this.leases.get(index)
    if (lease !== undefined) this.#afterAnswer(lease)
    return number
  }

  /** A worker's answer that is an error: retried when its kind and the options allow it. */
  failed(
    index: number,
    sequence: number,
    runMicros: number,
    origin: 'user' | 'system' | 'cancelled' | 'timeout' | 'setup',
  ): Verdict {
    const number = this.#answered(index, sequence, runMicros)
    let settle = false
    if (number >= 0) {
      const retried = origin === 'system' || (origin === 'user' && this.templateOf(number).retryExceptions)
      settle = !(retried && this.#retry(number))
      if (settle) this.#settled(number)
    }
    const lease = this.leases.get(index)
    if (lease !== undefined) this.#afterAnswer(lease)
    return number < 0 ? undefined : { number, settle }
  }

  /** The worker gives tasks back that it did not start. */
  returned(index: number, sequences: readonly number[]): void {
    const lease = this.leases.get(index)
    if (lease === undefined) return
    this.requeue(lease, sequences, 'returned')
    const record = this.classAt(lease.classIndex)
    record.saturated = false
    this.pump(record)
    this.#afterAnswer(lease)
  }

  /** The node's answer to a recall that could not be done here: what it took of what was asked. */
  recalled(index: number, asked: readonly number[], taken: readonly number[]): void {
    const lease = this.leases.get(index)
    if (lease === undefined) return
    for (const sequence of asked) lease.recalling.delete(sequence)
    this.returned(index, taken)
  }

  blocked(index: number): void {
    const lease = this.leases.get(index)
    if (lease === undefined) return
    lease.blocked = true
    this.classAt(lease.classIndex).idle.delete(lease)
  }

  resumed(index: number): void {
    const lease = this.leases.get(index)
    if (lease === undefined) return
    lease.blocked = false
    this.#afterAnswer(lease)
  }

  /** Gives back what has nothing to do now: this process may not come to it for long. */
  returnIdle(): void {
    for (const lease of [...this.leases.values()]) {
      const record = this.classAt(lease.classIndex)
      if (lease.count === 0 && lease.state === 'open' && record.of.kind === 'task' && record.queued === 0)
        this.giveBack(lease)
    }
  }

  /** The node wants the lease back after the running task. */
  reclaim(node: NodeId, leaseId: number): void {
    for (const lease of this.leases.values()) {
      if (lease.grant.leaseId !== leaseId || lease.grant.node !== node) continue
      if (this.classAt(lease.classIndex).of.kind === 'task') return this.#close(lease)
    }
  }

  /**
   * Cancels a task that has not settled; it settles by this call. One that runs is told to abort and, when it goes
   * on, its worker is ended after the grace period, or at once with `force`.
   */
  cancel(number: number, reason: string, force: boolean, recursive: boolean): boolean {
    return this.#stop(number, { kind: 'cancelled', reason }, force, recursive)
  }

  /** The link to a leased worker is gone, or could not be made. */
  broken(index: number, reason: string): void {
    const lease = this.leases.get(index)
    if (lease === undefined || lease.state === 'ending') return
    this.#endWorker(lease, reason)
  }

  /** The node's word that the worker of a lease is dead, and what it had started. */
  workerEnded(index: number, exit: ExitReport, startedUpTo: number | null): void {
    const lease = this.leases.get(index)
    if (lease === undefined) return
    const node = lease.grant.node
    const upTo = startedUpTo === null ? null : sequenceBefore(lease.next, startedUpTo)
    this.#lost(lease, upTo, (attempt) => ({ kind: 'worker-crashed', exit, node, attempt }))
  }

  /** A node is dead, and with it every lease there; nobody can say what had started. */
  nodeDead(node: NodeId, reason: string): void {
    for (const lease of [...this.leases.values()]) {
      if (lease.grant.node === node)
        this.#lost(lease, null, (attempt) => ({ kind: 'node-died', node, reason, attempt }))
    }
    for (const [requestId, request] of this.requests) {
      if (request.node === node) this.refused(requestId, 'busy', reason)
    }
  }

  /** Every task that has not settled fails, every lease is given back: the process leaves. */
  close(failure: Failure): void {
    for (const record of this.classes) {
      this.#withdraw(record)
      record.closed = failure
    }
    for (const number of [...this.table.numbers()]) {
      const state = this.table.at(number).state[slotOf(number)]
      if (state !== TaskState.none && state !== TaskState.settled) this.#end(number, failure)
    }
    for (const lease of [...this.leases.values()]) {
      lease.endWorkerAtReturn ||= lease.count > 0 || this.classAt(lease.classIndex).of.kind === 'pinned'
      this.giveBack(lease)
    }
    for (const record of this.classes) if (record.of.kind === 'pinned') this.#classEnded(record, failure)
  }

  protected override tick(late: boolean): void {
    const now = this.clock.now()
    for (const [requestId, request] of this.requests) {
      if (request.retryAtMs > now) continue
      request.retryAtMs = Number.POSITIVE_INFINITY
      this.effects.requestLease(requestId, this.classAt(request.classIndex).of, null, request.visited)
      request.visited = []
    }
    const changed = new Set<ClassRecord>()
    for (const lease of [...this.leases.values()]) {
      if (lease.state === 'ending' || lease.state === 'opening') continue
      const record = this.classAt(lease.classIndex)
      const idle = lease.count === 0 && now - lease.idleSinceMs >= this.options.idleLeaseMs
      if (idle && record.of.kind === 'task' && record.queued === 0) this.giveBack(lease)
      else if (lease.count > 0 && !late) this.#watch(lease, now, changed)
    }
    for (const record of changed) {
      record.saturated = false
      this.pump(record)
    }
  }

  /** What time does to a lease that has work. */
  #watch(lease: LeaseRecord, now: number, changed: Set<ClassRecord>): void {
    const timeoutMs = this.headTimeoutMs(lease)
    if (timeoutMs > 0 && now - lease.headSinceMs >= timeoutMs) {
      this.#stop(lease.task(lease.first), { kind: 'timeout', timeoutMs }, false, true)
    }
    if (now >= lease.killAtMs && lease.abortSequence === lease.first) {
      this.recallBehind(lease)
      // With the claim page elsewhere the answer is awaited: what is behind may have started by now.
      if (lease.recalling.size === 0) this.#endWorker(lease, 'a cancelled task went on after its grace period')
      changed.add(this.classAt(lease.classIndex))
    } else if (lease.count > 1 && this.overdue(lease, now)) {
      this.recallBehind(lease)
      changed.add(this.classAt(lease.classIndex))
    }
  }

  #stop(number: number, failure: Failure, force: boolean, recursive: boolean): boolean {
    if (!this.table.has(number)) return false
    const page = this.table.at(number)
    const slot = slotOf(number)
    const state = page.state[slot]
    if (state === TaskState.none || state === TaskState.settled) return false
    this.effects.story(number, failure.kind === 'timeout' ? 'timed out' : 'cancelled', page.lease[slot] as number)
    const lease = state === TaskState.pushed ? this.leases.get(page.lease[slot] as number) : undefined
    const sequence = page.sequence[slot] as number
    this.#end(number, failure)
    if (lease === undefined || lease.state === 'ending') return true
    const taken = lease.recalling.has(sequence) ? null : this.effects.recall(lease.index, [sequence])
    if (taken?.length === 1) {
      lease.remove(sequence, this.clock.now())
      this.#afterAnswer(lease)
      return true
    }
    this.effects.abort(lease.index, sequence, recursive)
    if (taken === null) lease.recalling.add(sequence)
    this.#abortAt(lease, sequence, force)
    return true
  }

  /** Nothing more goes to the lease until the aborted task has answered, or its worker has been ended. */
  #abortAt(lease: LeaseRecord, sequence: number, force: boolean): void {
    const killAtMs = this.clock.now() + (force ? 0 : this.options.cancelGraceMs)
    if (lease.abortSequence < 0 || sequence < lease.abortSequence) lease.abortSequence = sequence
    lease.killAtMs = Math.min(lease.killAtMs, killAtMs)
    this.recallBehind(
      lease,
      lease.behind().filter((behind) => behind > sequence),
    )
    const record = this.classAt(lease.classIndex)
    record.saturated = false
    this.pump(record)
    if (force && lease.abortSequence === lease.first && lease.recalling.size === 0) {
      this.#endWorker(lease, 'a task was cancelled with force')
    } else this.keepTicking()
  }

  #answered(index: number, sequence: number, runMicros: number): number {
    const lease = this.leases.get(index)
    if (lease === undefined) return -1
    const number = lease.remove(sequence, this.clock.now())
    lease.recalling.delete(sequence)
    if (lease.abortSequence === sequence) {
      lease.abortSequence = -1
      lease.killAtMs = Number.POSITIVE_INFINITY
    }
    if (number < 0 || !this.isAt(number, lease, sequence)) {
      if (number >= 0) this.effects.story(number, 'fenced', index)
      return -1
    }
    const template = this.templateOf(number)
    template.runMicros =
      template.runMicros < 0 ? runMicros : template.runMicros + (runMicros - template.runMicros) * newest
    return number
  }

  #afterAnswer(lease: LeaseRecord): void {
    if (lease.state === 'closing' && lease.count === 0) return this.#leave(lease)
    if (lease.state !== 'open') return
    const record = this.classAt(lease.classIndex)
    if (lease.blocked) return
    this.refill(record, lease)
    if (lease.count === 0) this.keepTicking()
  }

  /** Stops pushing to a lease, takes back what has not started, and gives it back when the rest is answered. */
  #close(lease: LeaseRecord): void {
    if (lease.state === 'ending' || lease.state === 'closing') return
    lease.state = 'closing'
    this.classAt(lease.classIndex).idle.delete(lease)
    this.recallBehind(lease)
    const record = this.classAt(lease.classIndex)
    record.saturated = false
    this.pump(record)
    if (lease.count === 0) this.#leave(lease)
  }

  /** A closing lease has no task any more. The worker of a pinned class ends with it, and its end is waited for. */
  #leave(lease: LeaseRecord): void {
    if (this.classAt(lease.classIndex).of.kind === 'pinned') this.#endWorker(lease, 'it is not needed any more')
    else this.giveBack(lease)
  }

  #endWorker(lease: LeaseRecord, reason: string): void {
    if (lease.state === 'ending') return
    lease.state = 'ending'
    lease.killAtMs = Number.POSITIVE_INFINITY
    this.classAt(lease.classIndex).idle.delete(lease)
    for (const sequence of lease.all()) {
      const number = lease.task(sequence)
      if (this.isAt(number, lease, sequence)) this.table.at(number).state[slotOf(number)] = TaskState.ending
    }
    this.effects.endWorker(lease.index, reason)
  }

  /** The worker of a lease is gone: unstarted tasks move, started ones are retried or fail. */
  #lost(lease: LeaseRecord, startedUpTo: number | null, failure: (attempt: number) => Failure): void {
    const record = this.dropLease(lease)
    const moved: number[] = []
    for (const sequence of lease.all()) {
      const number = lease.task(sequence)
      if (!this.isAt(number, lease, sequence)) continue
      if (startedUpTo !== null && sequence > startedUpTo) moved.push(sequence)
      else if (record.closed !== undefined || !this.#retry(number)) {
        this.#end(number, failure(this.table.at(number).attempt[slotOf(number)] as number))
      }
    }
    this.requeue(lease, moved, 'returned')
    if (record.of.kind === 'pinned') {
      record.closed ??= failure(0)
      this.#failQueued(record, record.closed)
      this.#classEnded(record, failure(0))
    }
    record.saturated = false
    this.pump(record)
  }

  /** Queues a started task again, in front, if it has a retry left. */
  #retry(number: number): boolean {
    const page = this.table.at(number)
    const slot = slotOf(number)
    const left = page.retries[slot] as number
    if (left === 0 || this.classAt(this.templateOf(number).classIndex).closed !== undefined) return false
    if (left > 0) page.retries[slot] = left - 1
    page.attempt[slot] = (page.attempt[slot] as number) + 1
    this.effects.story(number, 'retried', page.lease[slot] as number)
    this.enqueue(number, true)
    return true
  }

  #failQueued(record: ClassRecord, failure: Failure): void {
    for (let number = record.queue.shift(); number !== undefined; number = record.queue.shift()) {
      if (this.#is(number, TaskState.queued)) this.#end(number, failure)
    }
    record.queued = 0
  }

  #classEnded(record: ClassRecord, failure: Failure): void {
    if (record.ended) return
    record.ended = true
    this.effects.classEnded(record.index, failure)
  }

  #withdraw(record: ClassRecord): void {
    for (const requestId of [...record.requests]) {
      const request = this.forgetRequest(requestId)
      if (request !== undefined) this.effects.cancelRequest(requestId, request.node)
    }
  }

  #is(number: number, state: number): boolean {
    return this.table.page(number)?.state[slotOf(number)] === state
  }

  #end(number: number, failure: Failure): void {
    if (this.#is(number, TaskState.queued)) {
      const record = this.classAt(this.templateOf(number).classIndex)
      record.queued--
      if (record.queued === 0) this.request(record)
    }
    this.#settled(number)
    this.effects.fail(number, failure)
  }

  #settled(number: number): void {
    const page = this.table.at(number)
    page.state[slotOf(number)] = TaskState.settled
    this.unsettled--
  }
}
