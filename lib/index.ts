/**
 * Outpool's own interface: remote functions, refs, and what surrounds them. The compatibility modules
 * (`outpool/multiprocessing`, `outpool/workerpool`) are built on it.
 */
// It notes in which folder the program is now.
import '../runtime/base/working-folder.ts'

export { init, shutdown, type ClusterFacts } from './init.ts'
export type { InitOptions } from './init-options.ts'
export {
  remote,
  RemoteFunction,
  type RemoteArgument,
  type RemoteArguments,
  type RemoteResult,
  type RunResult,
} from './remote.ts'
export type { TaskOptions } from './options.ts'
export type { RuntimeEnv } from './runtime-env.ts'
export {
  put,
  get,
  wait,
  cancel,
  drained,
  type PutOptions,
  type ValuesOf,
  type WaitOptions,
  type CancelOptions,
} from './objects.ts'
export { ObjectRef, type GetOptions } from '../runtime/owner/object-ref.ts'
export type { ObjectRefGenerator, ValueGenerator } from '../runtime/owner/object-ref-generator.ts'
export { context, type Context } from './context.ts'
export {
  explain,
  type FunctionExplanation,
  type ProcessExplanation,
  type Reason,
  type RefExplanation,
  type Verdict,
} from './explain.ts'
export {
  ActorAlreadyExistsError,
  ActorDiedError,
  ActorUnavailableError,
  AuthenticationError,
  BackPressureError,
  ConnectionLostError,
  FunctionCaptureError,
  GetTimeoutError,
  NodeDiedError,
  NotInitializedError,
  ObjectFreedError,
  ObjectLostError,
  ObjectReconstructionFailedError,
  ObjectStoreFullError,
  OutOfDiskError,
  OutOfMemoryError,
  OutpoolError,
  OwnerDiedError,
  PendingCallsLimitExceededError,
  ProtocolError,
  ProtocolVersionError,
  registerErrorClass,
  RequestTimeoutError,
  RuntimeEnvSetupError,
  SerializationError,
  TaskCancelledError,
  TaskError,
  TaskTimeoutError,
  TaskUnschedulableError,
  WorkerCrashedError,
} from './errors.ts'
