/** The words that the owner's submission is written in: classes, templates, leases, and what it asks of the outside. */
import type { NodeId, ProcessId } from '../base/ids.ts'
import type { ArgumentBytes, ExitReport, LeaseKind, ResourceUnits } from '../protocol/messages.ts'

/** Tasks that may share leases: same kind, resources, strategy, priority and environment. */
export interface SchedulingClass {
  readonly kind: LeaseKind
  readonly resources: ResourceUnits
  readonly strategy: readonly unknown[] | null
  readonly priority: number
  readonly environment: string
}

/** What all calls of one function with one set of options share. */
export interface TaskTemplate {
  readonly number: number
  readonly name: string
  /** Whose worker it starts, in words: errors tell of that, and not of a task that nobody wrote. */
  readonly startOf?: string
  readonly classIndex: number
  /** System failures that are repaired by running again; -1 is without end. */
  readonly maxRetries: number
  /** Whether what user code threw is retried too. */
  readonly retryExceptions: boolean
  /** Run time that one attempt may take, in milliseconds; 0 is no limit. */
  readonly timeoutMs: number
  readonly numReturns: number
  /** Its items are objects of their own (generators.ts); the one result is what it returns in the end. */
  readonly generates?: boolean
  /** Nobody may tell that it ran elsewhere. */
  readonly isExact?: boolean
  /** Measured run time, a moving average in microseconds; -1 before the first. */
  runMicros: number
  /** How far from it the measured ones lie, a moving average, too; as far as itself at first. */
  deviationMicros: number
}

/** A task ended with its worker. */
export type WorkerFailure = {
  readonly node: NodeId
  readonly attempt: number
  /** It was to run on that worker alone, and had not begun. */
  readonly unstarted?: true
} & (
  | { readonly kind: 'worker-crashed'; readonly exit: ExitReport }
  | { readonly kind: 'node-died'; readonly reason: string }
)

/** Why a task ended without an answer of its own. */
export type Failure =
  | { readonly kind: 'cancelled'; readonly reason: string }
  | { readonly kind: 'timeout'; readonly timeoutMs: number }
  | WorkerFailure
  | { readonly kind: 'unschedulable'; readonly text: string }
  | { readonly kind: 'setup'; readonly text: string }
  /** `left`: with everything else of this process, which leaves; `by`: what ended it all. */
  | { readonly kind: 'class-closed'; readonly reason: string; readonly left?: boolean; readonly by?: Error }

/** A lease as granted, before it is opened. */
export interface Grant {
  readonly leaseId: number
  readonly epoch: number
  readonly node: NodeId
  readonly worker: ProcessId
  readonly socketPath: string
  readonly pagePath: string
  readonly pid: number
}

/**
 * What the state machine asks of the outside. Each is an instruction: it returns at once, and its outcome comes back
 * as an event. `index` names a lease of this owner.
 */
export interface SubmitEffects {
  /** Ask `node` (null: the home) for a lease. Answers: `granted`, `redirected`, `refused`. */
  requestLease(
    requestId: number,
    of: SchedulingClass,
    node: NodeId | null,
    visited: readonly NodeId[],
    argumentBytes: ArgumentBytes | null,
  ): void
  /** Where the large arguments of a task lie; null for a task without any. Absent: no task has any. */
  argumentBytes?(number: number): ArgumentBytes | null
  cancelRequest(requestId: number, node: NodeId | null): void
  /** That task is likely to run at this node soon: what it needs may be brought there. Absent: nothing is. */
  prefetch?(number: number, node: NodeId): void
  /** Link to the worker of a granted lease. Answers: `opened` or `broken`. */
  open(index: number, grant: Grant): void
  push(index: number, sequence: number, number: number, template: TaskTemplate, attempt: number): void
  /** Write what was pushed to a lease now, not at the end of this turn. Absent: that makes no difference. */
  flush?(index: number): void
  /** The next answers of a lease may wait for so many microseconds, as its worker has work for longer. */
  rest?(index: number, micros: number): void
  /** They may not any more. Both absent: that makes no difference. */
  wake?(index: number): void
  /**
   * Take unstarted tasks back. Returns those taken where the claim page is mapped here; null where the worker's node
   * has to be asked, which answers by `recalled`.
   */
  recall(index: number, sequences: readonly number[]): readonly number[] | null
  /** Whether `recall` answers for a lease at once. Absent: it does. */
  recallsAtOnce?(index: number): boolean
  abort(index: number, sequence: number, recursive: boolean): void
  /** Have the worker of the lease ended. Answer: `workerEnded`, or `nodeDead`. */
  endWorker(index: number, reason: string): void
  /** The lease is over: give it back and forget its link. */
  returnLease(index: number, grant: Grant, endWorker: boolean): void
  /** A grant that nobody waits for any more. */
  returnGrant(grant: Grant): void
  /** The task ends here, by a failure that no retry repairs. Called once. */
  fail(number: number, failure: Failure): void
  /** A pinned class is over: its worker is gone, or never came. Called once per class. */
  classEnded(classIndex: number, how: Failure): void
  /** For the story of a task, its log and its counters; decides nothing. */
  story(number: number, event: StoryEvent, lease: number): void
}

export type StoryEvent =
  'queued' | 'pushed' | 'recalled' | 'returned' | 'retried' | 'rebuilt' | 'fenced' | 'cancelled' | 'timed out'

export interface SubmitOptions {
  /** Expected work that may wait at a worker behind the running task, in microseconds. */
  readonly pipelineMicros: number
  /** While many wait, one task of at most this run time waits behind the running one in any case, in microseconds. */
  readonly readAheadMicros: number
  /** While the queue is long: so many tasks at one worker, of this run time in all, at the most. See `read-ahead.ts`. */
  readonly longQueueTasks: number
  readonly longQueueMicros: number
  /** Such a worker gets its next tasks, all at once, when it has no more than this ahead of it; microseconds. */
  readonly longQueueLeastMicros: number
  /** So long answers may wait for each other while many tasks wait; microseconds. See `answer-looks.ts`. */
  readonly answerLookMicros: number
  /** The longer the rest of the queue still takes, the longer that is (see `answersRestMicros`), up to this; microseconds. */
  readonly mostAnswerLookMicros: number
  /** Whoever waits behind a task that has run for longer, and for twice its own time, is taken back; microseconds. */
  readonly overdueMicros: number
  /** The same while far more are queued than there are workers: each of them would be as late elsewhere. */
  readonly overdueInQueueMicros: number
  /** A worker without work takes over from one that has more than this ahead of it, in microseconds. */
  readonly takeOverMicros: number
  /** Tasks at one worker at the most. The claim page has four times as many words. */
  readonly pipelineTasks: number
  /** A lease without work is given back after this, in milliseconds. */
  readonly idleLeaseMs: number
  /** The same for one that somebody else waits for: longer than a program takes from an answer to its next call. */
  readonly wantedLeaseMs: number
  /** A cancelled task that runs on has this long before its worker is ended, in milliseconds. */
  readonly cancelGraceMs: number
  /** Lease requests of one class that may wait at once. */
  readonly requestsPerClass: number
  /** After 'busy' everywhere, the home is asked again after this, in milliseconds. */
  readonly busyRetryMs: number
}

export const defaultSubmitOptions: SubmitOptions = {
  pipelineMicros: 2_000,
  readAheadMicros: 100_000,
  longQueueTasks: 64,
  longQueueMicros: 200_000,
  longQueueLeastMicros: 48_000,
  answerLookMicros: 16_000,
  mostAnswerLookMicros: 64_000,
  overdueMicros: 10_000,
  overdueInQueueMicros: 50_000,
  takeOverMicros: 1_000,
  pipelineTasks: 256,
  idleLeaseMs: 100,
  wantedLeaseMs: 10,
  cancelGraceMs: 5_000,
  requestsPerClass: 64,
  busyRetryMs: 20,
}
