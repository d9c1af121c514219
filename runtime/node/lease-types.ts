/** What the lease machine of a node keeps and says: requests, leases, workers, its options and its instructions. */
import type { Clock } from '../base/clock.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import type { ArgumentBytes, LeaseKind, NodeRow, RefusalCode, ResourceUnits } from '../protocol/messages.ts'

/**
 * One link of an owner: what grants belong to. A process that comes back over a new link is a new owner, since
 * everything it had was ended with the old one.
 */
export type OwnerKey = string

/** What an owner asks for; the fields of the `leaseRequest` message. */
export interface LeaseAsk {
  readonly requestId: number
  readonly job: ProcessId
  readonly kind: LeaseKind
  readonly resources: ResourceUnits
  readonly strategy: readonly unknown[] | null
  readonly priority: number
  readonly environment: string
  readonly visited: readonly NodeId[]
  readonly argumentBytes?: ArgumentBytes | null
}

/** A request that waits. In state `allocated` it holds resources under `lease` and waits for a process only. */
export interface WaitingRequest extends LeaseAsk {
  readonly owner: OwnerKey
  readonly process: ProcessId
  /** Order of arrival at this node, or of its return to the end of the queue. */
  sequence: number
  waitsSinceMs: number
  /** When it came, its class had no leases and waited for none, and it has had no turn since. */
  isFirst: boolean
  /** Owner, kind, resources, priority and environment: what the owner would use one lease of as well as another. */
  readonly classKey: string
  /** This node answers for it: it may redirect it, and it queues it when nobody is free. */
  readonly home: boolean
  /** Nodes left out until the next view. */
  visitedNow: readonly NodeId[]
  /** Whether the policy lets it run here at all; false also where this node is too small. */
  readonly mayRunHere: boolean
  /** The view has been consulted for it and nothing has changed since. */
  placed: boolean
  /** Leases were asked back for it: what comes free is kept for it. */
  awaitsReturns: boolean
  /** The lease id under which it holds resources, or 0. */
  lease: number
  /** Since when no node of the view could ever run it. */
  infeasibleSinceMs: number | undefined
  /** Somebody has been told of that, of this one or of others that ask for the same. */
  infeasibleTold: boolean
}

/**
 * `ending`: returned, or its owner is gone; it keeps its resources until the process is gone.
 */
export interface Lease {
  readonly id: number
  readonly owner: OwnerKey
  readonly process: ProcessId
  readonly requestId: number
  readonly job: ProcessId
  readonly kind: LeaseKind
  readonly resources: ResourceUnits
  readonly priority: number
  readonly classKey: string
  readonly worker: ProcessId
  readonly epoch: number
  readonly grantedAtMs: number
  state: 'granted' | 'reclaiming' | 'ending'
  /** It was asked for in case that it is idle. */
  wanted: boolean
  blocked: boolean
}

export type WorkerState = 'starting' | 'idle' | 'leased' | 'ending'

export interface WorkerEntry {
  readonly id: ProcessId
  readonly environment: string
  state: WorkerState
  /** The job it serves until its end; undefined while it is fresh. */
  job: ProcessId | undefined
  /** Epoch of its newest lease; 0 while it is fresh. */
  epoch: number
  /** Leases it serves. Invariant: more than one only when all but one are blocked. */
  readonly leases: Set<number>
  /** When it was started, or became idle. */
  idleSinceMs: number
  /** It owns objects that others may ask for: it is kept when it is idle, until its job ends. */
  holds: boolean
  /** It was not ready in time and is being killed; its death counts as a failed start. */
  late: boolean
}

/** The streak of failed starts of one environment. */
export interface SpawnClass {
  /** Starts in a row that failed by themselves. */
  failures: number
  /** Starts in a row that somebody else ended by a signal: the system when memory runs out, a person. */
  killed: number
  /** No new start before this time. */
  notBeforeMs: number
  /** Too many failures: nothing is started ahead until somebody asks for this environment again. */
  givenUp: boolean
}

export interface LeaseOptions {
  /** Idle workers that are started ahead and never reaped. 0 in local mode, the CPUs of the node in a daemon. */
  readonly prestart: number
  /** An idle worker above `prestart` is ended after this time. */
  readonly idleReapMs: number
  /** Processes that start at the same time. */
  readonly maxStarting: number
  /** Workers that may exist beyond the running ones because their tasks await something, per CPU of the node. */
  readonly extraWorkersPerCpu: number
  /** How long a request may wait while no node could ever run it. */
  readonly infeasibleTimeoutMs: number
  /** After so much of that time its program is told. */
  readonly infeasibleToldMs: number
  /** Waiting time after which leases of others are asked back that they have held for as long. */
  readonly reclaimAfterMs: number
  /** The same for the first request of a class. */
  readonly reclaimForFirstAfterMs: number
  /** The same for the first request of a class that has lately had less than its part of the node. */
  readonly reclaimForLightAfterMs: number
  /** Waiting time after which a request that does not fit keeps what it needs from those behind it. */
  readonly reserveAfterMs: number
  /** Failed starts in a row after which requests are refused. */
  readonly maxSpawnFailures: number
  /** Starts in a row that others ended by a signal, after which requests are refused: that says little about the worker. */
  readonly maxKilledSpawns: number
  /** Wait after the first failed start, doubled with each one; after one that was killed it begins at 1 ms. */
  readonly spawnBackoffMs: number
  /** How long a worker may take to become ready before it is killed. */
  readonly startTimeoutMs: number
  /** A worker is replaced after so many leases; the claim page counts epochs in 12 bits. */
  readonly maxEpoch: number
}

export const defaultLeaseOptions: LeaseOptions = {
  prestart: 0,
  idleReapMs: 60_000,
  maxStarting: 8,
  extraWorkersPerCpu: 4,
  infeasibleTimeoutMs: 30_000,
  infeasibleToldMs: 2_000,
  reclaimAfterMs: 200,
  reclaimForFirstAfterMs: 50,
  reclaimForLightAfterMs: 2,
  reserveAfterMs: 1_000,
  maxSpawnFailures: 3,
  maxKilledSpawns: 30,
  spawnBackoffMs: 100,
  startTimeoutMs: 60_000,
  maxEpoch: 4_095,
}

/** The instructions of the machine. None may call back into it before it returns. */
export interface LeaseEffects {
  /** Tell the worker of its lease, then the owner of its worker. `others`: epochs that the worker serves beside it. */
  grant(lease: Lease, others: readonly number[]): void
  redirect(owner: OwnerKey, requestId: number, node: NodeId): void
  refuse(owner: OwnerKey, requestId: number, code: RefusalCode, text: string): void
  /** Ask the owner to return the lease after its running task, or when it has none. Each is sent once per lease. */
  reclaim(lease: Lease, whenIdle: boolean): void
  /** Start a process; answered by `workerReady` or `workerDied` with this id. */
  startWorker(worker: ProcessId, environment: string): void
  /** End it; answered by `workerDied`. `graceful`: nobody waits for it, so it may leave by itself. */
  endWorker(worker: ProcessId, reason: string, graceful: boolean): void
  /** A worker could not start: the first failure of a streak, for the log of the driver. */
  reportSpawnFailure(environment: string, text: string): void
  /** No node can take what a program has asked for, and more such requests may wait: for its people. */
  reportInfeasible(job: ProcessId, text: string): void
}

export interface LeaseDependencies {
  readonly clock: Clock
  readonly random: Random
  readonly effects: LeaseEffects
  readonly newWorkerId: () => ProcessId
  readonly node: NodeId
  readonly total: ResourceUnits
  /** This node's own row without its load, for decisions and messages. */
  readonly ownRow: () => NodeRow
  readonly options: LeaseOptions
}
