/**
 * Every message between two processes, as one tagged union of flat arrays: `[type, ...fields]`. A link batches them
 * into frames and knows nothing of their meaning; who may say what is told by the headings below.
 *
 * Conventions: `requestId` is chosen by the asker and comes back in the answer. Ids of processes are strings of 16 hex
 * digits. Times are durations. `Uint8Array` fields are opaque: they are forwarded undecoded.
 */
import type { NodeId, ObjectNumber, ProcessId, TaskNumber } from '../base/ids.ts'
import type { CodeMade, CodeNeed, CodePlace } from './code-messages.ts'
import type { HeadMessage } from './head-messages.ts'
import type { LeaseMessage } from './lease-messages.ts'
import type { MessageType } from './message-type.ts'
import type { Chaos, ChaosDone, CountRequest, Counts, MadeAt } from './operator-messages.ts'
import type { CopyMessage, StoreCollect, StoreNotes, StoreReply, StoreRequest } from './store-messages.ts'

export type { CodeMade, CodeNeed, CodePlace } from './code-messages.ts'
export type {
  StoreAnswer,
  StoreCollect,
  StoreNote,
  StoreNotes,
  StoreOperation,
  StoreReply,
  StoreRequest,
} from './store-messages.ts'
export type { ArgumentBytes, LeaseRequest, Recall, RefusalCode, WorkerEnd } from './lease-messages.ts'
export type { Chaos, ChaosDone, CountRequest, Counts, MadeAt } from './operator-messages.ts'
export { MessageType } from './message-type.ts'
export type { NodeCall, NodeCallFailed } from './head-messages.ts'
export type { TableEvent, TableOperation, TableReply, TableRequest, TableRow } from './head-messages.ts'

/** A resource and its amount in units of 1/10,000 (`['CPU', 5000]` is half a CPU). Sorted by name. */
export type ResourceUnits = readonly (readonly [name: string, units: number])[]

/** `task`: any worker of the job and environment. `pinned`: a worker of its own until the lease is returned. */
export type LeaseKind = 'task' | 'pinned'

/**
 * How a process ended; `stderrTail` holds its last lines. `killedFor` is why its node manager killed it, and absent where
 * it did not.
 */
export type ExitReport = readonly [
  code: number | null,
  signal: string | null,
  pid: number,
  stderrTail: string,
  killedFor?: string,
]

/** One node, as the cluster knows it. `url` is where its one port is reached. */
export interface NodeRow {
  readonly id: NodeId
  readonly url: string
  readonly hostname: string
  readonly pid: number
  readonly state: 'alive' | 'draining' | 'dead'
  readonly total: ResourceUnits
  readonly available: ResourceUnits
  readonly labels: Readonly<Record<string, string>>
  /** Lease requests that wait at this node. */
  readonly queued: number
  readonly workers: number
  readonly head: boolean
  /** Why it is dead, in words. */
  readonly reason?: string
}

/**
 * Where a value lies: in the store of a node (`process` is the node manager itself), or in the memory of a process.
 * `copy`, a number of its owner's, is there where the value is not there for the first time, or came there from others:
 * who says that a holder does not have it repeats the number, as a new copy may have come there since he looked.
 */
export type Holder = readonly [node: NodeId, process: ProcessId, copy?: number]

/**
 * A ref as it travels: whose it is, its number, and the node through which its owner is reached. `ended`, of one that is
 * borrowed: how many sessions of borrower and owner had ended, as the borrower sees it, when that is not 0.
 */
export type RefTuple = readonly [owner: ProcessId, number: ObjectNumber, node: NodeId, ended?: number]

/** The state of an object that its owner tells: its bytes, or where they are, or why there are none. */
export type ObjectTuple =
  | readonly [kind: 'inline', bytes: Uint8Array]
  | readonly [kind: 'stored', sizeBytes: number, holders: readonly Holder[]]
  | readonly [kind: 'error', bytes: Uint8Array]

/** The value of an argument that is a ref. */
export type Attachment = readonly [ref: RefTuple, value: ObjectTuple]

/** One result of a task; `refs` are the refs that the value contains. A stored one lies in the store of the worker's node. */
export type ResultTuple =
  | readonly [kind: 'inline', bytes: Uint8Array, refs: readonly RefTuple[]]
  | readonly [kind: 'stored', sizeBytes: number, refs: readonly RefTuple[]]

type T = typeof MessageType

// Both ways, on every control link.
export type Ping = readonly [type: T['ping']]
export type Pong = readonly [type: T['pong']]

// Node manager <-> worker.
export type LeaseStart = readonly [
  type: T['leaseStart'],
  epoch: number,
  owner: ProcessId,
  job: ProcessId,
  kind: LeaseKind,
  /** Epochs of the leases that the worker serves beside this one; all others are over. */
  others: readonly number[],
]
/** The running task of that lease awaits a `get`: its CPU is free for others until `workerResumed`. */
export type WorkerBlocked = readonly [type: T['workerBlocked'], epoch: number]
export type WorkerResumed = readonly [type: T['workerResumed'], epoch: number]
/** Whether the worker owns objects that others may still ask for: it is not to be ended for being idle. */
export type WorkerHolds = readonly [type: T['workerHolds'], holds: boolean]
export type WorkerExit = readonly [type: T['workerExit'], reason: string]

// Owner -> leased worker.
/** A function with its compiled options: what all calls of one `RemoteFunction` share. Sent once per link. */
export type Template = readonly [type: T['template'], number: number, bytes: Uint8Array]
export type Push = readonly [
  type: T['push'],
  epoch: number,
  /** Counts the tasks of this lease from 0; the word of the claim page is `sequence mod K`. */
  sequence: number,
  template: number,
  task: TaskNumber,
  attempt: number,
  args: Uint8Array,
  /** The values of arguments that are refs, in the order in which `args` names them. */
  attachments: readonly Attachment[] | null,
]
/** Raise the task's AbortSignal. `recursive`: cancel what it submitted as well. */
export type Abort = readonly [type: T['abort'], epoch: number, sequence: number, recursive: boolean]
/**
 * To the worker of a generator: items `index` to `index + count - 1` may be made, and are the objects `number` and
 * following. The first one that it hears begins at what was delivered before: items below are made and not sent.
 * `taken`: items that the consumer has.
 */
export type GeneratorAllow = readonly [
  type: T['generatorAllow'],
  epoch: number,
  sequence: number,
  index: number,
  number: ObjectNumber,
  count: number,
  taken: number,
]
/** The results of `done`/`doneMany`, or the item, with this id are registered; the worker may let go of the refs in them. */
export type ReplyAck = readonly [type: T['replyAck'], ackId: number]

// Worker -> owner.
/**
 * What pushes on this link will name by its number: the text of a function, or the captured variables of a call. Sent
 * once; until `partDrop`, which tells what will not be named again. Null answers `partMiss` where there is none to send.
 */
export type Part = readonly [type: T['part'], number: number, bytes: Uint8Array | null]
export type PartDrop = readonly [type: T['partDrop'], number: number]
/** A worker has put away parts that a task needs which was pushed to it: it is sent them again, by who pushed it. */
export type PartMiss = readonly [type: T['partMiss'], task: number, numbers: readonly number[]]
/** The common case: one inline result without refs, and no borrowed argument. */
export type Done = readonly [type: T['done'], epoch: number, sequence: number, runMicros: number, value: Uint8Array]
export type DoneMany = readonly [
  type: T['doneMany'],
  epoch: number,
  sequence: number,
  runMicros: number,
  results: readonly ResultTuple[],
  /** Refs out of the arguments that this process still holds. */
  borrowed: readonly RefTuple[],
  /** To be acknowledged by `replyAck` when not 0. */
  ackId: number,
]
/**
 * `origin`: whose fault. `user` errors are retried only by `retryExceptions`; `system` ones by `maxRetries`. `arguments`:
 * it was not run, because values of arguments could not be brought there; the error's `details.lost` says which.
 */
export type Failed = readonly [
  type: T['failed'],
  epoch: number,
  sequence: number,
  runMicros: number,
  error: Uint8Array,
  origin: 'user' | 'system' | 'cancelled' | 'timeout' | 'setup' | 'arguments',
  borrowed: readonly RefTuple[],
]
/** Not started and not going to be: the owner may send them elsewhere. */
export type Returned = readonly [type: T['returned'], epoch: number, sequences: readonly number[]]
export type Blocked = readonly [type: T['blocked'], epoch: number, sequence: number]
export type Resumed = readonly [type: T['resumed'], epoch: number, sequence: number]
/** What a running task tells its caller before its end: an encoded value, in the order in which they were told. */
export type TaskEvent = readonly [type: T['taskEvent'], epoch: number, task: TaskNumber, value: Uint8Array]
/** The next item of a running generator, in their order: inline, without refs. */
export type GeneratorItem = readonly [
  type: T['generatorItem'],
  epoch: number,
  sequence: number,
  number: ObjectNumber,
  value: Uint8Array,
]
/** Any other item. `ackId` as in `doneMany`. */
export type GeneratorResult = readonly [
  type: T['generatorResult'],
  epoch: number,
  sequence: number,
  number: ObjectNumber,
  result: ResultTuple,
  ackId: number,
]

// Any process -> owner of an object, and back.
/** Answered when the object is ready. */
export type ObjectGet = readonly [type: T['objectGet'], requestId: number, number: ObjectNumber]
export type ObjectValue = readonly [type: T['objectValue'], requestId: number, value: ObjectTuple]
/**
 * I was told where the object is, and could not get it: `absent` say that they do not have it, `unreached` did not answer.
 * Answered by `objectValue` when there is something new to be told: other holders, the value that was made again, or why
 * there is none.
 */
export type ObjectLost = readonly [
  type: T['objectLost'],
  requestId: number,
  number: ObjectNumber,
  absent: readonly Holder[],
  unreached: readonly Holder[],
  /** How those lost it that do not have it, where they said more than that; else ''. */
  why: string,
]
export type RefAdd = readonly [
  type: T['refAdd'],
  requestId: number,
  numbers: readonly ObjectNumber[],
  borrower: ProcessId,
  node: NodeId,
  /** Of somebody else than the sender: how many sessions with the owner had ended when it said that it borrows. */
  ended: number,
]
export type RefAck = readonly [type: T['refAck'], requestId: number]
/** `adder`: the process that had announced the borrower to the owner. */
export type RefRemove = readonly [
  type: T['refRemove'],
  numbers: readonly ObjectNumber[],
  borrower: ProcessId,
  adder: ProcessId,
]

// Process <-> its node manager.
/**
 * Bring the object into this node's store from one of its holders. `key` is `objectKey(id)`, `ownerNode` the node of its
 * owner, which knows whether that lives.
 */
export type Pull = readonly [
  type: T['pull'],
  requestId: number,
  key: string,
  sizeBytes: number,
  holders: readonly Holder[],
  ownerNode?: NodeId,
]
/**
 * `error` is '' when the object is in the store now. Otherwise `absent` are the holders that do not have it, and
 * `unreached` those that did not answer; both are empty where the reason is another one.
 */
export type Pulled = readonly [
  type: T['pulled'],
  requestId: number,
  error: string,
  absent: readonly Holder[],
  unreached: readonly Holder[],
  /** How those lost it that do not have it, where they said more than that; else ''. */
  why: string,
]
/**
 * Owner -> node manager: bring the object here, as by `pull`, and keep it as if it had been made here, until `free`.
 * `job`: whose end is also the object's.
 */
export type Replicate = readonly [
  type: T['replicate'],
  requestId: number,
  job: ProcessId,
  key: string,
  sizeBytes: number,
  holders: readonly Holder[],
]
/** `error` is '' when the object is kept here now. */
export type Replicated = readonly [type: T['replicated'], requestId: number, error: string]
/** To a driver: connect to me and name this ticket; somebody wants to talk to you. */
export type DialBack = readonly [type: T['dialBack'], ticket: string]
export type ProcessQuery = readonly [type: T['processQuery'], requestId: number, node: NodeId, process: ProcessId]
export type ProcessStatus = readonly [type: T['processStatus'], requestId: number, status: 'alive' | 'dead' | 'unknown']
export type LogLine = readonly [stream: 'stdout' | 'stderr', pid: number, node: NodeId, name: string, text: string]
export type Log = readonly [type: T['log'], lines: readonly LogLine[]]
export type NodesRequest = readonly [type: T['nodesRequest'], requestId: number]
export type Nodes = readonly [type: T['nodes'], requestId: number, rows: readonly NodeRow[]]
/** A node came or went. Everything of a node that is `down` is dead: its workers, its leases, its late messages. */
export type NodeEvent = readonly [type: T['nodeEvent'], node: NodeId, state: 'up' | 'down', reason: string]
/** A driver begins; its job is named by the driver's incarnation. */
export type JobStart = readonly [
  type: T['jobStart'],
  requestId: number,
  job: ProcessId,
  info: Readonly<Record<string, unknown>>,
]
export type JobStarted = readonly [type: T['jobStarted'], requestId: number]
/** The driver leaves in order; or, node to node by way of the head, a job is over. */
export type JobEnd = readonly [type: T['jobEnd'], job: ProcessId, reason: string]
/** To a driver, from its home: the tokens of the cluster have changed. */
export type Tokens = readonly [type: T['tokens'], shown: string, accepted: readonly string[]]
/** Take nothing new, let what runs here end and what waits go elsewhere, then stop: within `deadlineMs` in any case. */
export type NodeDrain = readonly [type: T['nodeDrain'], requestId: number, deadlineMs: number, reason: string]
/** `clean`: nothing was left; otherwise the deadline was over. The node stops after it has said so. */
export type NodeDrained = readonly [type: T['nodeDrained'], requestId: number, clean: boolean]

export type Message =
  | Ping
  | Pong
  | LeaseStart
  | WorkerBlocked
  | WorkerResumed
  | WorkerExit
  | WorkerHolds
  | Template
  | Part
  | PartDrop
  | PartMiss
  | Push
  | Abort
  | GeneratorAllow
  | GeneratorItem
  | GeneratorResult
  | ReplyAck
  | Done
  | DoneMany
  | Failed
  | Returned
  | Blocked
  | Resumed
  | TaskEvent
  | ObjectGet
  | ObjectValue
  | ObjectLost
  | RefAdd
  | RefAck
  | RefRemove
  | Pull
  | Pulled
  | CopyMessage
  | Replicate
  | Replicated
  | DialBack
  | ProcessQuery
  | ProcessStatus
  | Log
  | NodesRequest
  | Nodes
  | NodeEvent
  | JobStart
  | JobStarted
  | JobEnd
  | NodeDrain
  | NodeDrained
  | Chaos
  | ChaosDone
  | Tokens
  | LeaseMessage
  | HeadMessage
  | CodeNeed
  | CodePlace
  | CodeMade
  | CountRequest
  | Counts
  | MadeAt
  | StoreRequest
  | StoreReply
  | StoreNotes
  | StoreCollect
