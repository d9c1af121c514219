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
 * - One whose worker could not get its arguments waits for them again. One that has settled runs again (`rerun`) when a
 *   result of it was lost, as far as it has retries left.
 * - An answer counts only while the task stands at that lease under that sequence: late ones are `fenced`.
 * - Cancel beats retry and settles at once; the worker is told to abort, and ended when it goes on after the grace.
 *   Before a worker is ended for that, everything behind the task is recalled, so that nobody else is harmed.
 */
import { movingAverage } from '../base/moving-average.ts'
import type { Failed } from '../protocol/messages.ts'
import type { ClassRecord } from './class-record.ts'
import type { LeaseRecord } from './lease-record.ts'
import { SubmitLeases } from './submit-leases.ts'
import type { Failure, TaskTemplate } from './submit-types.ts'
import { slotOf, TaskState } from './task-table.ts'

/** What an answer of a worker means for its task. */
export type Verdict = { readonly number: number; readonly settle: boolean } | undefined

/** In less than that a task is never far longer than was expected of it, in microseconds. */
const farMicros = 500

function measured(template: TaskTemplate, micros: number): void {
  const { runMicros, deviationMicros } = template
  template.deviationMicros = runMicros < 0 ? micros : movingAverage(deviationMicros, Math.abs(micros - runMicros))
  template.runMicros = movingAverage(runMicros, micros)
}

export class SubmitState extends SubmitLeases {
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
    if (record.closed !== undefined) this.end(number, record.closed)
    else if (ready) this.ready(number)
  }

  /** All arguments are there. */
  ready(number: number): void {
    if (!this.isIn(number, TaskState.waiting)) return
    const record = this.classAt(this.templateOf(number).classIndex)
    if (record.closed !== undefined) return this.end(number, record.closed)
    this.enqueue(number, false)
    this.pump(record)
  }

  /**
   * A task that has settled is to run once more, for a result that was lost. That spends a retry, of which it must have
   * one; it settles a second time.
   */
  rerun(number: number, ready: boolean): void {
    const page = this.table.at(number)
    const slot = slotOf(number)
    const left = page.retries[slot] as number
    if (left > 0) page.retries[slot] = left - 1
    page.attempt[slot] = (page.attempt[slot] as number) + 1
    page.state[slot] = TaskState.waiting
    this.unsettled++
    this.effects.story(number, 'rebuilt', 0)
    if (ready) this.ready(number)
  }

  /** Values of its arguments are gone: it is to wait for them again. False when it is not queued. */
  unready(number: number): boolean {
    if (!this.isIn(number, TaskState.queued)) return false
    this.table.at(number).state[slotOf(number)] = TaskState.waiting
    const record = this.classAt(this.templateOf(number).classIndex)
    record.queued--
    if (record.located.size > 0) record.located.delete(number)
    if (record.queued === 0) this.request(record)
    return true
  }

  /** The caller settles the task itself, because an argument failed. Returns whether it had not settled. */
  drop(number: number): boolean {
    if (!this.isIn(number, TaskState.waiting)) return false
    this.settled(number)
    return true
  }

  /** A worker's answer. Returns the task that it settles, or -1 when the answer is stale. */
  done(index: number, sequence: number, runMicros: number): number {
    const nowMs = this.clock.now()
    const number = this.#answered(index, sequence, runMicros, nowMs)
    if (number >= 0) this.settled(number)
    const lease = this.leases.get(index)
    if (lease !== undefined) this.afterAnswer(lease, nowMs)
    return number
  }

  /** A worker's answer that is an error: retried when its kind and the options allow it. */
  failed(index: number, sequence: number, runMicros: number, origin: Failed[5]): Verdict {
    const nowMs = this.clock.now()
    const number = this.#answered(index, sequence, runMicros, nowMs)
    let settle = false
    if (number >= 0 && origin === 'arguments') this.#awaitAgain(number, index)
    else if (number >= 0) {
      const retried = origin === 'system' || (origin === 'user' && this.templateOf(number).retryExceptions)
      settle = !(retried && this.retry(number))
      if (settle) this.settled(number)
    }
    const lease = this.leases.get(index)
    if (lease !== undefined) this.afterAnswer(lease, nowMs)
    // A lease that is on its way back does not take it again.
    if (number >= 0 && !settle && origin !== 'arguments') this.pump(this.classAt(this.templateOf(number).classIndex))
    return number < 0 ? undefined : { number, settle }
  }

  /** The task that stands at a lease under a sequence; -1 where what comes under that is stale. */
  standing(index: number, sequence: number): number {
    const lease = this.leases.get(index)
    const number = lease?.task(sequence) ?? -1
    return lease !== undefined && number >= 0 && this.isAt(number, lease, sequence) ? number : -1
  }

  /** The worker gives tasks back that it did not start, or tells of one how far it has come (it was taken back before). */
  returned(index: number, sequences: readonly number[]): void {
    const lease = this.leases.get(index)
    if (lease === undefined) return
    for (const sequence of sequences) lease.pass(sequence)
    this.#cameBack(lease, sequences)
  }

  /** The node's answer to a recall that could not be done here: what it took of what was asked. */
  recalled(index: number, asked: readonly number[], taken: readonly number[]): void {
    const lease = this.leases.get(index)
    if (lease === undefined) return
    for (const sequence of asked) lease.recalling.delete(sequence)
    this.#cameBack(lease, taken)
  }

  #cameBack(lease: LeaseRecord, sequences: readonly number[]): void {
    this.requeue(lease, sequences, 'returned')
    const record = this.classAt(lease.classIndex)
    record.saturated = false
    this.pump(record)
    this.afterAnswer(lease)
  }

  blocked(index: number): void {
    const lease = this.leases.get(index)
    if (lease === undefined) return
    lease.blocked = true
    const record = this.classAt(lease.classIndex)
    record.idle.delete(lease)
    this.request(record)
  }

  resumed(index: number): void {
    const lease = this.leases.get(index)
    if (lease === undefined) return
    lease.blocked = false
    this.afterAnswer(lease)
  }

  /** A generator is held up by its consumer, or is no more: that is no run time of it. */
  paused(number: number, isPaused: boolean): void {
    const page = this.table.at(number)
    const lease = this.leases.get(page.lease[slotOf(number)] as number)
    if (lease === undefined || lease.task(lease.first) !== number) return
    const now = this.clock.now()
    if (isPaused) lease.headPausedAtMs ??= now
    else if (lease.headPausedAtMs !== undefined) {
      lease.headSinceMs += now - lease.headPausedAtMs
      lease.headPausedAtMs = undefined
      this.deadlines.by(this.leaseDueMs(lease))
    }
  }

  /**
   * Cancels a task that has not settled; it settles by this call. One that runs is told to abort and, when it goes
   * on, its worker is ended after the grace period, or at once with `force`.
   */
  cancel(number: number, reason: string, force: boolean, recursive: boolean): boolean {
    return this.#stop(number, { kind: 'cancelled', reason }, force, recursive)
  }

  /** Whether the worker of a pinned class would get one more such task at once, and that could be had back at any time. */
  takesAhead(template: TaskTemplate): boolean {
    const record = this.classAt(template.classIndex)
    const [lease] = record.leases
    if (lease === undefined || record.queued > 0) return false
    return this.takes(record, lease, template) && this.effects.recallsAtOnce?.(lease.index) !== false
  }

  /**
   * Settles a task that has not started, as if it had never been submitted: who waits for it is the caller's. False, and
   * nothing is done, when it has started, or when only its node could say.
   */
  takeBack(number: number): boolean {
    if (!this.table.has(number)) return false
    const page = this.table.at(number)
    const slot = slotOf(number)
    const state = page.state[slot]
    if (state === TaskState.none || state === TaskState.settled || state === TaskState.ending) return false
    const lease = state === TaskState.pushed ? this.leases.get(page.lease[slot] as number) : undefined
    if (lease !== undefined) {
      if (this.effects.recallsAtOnce?.(lease.index) === false) return false
      const sequence = page.sequence[slot] as number
      if (this.effects.recall(lease.index, [sequence])?.length !== 1) return false
      lease.remove(sequence, this.clock.now())
    }
    this.effects.story(number, 'cancelled', page.lease[slot] as number)
    this.forget(number)
    if (lease !== undefined) this.afterAnswer(lease)
    return true
  }

  /**
   * Raises the signal of a task that was pushed, and of those that it called: what it does about that is its own, and it
   * answers as any other. False when it is over, or at no worker.
   */
  raise(number: number): boolean {
    if (!this.isIn(number, TaskState.pushed)) return false
    const page = this.table.at(number)
    const lease = this.leases.get(page.lease[slotOf(number)] as number)
    if (lease === undefined || lease.state === 'ending') return false
    this.effects.abort(lease.index, page.sequence[slotOf(number)] as number, true)
    return true
  }

  /** Every task that has not settled fails, every lease is given back: the process leaves. */
  close(failure: Failure): void {
    for (const record of this.classes) {
      this.withdraw(record)
      record.closed = failure
    }
    for (const number of [...this.table.numbers()]) {
      const state = this.table.at(number).state[slotOf(number)]
      if (state !== TaskState.none && state !== TaskState.settled) this.end(number, failure)
    }
    for (const lease of [...this.leases.values()]) {
      lease.endWorkerAtReturn ||= lease.count > 0 || this.classAt(lease.classIndex).of.kind === 'pinned'
      this.giveBack(lease)
    }
    for (const record of this.classes) if (record.of.kind === 'pinned') this.classEnded(record, failure)
  }

  protected override tick(late: boolean): void {
    const now = this.clock.now()
    for (const [requestId, request] of this.requests) {
      if (request.retryAtMs > now) continue
      request.retryAtMs = Number.POSITIVE_INFINITY
      const { of } = this.classAt(request.classIndex)
      this.effects.requestLease(requestId, of, null, request.visited, request.argumentBytes)
      request.visited = []
    }
    const changed = new Set<ClassRecord>(this.holding)
    for (const lease of [...this.leases.values()]) {
      if (lease.state === 'ending' || lease.state === 'opening') continue
      if (this.isSpare(lease, now)) this.giveBack(lease)
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
    if (now >= (lease.aborts.get(lease.first) ?? Number.POSITIVE_INFINITY)) {
      this.recallBehind(lease)
      // With the claim page elsewhere the answer is awaited: what is behind may have started by now.
      if (lease.recalling.size === 0) this.endWorker(lease, 'a cancelled task went on after its grace period')
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
    this.end(number, failure)
    if (lease === undefined || lease.state === 'ending') return true
    const taken = lease.recalling.has(sequence) ? null : this.effects.recall(lease.index, [sequence])
    if (taken?.length === 1) {
      lease.remove(sequence, this.clock.now())
      this.afterAnswer(lease)
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
    lease.aborts.set(sequence, killAtMs)
    this.recallBehind(
      lease,
      lease.behind().filter((behind) => behind > sequence),
    )
    const record = this.classAt(lease.classIndex)
    record.saturated = false
    this.pump(record)
    if (force && sequence === lease.first && lease.recalling.size === 0) {
      this.endWorker(lease, 'a task was cancelled with force')
    } else this.deadlines.by(killAtMs)
  }

  /** Its worker could not get the values of its arguments, and did not run it: that spends no retry. */
  #awaitAgain(number: number, index: number): void {
    const page = this.table.at(number)
    page.state[slotOf(number)] = TaskState.waiting
    page.lease[slotOf(number)] = 0
    this.effects.story(number, 'returned', index)
  }

  #answered(index: number, sequence: number, runMicros: number, nowMs: number): number {
    const lease = this.leases.get(index)
    if (lease === undefined) return -1
    lease.pass(sequence)
    const expectedMicros = sequence === lease.first ? lease.headMicros : Number.POSITIVE_INFINITY
    const number = lease.remove(sequence, nowMs)
    lease.recalling.delete(sequence)
    if (number < 0 || !this.isAt(number, lease, sequence)) {
      if (number >= 0) this.effects.story(number, 'fenced', index)
      return -1
    }
    measured(this.templateOf(number), runMicros)
    if (runMicros > farMicros && runMicros > 2 * expectedMicros && lease.count > 1) this.expectLonger(lease)
    return number
  }
}
