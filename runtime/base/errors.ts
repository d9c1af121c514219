/**
 * The errors that Outpool itself causes. One base class, a stable `code`, a class only where a program can react, the
 * original as `cause`, and a next step in the message. What user code threw arrives as an instance of its own class
 * where that is built in or registered, else as `TaskError`.
 */

/** Facts that travel with an error; all of them plain data. */
export interface ErrorDetails {
  readonly [key: string]: unknown
}

export interface OutpoolErrorOptions {
  readonly cause?: unknown
  readonly details?: ErrorDetails
}

/** Base class of every error that Outpool causes. */
export class OutpoolError extends Error {
  static readonly code: string = 'ERR_OUTPOOL'
  /** Stable and greppable: `ERR_OUTPOOL_...`. Programs should test this, or the class, never the message. */
  readonly code: string
  /** What is known about the failure: ids, nodes, sizes. */
  readonly details: ErrorDetails

  constructor(message: string, options: OutpoolErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    const self = new.target
    this.code = self.code
    this.details = options.details ?? {}
    Object.defineProperty(this, 'name', { value: errorName(self), configurable: true, writable: true })
  }
}

function errorName(type: typeof OutpoolError): string {
  for (const [name, candidate] of Object.entries(errorClasses())) if (candidate === type) return name
  return type.name
}

/** The task was cancelled, by `cancel`, by its `signal` or because its caller was cancelled. */
export class TaskCancelledError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_TASK_CANCELLED'
}
/** One attempt of the task ran longer than its `timeout`. */
export class TaskTimeoutError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_TASK_TIMEOUT'
}
/** `get` waited longer than its `timeout`; the task goes on. */
export class GetTimeoutError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_GET_TIMEOUT'
}
/** The worker process that ran the task ended before it answered. */
export class WorkerCrashedError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_WORKER_CRASHED'
}
/** The machine (or its node manager) that ran the task is gone. */
export class NodeDiedError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_NODE_DIED'
}
/** No node of the cluster can ever satisfy what the task asks for. */
export class TaskUnschedulableError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_TASK_UNSCHEDULABLE'
}
/** A value cannot travel; the message names its path. */
export class SerializationError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_SERIALIZATION'
}
/** A function cannot travel: it uses something from outside itself. */
export class FunctionCaptureError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_FUNCTION_CAPTURE'
}
/** The task's environment could not be set up on the node: a module, its function or an initializer failed to load. */
export class RuntimeEnvSetupError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_RUNTIME_ENV_SETUP'
}
/** The peer refused the token, or did not show one. */
export class AuthenticationError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_AUTHENTICATION'
}
/** The peer speaks another protocol, or another version of it. */
export class ProtocolVersionError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_PROTOCOL_VERSION'
}
/** The peer sent what the protocol does not allow. */
export class ProtocolError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_PROTOCOL'
}
/** The connection to a peer is lost, or could not be made. */
export class ConnectionLostError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_CONNECTION_LOST'
}
/** A request to another process of the cluster was not answered in time. */
export class RequestTimeoutError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_REQUEST_TIMEOUT'
}
/** Too much is queued already; `await drained()` before submitting more. */
export class BackPressureError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_BACK_PRESSURE'
}
/** The process that created the object is gone, and its value with it. */
export class OwnerDiedError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_OWNER_DIED'
}
/** Every copy of the object is gone. */
export class ObjectLostError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_OBJECT_LOST'
}
/** The object was released before it was asked for. */
export class ObjectFreedError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_OBJECT_FREED'
}
/** The object was lost and could not be made again. The message says why, and what helps. */
export class ObjectReconstructionFailedError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_OBJECT_RECONSTRUCTION_FAILED'
  /**
   * `put`, `generator ended`, `retries disabled`, `attempts exceeded`, `lineage evicted`, `pinned worker`, `owner died`,
   * `cancelled`, `task failed` or `unschedulable`; the same as `details.reason`.
   */
  get reason(): string {
    const { reason } = this.details
    return typeof reason === 'string' ? reason : ''
  }
}
/** The object store of a node is full of objects that are still referenced. */
export class ObjectStoreFullError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_OBJECT_STORE_FULL'
}
/** The disk behind the object store is full. */
export class OutOfDiskError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_OUT_OF_DISK'
}
/** The actor ended and will not be restarted. */
export class ActorDiedError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_ACTOR_DIED'
}
/** The actor cannot be reached now; it may come back. */
export class ActorUnavailableError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_ACTOR_UNAVAILABLE'
}
/** An actor of that name exists in the namespace. */
export class ActorAlreadyExistsError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_ACTOR_ALREADY_EXISTS'
}
/** The actor has `maxPendingCalls` calls waiting. */
export class PendingCallsLimitExceededError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_PENDING_CALLS_LIMIT_EXCEEDED'
}
/** The worker was ended because the machine ran out of memory. */
export class OutOfMemoryError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_OUT_OF_MEMORY'
}
/** `init` has not been called, or `shutdown` has; or `init` has, and is called again with options. */
export class NotInitializedError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_NOT_INITIALIZED'
}

/** What user code threw, where its class is neither built in nor registered here. `originalName` is its class. */
export class TaskError extends OutpoolError {
  static override readonly code: string = 'ERR_OUTPOOL_TASK'
  readonly originalName: string
  constructor(message: string, options: OutpoolErrorOptions & { readonly originalName?: string } = {}) {
    super(message, options)
    this.originalName = options.originalName ?? 'Error'
  }
}

type OutpoolErrorClass = new (message: string, options?: OutpoolErrorOptions) => OutpoolError

/** Every class by its name, for decoding and for the documentation test. */
export function errorClasses(): Readonly<Record<string, OutpoolErrorClass>> {
  return {
    OutpoolError,
    TaskCancelledError,
    TaskTimeoutError,
    GetTimeoutError,
    WorkerCrashedError,
    NodeDiedError,
    TaskUnschedulableError,
    SerializationError,
    FunctionCaptureError,
    RuntimeEnvSetupError,
    AuthenticationError,
    ProtocolVersionError,
    ProtocolError,
    ConnectionLostError,
    RequestTimeoutError,
    BackPressureError,
    OwnerDiedError,
    ObjectLostError,
    ObjectFreedError,
    ObjectReconstructionFailedError,
    ObjectStoreFullError,
    OutOfDiskError,
    ActorDiedError,
    ActorUnavailableError,
    ActorAlreadyExistsError,
    PendingCallsLimitExceededError,
    OutOfMemoryError,
    NotInitializedError,
    TaskError,
  }
}
