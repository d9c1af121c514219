/** What an owner keeps of each scheduling class: its queue, its leases, and what it has asked for. */
import type { NodeId } from '../base/ids.ts'
import type { ArgumentBytes } from '../protocol/messages.ts'
import type { LeaseRecord } from './lease-record.ts'
import { LocatedTasks } from './located-tasks.ts'
import { NumberQueue } from './number-queue.ts'
import type { Failure, SchedulingClass, SubmitOptions } from './submit-types.ts'

/** A lease request under way; `node` null is the home. */
export interface LeaseRequestRecord {
  readonly classIndex: number
  node: NodeId | null
  visited: NodeId[]
  readonly argumentBytes: ArgumentBytes | null
  /** Monotonic milliseconds. */
  readonly sinceMs: number
  /** Not asked now, but to be asked again at this time. */
  retryAtMs: number
}

/** One that the home is asked. */
export function newRequest(
  classIndex: number,
  argumentBytes: ArgumentBytes | null,
  sinceMs: number,
): LeaseRequestRecord {
  return { classIndex, node: null, visited: [], argumentBytes, sinceMs, retryAtMs: Number.POSITIVE_INFINITY }
}

export interface ClassRecord {
  readonly index: number
  readonly key: string
  readonly of: SchedulingClass
  readonly queue: NumberQueue
  /** Tasks in the queue that are really queued; cancelled ones leave a number behind that is skipped. */
  queued: number
  /** Those of the queued that are better off on some nodes than on others. */
  readonly located: LocatedTasks
  readonly leases: LeaseRecord[]
  /** Open leases with nothing to do. */
  readonly idle: Set<LeaseRecord>
  /** The one that became idle last, perhaps busy again: its worker is still awake, so it takes the next task soonest. */
  lastIdle: LeaseRecord | undefined
  readonly requests: Set<number>
  /** Requests of the burst of calls before waited in vain: there is no CPU for more leases, or was none. */
  asksInVain: boolean
  /** Nobody could take a task when last asked; cleared by whatever changes that. */
  saturated: boolean
  /** Asked again when so many are queued: portions are shares of what waits, and that may still be growing. */
  askAgainAt: number
  turn: number
  /** A pinned class ends with its worker. */
  closed: Failure | undefined
  /** That was told. */
  ended: boolean
}

export function newClassRecord(index: number, key: string, of: SchedulingClass): ClassRecord {
  return {
    ...{ index, key, of, queue: new NumberQueue(), queued: 0, located: new LocatedTasks(), leases: [] },
    ...{
      idle: new Set(),
      lastIdle: undefined,
      requests: new Set(),
      asksInVain: false,
      saturated: false,
      askAgainAt: 0,
      turn: 0,
    },
    ...{ closed: undefined, ended: false },
  }
}

/** Nobody could take a task: asked again when twice as many wait, here and at workers. */
export function saturate(record: ClassRecord): void {
  record.saturated = true
  record.askAgainAt = record.queued + unansweredOf(record)
}

/** Tasks that wait here, and those that workers have. */
export function unansweredOf({ queued, leases }: ClassRecord): number {
  return leases.reduce((sum, { count }) => sum + count, queued)
}

/** So many requests may wait at once however few leases there are. */
const leastRequests = 8
/** The same after a burst of calls whose requests waited in vain, until one is granted. */
const inVainRequests = 2
/** A request that has waited for so long was one in vain, in milliseconds: a worker may have been started for another one. */
const inVainMs = 100

/** Whether a request that is not needed any more, as nothing is queued, was one in vain. */
export function askedInVain({ sinceMs }: LeaseRequestRecord, nowMs: number): boolean {
  return nowMs - sinceMs > inVainMs
}

/**
 * Twice as many as there are leases: where there are CPUs, the leases double with each answer, and where there are none
 * few requests wait in vain, and fewer the next time. Where tasks are held back though there are leases with nothing to
 * do, one more than those can take, and not again and again.
 */
export function mostRequests(record: ClassRecord, { requestsPerClass }: SubmitOptions): number {
  const { queued, leases, located, asksInVain } = record
  if (located.size === 0 && asksInVain) return Math.min(requestsPerClass, inVainRequests)
  if (located.size === 0) return Math.min(requestsPerClass, Math.max(leastRequests, 2 * leases.length))
  const unused = leases.reduce((sum, { count }) => (count === 0 ? sum + 1 : sum), 0)
  return Math.min(requestsPerClass, Math.max(0, queued + 1 - unused))
}

/** Of a long queue: so many tasks for each lease. */
const manyForEach = 4

/** Whether far more are queued than workers could begin with soon: who waits here waits as long as at a worker. */
export function isLong({ queued, leases }: ClassRecord): boolean {
  return queued > manyForEach * leases.length
}

/**
 * After so long a running task keeps others waiting. While the queue is long these win little elsewhere, and a worker that
 * has nothing behind a long task waits for its owner afterwards, at a time when all CPUs work.
 */
export function lateMicros(record: ClassRecord, options: SubmitOptions): number {
  return isLong(record) ? options.overdueInQueueMicros : options.overdueMicros
}
