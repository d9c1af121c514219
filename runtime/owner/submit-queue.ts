/**
 * The queues of an owner, one per scheduling class, and how they meet leases: asking for leases while tasks wait,
 * pushing tasks to leased workers, giving idle leases back. Pure: time comes from a `Clock`, everything that touches
 * the outside is an instruction to `SubmitEffects`. What answers, failures and cancels do is in `submit-state.ts`.
 *
 * How many tasks may wait at a worker behind the running one follows the measured run time of their functions: never
 * more than `pipelineMicros` of expected work, and none behind a task that was never measured. Whoever waits behind a
 * task that takes longer than that is recalled (see `overdue`).
 */
import type { Clock } from '../base/clock.ts'
import type { NodeId } from '../base/ids.ts'
import { LeaseRecord } from './lease-record.ts'
import { NumberQueue } from './number-queue.ts'
import type { Failure, Grant, SchedulingClass, SubmitEffects, SubmitOptions, TaskTemplate } from './submit-types.ts'
import { slotOf, TaskState, type TaskTable } from './task-table.ts'

/** A lease request under way; `node` null is the home. */
export interface LeaseRequestRecord {
  readonly classIndex: number
  node: NodeId | null
  visited: NodeId[]
  /** Not asked now, but to be asked again at this time. */
  retryAtMs: number
}

export interface ClassRecord {
  readonly index: number
  readonly key: string
  readonly of: SchedulingClass
  readonly queue: NumberQueue
  /** Tasks in the queue that are really queued; cancelled ones leave a number behind that is skipped. */
  queued: number
  readonly leases: LeaseRecord[]
  /** Open leases with nothing to do. */
  readonly idle: Set<LeaseRecord>
  /** The one that became idle last, perhaps busy again: its worker is still awake, so it takes the next task soonest. */
  lastIdle: LeaseRecord | undefined
  readonly requests: Set<number>
  /** Nobody could take a task when last asked; cleared by whatever changes that. */
  saturated: boolean
  turn: number
  /** A pinned class ends with its worker. */
  closed: Failure | undefined
  /** That was told. */
  ended: boolean
}

/** What one task costs at the least, in microseconds: reading, claiming, answering. */
const overheadMicros = 5

/** Time between two looks at what time changes, in milliseconds. */
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
  #classByKey = new Map<string, number>()
  #nextRequest = 1
  #nextLease = 1
  #ticking = false
  #wasLate = false

  constructor(table: TaskTable, clock: Clock, effects: SubmitEffects, options: SubmitOptions) {
    this.table = table
    this.clock = clock
    this.effects = effects
    this.options = options
  }

  /** The index of a class; equal `task` classes share one, a `pinned` class is always new. */
  defineClass(of: SchedulingClass): number {
    const key = JSON.stringify([of.resources, of.strategy, of.priority, of.environment])
    const known = of.kind === 'task' ? this.#classByKey.get(key) : undefined
    if (known !== undefined) return known
    const index = this.classes.length
    this.classes.push({
      index,
      key,
      of,
      queue: new NumberQueue(),
      queued: 0,
      leases: [],
      idle: new Set(),
      lastIdle: undefined,
      requests: new Set(),
      saturated: false,
      turn: 0,
      closed: undefined,
      ended: false,
    })
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
    record.queued++
  }

  /** Hands queued tasks to leases that can take them, and asks for more leases while some wait. */
  protected pump(record: ClassRecord): void {
    while (record.queued > 0 && !record.saturated) {
      const lease = this.#taker(record)
      if (lease === undefined) record.saturated = true
      else this.#pushNext(record, lease)
    }
    this.request(record)
  }

  /** Fills one lease, whose worker has just answered. */
  protected refill(record: ClassRecord, lease: LeaseRecord): void {
    record.saturated = false
    // Not one for one: a worker that has half of its pipeline left is in no hurry, and many tasks share a frame.
    if (lease.count === 0 || lease.expectedMicros * 2 <= this.options.pipelineMicros) {
      while (record.queued > 0 && this.#takes(lease, this.#headTemplate(record))) this.#pushNext(record, lease)
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
    const wanted = pinned ? 1 - record.leases.length : Math.min(record.queued, this.options.requestsPerClass)
    while (record.requests.size < wanted) {
      const requestId = this.#nextRequest++
      this.requests.set(requestId, {
        classIndex: record.index,
        node: null,
        visited: [],
        retryAtMs: Number.POSITIVE_INFINITY,
      })
      record.requests.add(requestId)
      this.effects.requestLease(requestId, record.of, null, [])
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
    this.keepTicking()
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

  /** Gives a lease back whose tasks have all been answered. */
  protected giveBack(lease: LeaseRecord): void {
    this.dropLease(lease)
    this.effects.returnLease(lease.index, lease.grant, lease.endWorkerAtReturn)
  }

  /** Takes unstarted tasks back from a lease and queues them again, in front; the node's answer may come later. */
  protected recallBehind(lease: LeaseRecord, sequences: readonly number[] = lease.behind()): void {
    const asked = sequences.filter((sequence) => !lease.recalling.has(sequence))
    if (asked.length === 0) return
    const taken = this.effects.recall(lease.index, asked)
    if (taken === null) for (const sequence of asked) lease.recalling.add(sequence)
    else this.requeue(lease, taken, 'recalled')
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

  /** Called about every 5 ms while there is something that time can change. `late`: this process was busy itself. */
  protected tick(_late: boolean): void {
    // Overridden by SubmitState.
  }

  protected keepTicking(): void {
    if (this.#ticking) return
    this.#ticking = true
    const dueMs = this.clock.now() + tickMs
    this.clock.after(tickMs, () => {
      this.#ticking = false
      // Timers run before what has arrived is read: answers that are here already would look overdue.
      const late = this.clock.now() - dueMs > tickMs
      // Between two looks was a read: a process whose every turn is long looks at every second one.
      this.#wasLate = late && !this.#wasLate
      this.tick(this.#wasLate)
      if (this.needsTicks()) this.keepTicking()
    })
  }

  protected needsTicks(): boolean {
    for (const lease of this.leases.values()) {
      if (lease.count > 1 || lease.aborts.size > 0) return true
      if (lease.count === 1 && lease.state === 'open' && this.headTimeoutMs(lease) > 0) return true
      if (lease.count === 0 && lease.state === 'open' && this.classAt(lease.classIndex).of.kind === 'task') return true
    }
    for (const request of this.requests.values()) if (request.retryAtMs < Number.POSITIVE_INFINITY) return true
    return false
  }

  protected headTimeoutMs(lease: LeaseRecord): number {
    const number = lease.task(lease.first)
    return number >= 0 && this.isAt(number, lease, lease.first) ? this.templateOf(number).timeoutMs : 0
  }

  /** The first task there has run for longer than all of the pipeline was expected to take. */
  protected overdue(lease: LeaseRecord, nowMs: number): boolean {
    return lease.count > 0 && (nowMs - lease.headSinceMs) * 1000 > this.options.overdueMicros
  }

  #pushNext(record: ClassRecord, lease: LeaseRecord): void {
    const number = this.#dequeue(record)
    const template = this.templateOf(number)
    const page = this.table.at(number)
    const slot = slotOf(number)
    const runMicros = template.runMicros < 0 ? this.options.pipelineMicros : template.runMicros
    const sequence = lease.add(number, runMicros + overheadMicros, this.clock.now())
    page.state[slot] = TaskState.pushed
    page.lease[slot] = lease.index
    page.sequence[slot] = sequence
    record.idle.delete(lease)
    this.effects.push(lease.index, sequence, number, template, page.attempt[slot] as number)
    if (lease.count === 2 || template.timeoutMs > 0) this.keepTicking()
  }

  #headTemplate(record: ClassRecord): TaskTemplate | undefined {
    const number = this.#peek(record)
    return number === undefined ? undefined : this.templateOf(number)
  }

  /** The lease that the next task goes to: an idle one, else the next in turn with room. */
  #taker(record: ClassRecord): LeaseRecord | undefined {
    const { idle, lastIdle } = record
    if (lastIdle !== undefined && idle.has(lastIdle) && this.#takes(lastIdle, undefined)) return lastIdle
    for (const lease of idle) if (this.#takes(lease, undefined)) return lease
    const template = this.#headTemplate(record)
    for (let i = 0; i < record.leases.length; i++) {
      const lease = record.leases[(record.turn + i) % record.leases.length] as LeaseRecord
      if (!this.#takes(lease, template)) continue
      record.turn = (record.turn + i + 1) % record.leases.length
      return lease
    }
    return undefined
  }

  /** Whether a lease may get one more task of that function; an idle one may get any. */
  #takes(lease: LeaseRecord, template: TaskTemplate | undefined): boolean {
    if (lease.state !== 'open' || lease.blocked || lease.aborts.size > 0) return false
    if (lease.count === 0) return true
    if (template === undefined || template.runMicros < 0 || template.timeoutMs > 0) return false
    if (lease.grant.pagePath === '' || lease.count >= this.options.pipelineTasks || lease.full) return false
    if (lease.expectedMicros + template.runMicros + overheadMicros > this.options.pipelineMicros) return false
    return !this.overdue(lease, this.clock.now())
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

  #cancelRequests(record: ClassRecord): void {
    for (const requestId of record.requests) {
      const request = this.forgetRequest(requestId)
      if (request !== undefined && request.retryAtMs === Number.POSITIVE_INFINITY)
        this.effects.cancelRequest(requestId, request.node)
    }
  }
}
