/** Messages about leases, between owners and node managers. */
import type { NodeId, ProcessId } from '../base/ids.ts'
import type { MessageType } from './message-type.ts'
import type { ExitReport, LeaseKind, ResourceUnits } from './messages.ts'

/**
 * Why a lease was not given. `busy`: ask your home again; `infeasible`: nobody has that much, ever; `draining`: the
 * node is leaving.
 */
export type RefusalCode = 'busy' | 'infeasible' | 'draining' | 'spawn-failed'

/** How many bytes of a task's large arguments lie on which nodes: at least one, each once. */
export type ArgumentBytes = readonly (readonly [node: NodeId, bytes: number])[]

type T = typeof MessageType

// Owner (driver or worker) -> node manager: leases.
export type LeaseRequest = readonly [
  type: T['leaseRequest'],
  requestId: number,
  job: ProcessId,
  kind: LeaseKind,
  resources: ResourceUnits,
  /** A compiled scheduling strategy; null is DEFAULT. */
  strategy: readonly unknown[] | null,
  priority: number,
  environment: string,
  /** Nodes that were asked for this request before: one redirect, then refuse. */
  visited: readonly NodeId[],
  /** Of the task that is to run first there; null where it has no large ones. */
  argumentBytes: ArgumentBytes | null,
]
type LeaseCancel = readonly [type: T['leaseCancel'], requestId: number]
/** `endWorker`: the worker must not serve anybody else (an initializer ran there, or a task is to be ended). */
type LeaseReturn = readonly [type: T['leaseReturn'], leaseId: number, endWorker: boolean]
/** End that incarnation, then answer with `workerEnded`. Also right for one that is dead already. */
export type WorkerEnd = readonly [
  type: T['workerEnd'],
  requestId: number,
  worker: ProcessId,
  epoch: number,
  reason: string,
]
/** Take unstarted tasks back on behalf of an owner that cannot map the claim page. */
export type Recall = readonly [
  type: T['recall'],
  requestId: number,
  worker: ProcessId,
  epoch: number,
  sequences: readonly number[],
]

// Node manager -> owner.
type LeaseGranted = readonly [
  type: T['leaseGranted'],
  requestId: number,
  leaseId: number,
  /** Rises with each lease of that worker; what carries a lower one is refused. */
  epoch: number,
  worker: ProcessId,
  /** The worker's unix socket and claim page, of use on the same machine; '' where there is none. */
  socketPath: string,
  pagePath: string,
  pid: number,
]
type LeaseRedirected = readonly [type: T['leaseRedirected'], requestId: number, node: NodeId]
type LeaseRefused = readonly [type: T['leaseRefused'], requestId: number, code: RefusalCode, text: string]
/**
 * Somebody waits: stop pushing, recall, return the lease after the running task; `whenIdle`: go on, and return it when
 * there is nothing to push for a moment.
 */
type LeaseReclaim = readonly [type: T['leaseReclaim'], leaseId: number, whenIdle: boolean]
/** `startedUpTo`: the highest sequence of `epoch` that was started, -1 for none, null where nobody can know. */
type WorkerEnded = readonly [type: T['workerEnded'], requestId: number, exit: ExitReport, startedUpTo: number | null]
type Recalled = readonly [type: T['recalled'], requestId: number, sequences: readonly number[]]

export type LeaseMessage =
  | LeaseRequest
  | LeaseCancel
  | LeaseReturn
  | WorkerEnd
  | Recall
  | LeaseGranted
  | LeaseRedirected
  | LeaseRefused
  | LeaseReclaim
  | WorkerEnded
  | Recalled
