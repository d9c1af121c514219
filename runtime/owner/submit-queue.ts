/**
 * The queues of an owner, one per scheduling class, and how they meet leases: asking for leases while tasks wait,
 * pushing tasks to leased workers, giving idle leases back. Pure: time comes from a `Clock`, everything that touches
 * the outside is an instruction to `SubmitEffects`. What answers, failures and cancels do is in `submit-state.ts`.
 *
 * How many tasks may wait at a worker behind the running one follows the measured run time of their functions: up to
 * `pipelineMicros` of expected work, and none behind a task that was never measured. While the queue is long, one task
 * waits there even so, and several may (see `read-ahead.ts`): the worker goes on without waiting for its owner. What
 * waits behind is had back when its turn does not come: a worker without work takes it (see `#takeOver`), and so does
 * time, when the running task takes far longer than was expected (see `overdue`).
 */
import type { Clock } from '../base/clock.ts'
import type { NodeId } from '../base/ids.ts'
import {
  askedInVain,
  type ClassRecord,
  lateMicros,
  type LeaseRequestRecord,
  mostRequests,
  newClassRecord,
  newRequest,
  saturate,
} from './class-record.ts'
import { DeadlineTimer } from './deadline-timer.ts'
import { LeaseRecord } from './lease-record.ts'
import { expectedMicrosOf, hasLittle, longMicros, mostAhead, readsAhead, restsFromTasks } from './read-ahead.ts'
import type { Grant, SchedulingClass, SubmitEffects, SubmitOptions, TaskTemplate } from './submit-types.ts'
import { slotOf, TaskState, type TaskTable } from './task-table.ts'

/** Entries of a queue that are looked at for a worker that is better for a task than for those before it. */
const lookAhead = 64

/** Least time between two looks at what time changes, in milliseconds. */
const tickMs = 5

export class SubmitQueue {
  readonly table: TaskTable
  readonly clock: Clock
  readonly effects: SubmitEffects
  readonly options: SubmitOptions
  readonly classes: ClassRecord[] = []
  readonly templates: (TaskTemplate | undefined)[] = []
  readonly leases: Map<number, LeaseRecord> = new Map<number, LeaseRecord>()
  readonly requests: Map<number, LeaseRequestRecord> = new Map<number, LeaseRequestRecord>()
  /** Tasks that have not settled. */
  unsettled = 0
  /** Classes with tasks that are held back for a better node. */
  readonly holding: Set<ClassRecord> = new Set()
  #classByKey = new Map<string, number>()
  #nextRequest = 1
  #nextLease = 1
  protected readonly deadlines: DeadlineTimer

  constructor(table: TaskTable, clock: Clock, effects: SubmitEffects, options: SubmitOptions) {
    this.table = table
    this.clock = clock
    this.effects = effects
    this.options = options
    this.deadlines = new DeadlineTimer(clock, tickMs, (late) => {
      this.tick(late)
      return this.nextDueMs()
    })
  }

  /** The index of a class; equal `task` classes share one, a `pinned` class is always new. */
  defineClass(of: SchedulingClass): number {
    const key = JSON.stringify([of.resources, of.strategy, of.priority, of.environment])
    const known = of.kind === 'task' ? this.#classByKey.get(key) : undefined
    if (known !== undefined) return known
    const index = this.classes.length
    this.classes.push(newClassRecord(index, key, of))
    if (of.kind === 'task') this.#classByKey.set(key, index)
    return index
  }

  classAt(index: number): ClassRecord {
    return this.classes[index] as ClassRecord
  }

  templateOf(number: number): TaskTemplate {
    const template = this.templates[this.table.at(number).template[slotOf(number)] as number]
    if (template === undefined) throw new Error(`task ${number} has no template`)
    return template
  }

  /** Puts a task at the end of its class's queue, or in front when it was there before. */
  protected enqueue(number: number, front: boolean): void {
    const page = this.table.at(number)
    const slot = slotOf(number)
    page.state[slot] = TaskState.queued
    page.lease[slot] = 0
    const record = this.classAt(this.templateOf(number).classIndex)
    if (front) record.queue.unshift(number)
    else record.queue.push(number)
    if (++record.queued >= record.askAgainAt && record.located.size === 0) record.saturated = false
    const bytes = record.of.kind === 'task' ? (this.effects.argumentBytes?.(number) ?? null) : null
    if (bytes !== null) record.located.add(number, bytes, this.clock.now())
  }

  /** Hands queued tasks to leases that can take them, and asks for more leases while some wait. */
  protected pump(record: ClassRecord): void {
    if (record.located.size > 0) this.#pumpLocated(record)
    else if (this.holding.size > 0) this.holding.delete(record)
    while (record.queued > 0 && !record.saturated) {
      const lease = this.#taker(record)
      if (lease === undefined) saturate(record)
      else {
        this.#pushNext(record, lease)
        this.#sendAhead(record, lease)
      }
    }
    this.request(record)
  }

  /**
   * Long tasks that wait at a worker are written each time that there are twice as many: of a burst of calls the first may
   * have ended before their program has made the last. And many of them need not be answered one by one from the first on.
   */
  #sendAhead(record: ClassRecord, lease: LeaseRecord): void {
    const { count, next, restMicros, index } = lease
    if (count < 2 || (count & (count - 1)) !== 0) return
    if (this.templateOf(lease.task(next - 1)).runMicros <= longMicros) return
    if (count >= restsFromTasks && restMicros === 0) this.restOrWake(record, lease)
    this.effects.flush?.(index)
  }

  /** Decides whether the next answers of a lease may wait for each other. */
  protected restOrWake(_record: ClassRecord, _lease: LeaseRecord): void {
    // Overridden by SubmitLeases.
  }

  /** Fills one lease, whose worker has just answered: at that time, which is not asked for again at each task. */
  protected refill(record: ClassRecord, lease: LeaseRecord, now: number): void {
    record.saturated = false
    if (hasLittle(record, lease, this.options)) {
      if (record.queued === 0 && lease.count === 0) this.#takeOver(record, lease)
      if (record.located.size > 0) this.#pumpLocated(record)
      else
        while (record.queued > 0 && this.takes(record, lease, this.#headTemplate(record), now))
          this.#pushNext(record, lease, now)
    }
    if (lease.count === 0 && lease.state === 'open') {
      record.idle.add(lease)
      record.lastIdle = lease
    }
    if (record.queued > record.requests.size) this.request(record)
    else if (record.queued === 0 && record.requests.size > 0) this.#cancelRequests(record)
  }

  /** Asks for leases: one per waiting task, up to a bound; a pinned class asks for its one worker. */
  protected request(record: ClassRecord): void {
    if (record.closed !== undefined) return
    const pinned = record.of.kind === 'pinned'
    const wanted = pinned ? 1 - record.leases.length : Math.min(record.queued, mostRequests(record, this.options))
    while (record.requests.size < wanted) {
      const requestId = this.#nextRequest++
      const argumentBytes = record.located.bytesAt(record.requests.size)
      this.requests.set(requestId, newRequest(record.index, argumentBytes, this.clock.now()))
      record.requests.add(requestId)
      this.effects.requestLease(requestId, record.of, null, [], argumentBytes)
    }
    if (record.queued === 0 && !pinned && record.requests.size > 0) this.#cancelRequests(record)
  }

  protected forgetRequest(requestId: number): LeaseRequestRecord | undefined {
    const request = this.requests.get(requestId)
    if (request === undefined) return undefined
    this.requests.delete(requestId)
    this.classAt(request.classIndex).requests.delete(requestId)
    return request
  }

  protected addLease(record: ClassRecord, grant: Grant): LeaseRecord {
    const lease = new LeaseRecord(this.#nextLease++, record.index, grant)
    this.leases.set(lease.index, lease)
    record.leases.push(lease)
    this.effects.open(lease.index, grant)
    if (record.located.size > 0) this.#prefetch(record, grant.node)
    return lease
  }

  /** Takes a lease out of all tables; what becomes of its tasks and of its worker is the caller's. */
  protected dropLease(lease: LeaseRecord): ClassRecord {
    const record = this.classAt(lease.classIndex)
    this.leases.delete(lease.index)
    record.idle.delete(lease)
    if (record.lastIdle === lease) record.lastIdle = undefined
    const at = record.leases.indexOf(lease)
    if (at >= 0) record.leases.splice(at, 1)
    return record
  }

  /** Takes unstarted tasks back from a lease and queues them again, in front; the node's answer may come later. */
  protected recallBehind(lease: LeaseRecord, sequences: readonly number[] = lease.behind()): void {
    const asked = sequences.filter((sequence) => !lease.recalling.has(sequence))
    if (asked.length === 0) return
    const taken = this.effects.recall(lease.index, asked)
    if (taken === null) for (const sequence of asked) lease.recalling.add(sequence)
    else this.requeue(lease, taken, 'recalled')
  }

  /** Of what waits at a lease it keeps the first half, for others to take the rest. */
  protected recallHalf(lease: LeaseRecord): void {
    this.recallBehind(lease, lease.behind().slice((lease.count - 1) >> 1))
  }

  /** Unstarted tasks go back to the front of the queue in their order; that spends no retry. */
  protected requeue(lease: LeaseRecord, sequences: readonly number[], why: 'recalled' | 'returned'): void {
    const now = this.clock.now()
    for (let i = sequences.length - 1; i >= 0; i--) {
      const sequence = sequences[i] as number
      lease.recalling.delete(sequence)
      const number = lease.remove(sequence, now)
      if (number < 0 || !this.isAt(number, lease, sequence)) continue
      this.effects.story(number, why, lease.index)
      this.enqueue(number, true)
    }
  }

  /** Whether the task is (still) the one that was pushed to this lease under this sequence. */
  protected isAt(number: number, lease: LeaseRecord, sequence: number): boolean {
    if (!this.table.has(number)) return false
    const page = this.table.at(number)
    const slot = slotOf(number)
    if (page.state[slot] !== TaskState.pushed && page.state[slot] !== TaskState.ending) return false
    return page.lease[slot] === lease.index && page.sequence[slot] === sequence
  }

  /** Does what has become due; `late`: this process was busy itself. */
  protected tick(_late: boolean): void {
    // Overridden by SubmitState.
  }

  /** When time changes something next: monotonic milliseconds, or infinity. */
  protected nextDueMs(): number {
    let dueMs = this.holding.size > 0 ? this.clock.now() + tickMs : Number.POSITIVE_INFINITY
    for (const lease of this.leases.values()) dueMs = Math.min(dueMs, this.leaseDueMs(lease))
    for (const request of this.requests.values()) dueMs = Math.min(dueMs, request.retryAtMs)
    return dueMs
  }

  protected leaseDueMs(lease: LeaseRecord): number {
    if (lease.state === 'ending' || lease.state === 'opening') return Number.POSITIVE_INFINITY
    if (lease.count === 0) {
      const returns = lease.state === 'open' && this.classAt(lease.classIndex).of.kind === 'task'
      return returns ? lease.keptUntilMs(this.options) : Number.POSITIVE_INFINITY
    }
    const abortMs = Math.min(Number.POSITIVE_INFINITY, ...lease.aborts.values())
    const timeoutMs = this.headTimeoutMs(lease) || Number.POSITIVE_INFINITY
    const overdueMs = lease.count > 1 ? this.overdueMs(lease) : Number.POSITIVE_INFINITY
    return Math.min(abortMs, lease.headSinceMs + timeoutMs, overdueMs)
  }

  /** 0: it has none, or its time stands still. */
  protected headTimeoutMs(lease: LeaseRecord): number {
    if (lease.headPausedAtMs !== undefined) return 0
    const number = lease.task(lease.first)
    return number >= 0 && this.isAt(number, lease, lease.first) ? this.templateOf(number).timeoutMs : 0
  }

  /** From then on the first task there has run for longer than all of the pipeline, and twice itself, was to take. */
  protected overdueMs(lease: LeaseRecord): number {
    const leastMicros = lateMicros(this.classAt(lease.classIndex), this.options)
    // Its answer may be there, and not have been looked at.
    return lease.headSinceMs + (Math.max(leastMicros, 2 * lease.headMicros) + lease.restMicros) / 1000
  }

  protected overdue(lease: LeaseRecord, nowMs: number): boolean {
    return lease.count > 0 && nowMs > this.overdueMs(lease)
  }

  /** Nothing is queued, but this lease is idle: it gets half of what waits at the one with the most work ahead. */
  #takeOver(record: ClassRecord, lease: LeaseRecord): void {
    if (lease.state !== 'open' || lease.blocked || this.unsettled < record.leases.length - record.idle.size) return
    for (const most of mostAhead(record, this.clock.now(), this.options)) {
      this.recallHalf(most)
      // What was to be taken may have begun, where answers wait to be looked at.
      if (record.queued > 0 || most.recalling.size > 0) return
    }
  }

  /**
   * As `pump`, where tasks are better off on some nodes than on others: each of the first in the queue gets the best of
   * the leases that could take it, or is held back.
   */
  #pumpLocated(record: ClassRecord): void {
    const now = this.clock.now()
    let looked = 0
    let held = false
    for (const number of record.queue) {
      if (looked++ === lookAhead) break
      if (!this.#isQueued(number)) continue
      const template = this.templateOf(number)
      const takers = record.leases.filter((lease) => this.takes(record, lease, template))
      if (takers.length === 0) break
      const lease = record.located.choose(number, takers, now)
      held ||= lease === undefined
      if (lease === undefined) continue
      record.queued--
      // Its number stays in the queue until it is the first, and is skipped like that of a cancelled one.
      this.#pushTo(record, lease, number, now)
    }
    this.#peek(record)
    record.saturated = true
    if (!held) this.holding.delete(record)
    else {
      this.holding.add(record)
      this.deadlines.by(now + tickMs)
    }
  }

  /** While the link to a new lease is made, what its first task needs is on its way. */
  #prefetch(record: ClassRecord, node: NodeId): void {
    const number = record.located.firstFor(node)
    if (number !== undefined) this.effects.prefetch?.(number, node)
  }

  #pushNext(record: ClassRecord, lease: LeaseRecord, now: number = this.clock.now()): void {
    this.#pushTo(record, lease, this.#dequeue(record), now)
  }

  #pushTo(record: ClassRecord, lease: LeaseRecord, number: number, now: number): void {
    if (record.located.size > 0) record.located.delete(number)
    const template = this.templateOf(number)
    const page = this.table.at(number)
    const slot = slotOf(number)
    const sequence = lease.add(number, expectedMicrosOf(template, this.options), now, template.numReturns)
    page.state[slot] = TaskState.pushed
    page.lease[slot] = lease.index
    page.sequence[slot] = sequence
    record.idle.delete(lease)
    this.effects.push(lease.index, sequence, number, template, page.attempt[slot] as number)
    if (lease.count === 1 && template.runMicros > longMicros) this.effects.flush?.(lease.index)
    if (lease.count === 2) this.deadlines.by(this.overdueMs(lease))
    if (template.timeoutMs > 0) this.deadlines.by(lease.headSinceMs + template.timeoutMs)
  }

  #headTemplate(record: ClassRecord): TaskTemplate | undefined {
    const number = this.#peek(record)
    return number === undefined ? undefined : this.templateOf(number)
  }

  /** The lease that the next task goes to: an idle one, else the next in turn with room. */
  #taker(record: ClassRecord): LeaseRecord | undefined {
    const { idle, lastIdle } = record
    if (lastIdle !== undefined && idle.has(lastIdle) && this.takes(record, lastIdle, undefined)) return lastIdle
    for (const lease of idle) if (this.takes(record, lease, undefined)) return lease
    const template = this.#headTemplate(record)
    for (let i = 0; i < record.leases.length; i++) {
      const lease = record.leases[(record.turn + i) % record.leases.length] as LeaseRecord
      if (!this.takes(record, lease, template)) continue
      record.turn = (record.turn + i + 1) % record.leases.length
      return lease
    }
    return undefined
  }

  /** Whether a lease may get one more task of that function; an idle one may get any. */
  protected takes(record: ClassRecord, lease: LeaseRecord, template: TaskTemplate | undefined, now?: number): boolean {
    if (lease.state !== 'open' || lease.blocked || lease.aborts.size > 0 || lease.full) return false
    if (lease.count === 0) return true
    if (template === undefined || template.runMicros < 0 || template.timeoutMs > 0) return false
    if (lease.grant.pagePath === '' || lease.count >= this.options.pipelineTasks) return false
    const expectedMicros = lease.expectedMicros + expectedMicrosOf(template, this.options)
    if (expectedMicros > this.options.pipelineMicros && !this.#readsAhead(record, lease, template)) return false
    return !this.overdue(lease, now ?? this.clock.now())
  }

  #readsAhead(record: ClassRecord, lease: LeaseRecord, template: TaskTemplate): boolean {
    if (!readsAhead(record, lease, template, this.options)) return false
    const head = lease.task(lease.first)
    return this.isAt(head, lease, lease.first) && this.templateOf(head).runMicros >= 0
  }

  #peek(record: ClassRecord): number | undefined {
    for (;;) {
      const number = record.queue.peek()
      if (number === undefined || this.#isQueued(number)) return number
      record.queue.shift()
    }
  }

  #dequeue(record: ClassRecord): number {
    for (;;) {
      const number = record.queue.shift()
      if (number === undefined)
        throw new Error('invariant broken: a class counts queued tasks that are not in its queue')
      if (!this.#isQueued(number)) continue
      record.queued--
      return number
    }
  }

  #isQueued(number: number): boolean {
    return this.table.page(number)?.state[slotOf(number)] === TaskState.queued
  }

  /** Newest first: to the node, those are of no consequence while an older one waits. */
  #cancelRequests(record: ClassRecord): void {
    for (const requestId of [...record.requests].reverse()) {
      const request = this.forgetRequest(requestId)
      if (request !== undefined && askedInVain(request, this.clock.now())) record.asksInVain = true
      if (request !== undefined && request.retryAtMs === Number.POSITIVE_INFINITY)
        this.effects.cancelRequest(requestId, request.node)
    }
  }
}
