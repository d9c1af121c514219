/**
 * Python's `concurrent.futures` for Node, on this machine or, with an address, on a cluster. What blocks in Python gives
 * a promise here; timeouts are in seconds, as there. A call starts at most once.
 */
export { moduleFunction, type RemoteModuleFunction } from '../../lib/pinned.ts'
export { TimeoutError, ValueError } from '../shared/python-errors.ts'
export type { PoolWorkerReport } from '../shared/pool-runner.ts'
export { BrokenExecutor, BrokenProcessPool, CancelledError, RuntimeError } from './errors.ts'
export {
  Executor,
  Executor as ProcessPoolExecutor,
  type ExecutorOptions,
  type ExecutorReport,
  type MapOptions,
  type ShutdownOptions,
} from './executor.ts'
export { Future } from './future.ts'
export {
  ALL_COMPLETED,
  asCompleted,
  FIRST_COMPLETED,
  FIRST_EXCEPTION,
  wait,
  type ReturnWhen,
  type WaitOptions,
  type WaitResult,
} from './wait.ts'
