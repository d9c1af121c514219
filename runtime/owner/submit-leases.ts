/**
 * How leases come, serve and go, and what becomes of their tasks: the part of `SubmitState` that node managers and
 * links drive. The states of a lease are drawn in `lease-record.ts`, those of a task in `submit-state.ts`.
 */
import type { NodeId } from '../base/ids.ts'
import { sequenceBefore } from '../objects/claim-page.ts'
import type { ExitReport, RefusalCode } from '../protocol/messages.ts'
import type { ClassRecord } from './class-record.ts'
import type { LeaseRecord } from './lease-record.ts'
import { answersRestMicros, expectedMicrosOf } from './read-ahead.ts'
import { SubmitQueue } from './submit-queue.ts'
import type { Failure, Grant, WorkerFailure } from './submit-types.ts'
import { slotOf, TaskState } from './task-table.ts'

export class SubmitLeases extends SubmitQueue {
  /** Leases that have answered, of which several are told together. */
  #together: Set<LeaseRecord> | undefined

  /** Asks for the worker of a pinned class; its queue is served once it stands. */
  openPinned(classIndex: number): void {
    this.request(this.classAt(classIndex))
  }

  /** Ends a pinned class: its worker is given back after the running task, or ended now; what is queued fails. */
  closePinned(classIndex: number, reason: string, now: boolean): void {
    const record = this.classAt(classIndex)
    this.failQueued(record, { kind: 'class-closed', reason })
    record.closed ??= { kind: 'class-closed', reason }
    this.withdraw(record)
    for (const lease of [...record.leases]) {
      if (now) this.endWorker(lease, reason)
      else this.closeLease(lease)
    }
    if (record.leases.length === 0) this.classEnded(record, record.closed)
  }

  granted(requestId: number, grant: Grant): void {
    const request = this.forgetRequest(requestId)
    const record = request === undefined ? undefined : this.classAt(request.classIndex)
    if (record !== undefined) record.asksInVain = false
    if (record === undefined || (record.queued === 0 && record.of.kind === 'task')) this.effects.returnGrant(grant)
    else this.addLease(record, grant)
  }

  redirected(requestId: number, node: NodeId): void {
    const request = this.requests.get(requestId)
    if (request === undefined) return
    request.node = node
    // It may have been held for unanswered meanwhile: now it is asked, and must not be a second time.
    request.retryAtMs = Number.POSITIVE_INFINITY
    const { of } = this.classAt(request.classIndex)
    this.effects.requestLease(requestId, of, node, request.visited, request.argumentBytes)
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
      return this.deadlines.by(request.retryAtMs)
    }
    this.forgetRequest(requestId)
    const failure: Failure = code === 'infeasible' ? { kind: 'unschedulable', text } : { kind: 'setup', text }
    if (record.of.kind === 'pinned') record.closed = failure
    // Where a lease serves the class, what is queued waits for it. One whose task awaits may wait for just that queue.
    const serves = (lease: LeaseRecord): boolean =>
      lease.state === 'opening' || (lease.state === 'open' && !lease.blocked)
    if (!record.leases.some(serves)) this.failQueued(record, failure)
    this.withdraw(record)
    if (record.of.kind === 'pinned') this.classEnded(record, failure)
  }

  opened(index: number): void {
    const lease = this.leases.get(index)
    if (lease?.state !== 'opening') return
    lease.state = 'open'
    lease.idleSinceMs = this.clock.now()
    const record = this.classAt(lease.classIndex)
    this.refill(record, lease, lease.idleSinceMs)
    if (lease.count === 0) this.deadlines.by(this.leaseDueMs(lease))
  }

  /** Gives back what has nothing to do now: this process may not come to it for long. */
  returnIdle(): void {
    for (const lease of [...this.leases.values()]) {
      const record = this.classAt(lease.classIndex)
      if (lease.count === 0 && lease.state === 'open' && record.of.kind === 'task' && record.queued === 0)
        this.giveBack(lease)
    }
  }

  /** The node wants the lease back after the running task, or as soon as there is nothing for it to do. */
  reclaim(node: NodeId, leaseId: number, whenIdle: boolean): void {
    for (const lease of this.leases.values()) {
      if (lease.grant.leaseId !== leaseId || lease.grant.node !== node) continue
      if (this.classAt(lease.classIndex).of.kind !== 'task') continue
      if (!whenIdle) return this.closeLease(lease)
      lease.isWanted = true
      if (this.isSpare(lease, this.clock.now())) return this.giveBack(lease)
      return this.deadlines.by(this.leaseDueMs(lease))
    }
  }

  /** Nothing has come for it for as long as it is kept. */
  protected isSpare(lease: LeaseRecord, nowMs: number): boolean {
    const record = this.classAt(lease.classIndex)
    if (record.of.kind !== 'task' || record.queued > 0) return false
    return lease.count === 0 && lease.state === 'open' && nowMs >= lease.keptUntilMs(this.options)
  }

  /** The link to a leased worker is gone, or could not be made. */
  broken(index: number, reason: string): void {
    const lease = this.leases.get(index)
    if (lease === undefined || lease.state === 'ending') return
    this.endWorker(lease, `${reason}${this.#had(lease)}`)
  }

  /** What a lease has to do, in words: its node does not know of tasks, and may have to log that its worker is gone. */
  #had(lease: LeaseRecord): string {
    const [first, ...others] = lease.all().filter((sequence) => this.isAt(lease.task(sequence), lease, sequence))
    if (first === undefined) return ''
    const { name, startOf = `task ${name}` } = this.templateOf(lease.task(first))
    return `; it had ${startOf}${others.length === 0 ? '' : ` and ${others.length} more`}`
  }

  /** The node's word that the worker of a lease is dead, and what it had started. */
  workerEnded(index: number, exit: ExitReport, startedUpTo: number | null): void {
    const lease = this.leases.get(index)
    if (lease === undefined) return
    const node = lease.grant.node
    const upTo = startedUpTo === null ? null : sequenceBefore(lease.next, startedUpTo)
    this.lost(lease, upTo, (attempt) => ({ kind: 'worker-crashed', exit, node, attempt }))
  }

  /** A node is dead, and with it every lease there; nobody can say what had started. */
  nodeDead(node: NodeId, reason: string): void {
    for (const lease of [...this.leases.values()]) {
      if (lease.grant.node === node) this.lost(lease, null, (attempt) => ({ kind: 'node-died', node, reason, attempt }))
    }
    for (const [requestId, request] of this.requests) {
      if (request.node === node) this.refused(requestId, 'busy', reason)
    }
  }

  /** What those answers change is looked at once, behind the last of them: portions are shares of what is left by then. */
  together(tell: () => void): void {
    const answered = (this.#together = new Set<LeaseRecord>())
    try {
      tell()
    } finally {
      this.#together = undefined
    }
    for (const lease of answered) if (this.leases.get(lease.index) === lease) this.afterAnswer(lease)
    this.deadlines.notBefore(this.nextDueMs())
  }

  protected afterAnswer(lease: LeaseRecord, nowMs: number = this.clock.now()): void {
    if (this.#together !== undefined) return void this.#together.add(lease)
    const record = this.classAt(lease.classIndex)
    if (lease.state === 'closing' && lease.count === 0) {
      this.leave(lease)
      // What is queued may have counted on this lease alone, after a refusal.
      return this.request(record)
    }
    if (lease.state !== 'open') return
    if (lease.blocked) return
    this.refill(record, lease, nowMs)
    this.restOrWake(record, lease)
    if (lease.count === 0) this.deadlines.by(this.leaseDueMs(lease))
  }

  /**
   * A task took far longer than was expected of it when it was sent: so will what waits behind it, as far as it is of that
   * function. Where nothing is queued, workers without work, and leases that there may be, get half of it.
   */
  protected expectLonger(lease: LeaseRecord): void {
    const record = this.classAt(lease.classIndex)
    lease.expectAgain((number, sequence) =>
      this.isAt(number, lease, sequence) ? expectedMicrosOf(this.templateOf(number), this.options) : 0,
    )
    if (record.of.kind === 'pinned' || record.queued > 0 || lease.state !== 'open' || lease.recalling.size > 0) return
    if (lease.expectedMicros <= this.options.takeOverMicros) return
    this.recallHalf(lease)
    record.saturated = false
    this.pump(record)
  }

  /** None waits for which a timeout runs. */
  protected override restOrWake(record: ClassRecord, lease: LeaseRecord): void {
    const micros = this.headTimeoutMs(lease) === 0 ? answersRestMicros(record, lease, this.options) : 0
    if (micros > 0) {
      lease.restMicros = micros
      this.effects.rest?.(lease.index, micros)
    } else if (lease.restMicros > 0) this.#wake(lease)
  }

  #wake(lease: LeaseRecord): void {
    lease.restMicros = 0
    this.effects.wake?.(lease.index)
  }

  /** Stops pushing to a lease, takes back what has not started, and gives it back when the rest is answered. */
  protected closeLease(lease: LeaseRecord): void {
    if (lease.state === 'ending' || lease.state === 'closing') return
    lease.state = 'closing'
    this.classAt(lease.classIndex).idle.delete(lease)
    this.recallBehind(lease)
    // The next answer may be its last, for which somebody waits.
    if (lease.restMicros > 0) this.#wake(lease)
    const record = this.classAt(lease.classIndex)
    record.saturated = false
    this.pump(record)
    if (lease.count === 0) this.leave(lease)
  }

  /** A closing lease has no task any more. The worker of a pinned class ends with it, and its end is waited for. */
  protected leave(lease: LeaseRecord): void {
    if (this.classAt(lease.classIndex).of.kind === 'pinned') this.endWorker(lease, 'it is not needed any more')
    else this.giveBack(lease)
  }

  /** Gives a lease back whose tasks have all been answered. */
  protected giveBack(lease: LeaseRecord): void {
    this.dropLease(lease)
    this.effects.returnLease(lease.index, lease.grant, lease.endWorkerAtReturn)
  }

  protected endWorker(lease: LeaseRecord, reason: string): void {
    if (lease.state === 'ending') return
    lease.state = 'ending'
    lease.aborts.clear()
    this.classAt(lease.classIndex).idle.delete(lease)
    for (const sequence of lease.all()) {
      const number = lease.task(sequence)
      if (this.isAt(number, lease, sequence)) this.table.at(number).state[slotOf(number)] = TaskState.ending
    }
    this.effects.endWorker(lease.index, reason)
  }

  /** The worker of a lease is gone: unstarted tasks move, started ones are retried or fail. */
  protected lost(lease: LeaseRecord, startedUpTo: number | null, failure: (attempt: number) => WorkerFailure): void {
    const record = this.dropLease(lease)
    const moved: number[] = []
    for (const sequence of lease.all()) {
      const number = lease.task(sequence)
      if (!this.isAt(number, lease, sequence)) continue
      if (startedUpTo !== null && sequence > startedUpTo) moved.push(sequence)
      else if (record.closed !== undefined || !this.retry(number)) {
        this.end(number, failure(this.table.at(number).attempt[slotOf(number)] as number))
      }
    }
    this.requeue(lease, moved, 'returned')
    if (record.of.kind === 'pinned') {
      record.closed ??= { ...failure(0), unstarted: true }
      this.failQueued(record, record.closed)
      this.classEnded(record, failure(0))
    }
    record.saturated = false
    this.pump(record)
  }

  /** Queues a started task again, in front, if it has a retry left. */
  protected retry(number: number): boolean {
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

  protected failQueued(record: ClassRecord, failure: Failure): void {
    for (let number = record.queue.shift(); number !== undefined; number = record.queue.shift()) {
      if (this.isIn(number, TaskState.queued)) this.end(number, failure)
    }
    record.queued = 0
  }

  protected classEnded(record: ClassRecord, failure: Failure): void {
    if (record.ended) return
    record.ended = true
    this.effects.classEnded(record.index, failure)
  }

  protected withdraw(record: ClassRecord): void {
    for (const requestId of [...record.requests].reverse()) {
      const request = this.forgetRequest(requestId)
      if (request !== undefined) this.effects.cancelRequest(requestId, request.node)
    }
  }

  protected isIn(number: number, state: number): boolean {
    return this.table.page(number)?.state[slotOf(number)] === state
  }

  protected end(number: number, failure: Failure): void {
    this.forget(number)
    this.effects.fail(number, failure)
  }

  /** The task settles, wherever it is; who waits for it is the caller's. */
  protected forget(number: number): void {
    if (this.isIn(number, TaskState.queued)) {
      const record = this.classAt(this.templateOf(number).classIndex)
      record.queued--
      if (record.located.size > 0) record.located.delete(number)
      if (record.queued === 0) this.request(record)
    }
    this.settled(number)
  }

  protected settled(number: number): void {
    const page = this.table.at(number)
    page.state[slotOf(number)] = TaskState.settled
    this.unsettled--
  }
}
