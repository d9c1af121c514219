/**
 * workerpool, on this machine or, with an address, on a cluster: the original's names, arguments, promise, queue and
 * words. Its pool is the original's class with other workers; worker scripts stay as they are.
 */
import type {
  Pool,
  Pool as OriginalPool,
  Promise as OriginalPromise,
  Proxy as OriginalProxy,
  TerminateError as OriginalTerminateError,
  WorkerPoolOptions,
  WorkerPoolOptions as OriginalPoolOptions,
  WorkerRegisterOptions,
  WorkerRegisterOptions as OriginalRegisterOptions,
} from 'workerpool'
import { startedAsWorker } from '../../lib/started-as-worker.ts'
import { original } from './original.ts'
import { ClusterPool } from './pool.ts'
import { emit, registerMethods, workerRegistry } from './worker-registry.ts'

export type { Pool, Proxy, WorkerPoolOptions, WorkerRegisterOptions } from 'workerpool'
export type { WorkerpoolReport } from './pool.ts'

/** The original's promise: with `cancel()` and `timeout(ms)`. */
export const Promise: typeof original.Promise = original.Promise
export type Promise<T, E = Error> = OriginalPromise<T, E>
/** What a task rejects with when its worker is gone. */
export const TerminateError: typeof original.TerminateError = original.TerminateError
export type TerminateError = OriginalTerminateError
/** A result that names what it transfers. Values are copied here. */
export const Transfer: typeof original.Transfer = original.Transfer
export const platform: typeof original.platform = original.platform
/** The CPUs of this machine. */
export const cpus: typeof original.cpus = original.cpus as number

/** Whether this is neither a worker thread nor a worker process. */
export const isMainThread: boolean =
  Boolean(original.isMainThread) && workerRegistry() === undefined && !startedAsWorker

/** What Outpool adds to the original's options; the original ignores it. */
export interface OutpoolOptions {
  /**
   * How often a task that was started is run again when its worker or node dies. Default 0, as in the original: such a
   * task rejects with TerminateError.
   */
  readonly maxRetries?: number | undefined
}

/** Creates a pool. Its workers run on the cluster, unless an option needs them beside this process. */
export function pool(script?: WorkerPoolOptions & OutpoolOptions): Pool
export function pool(script?: string, options?: WorkerPoolOptions & OutpoolOptions): Pool
export function pool(
  script?: string | (WorkerPoolOptions & OutpoolOptions),
  options?: WorkerPoolOptions & OutpoolOptions,
): Pool {
  return new ClusterPool(script, options) as unknown as Pool
}

// The parameters are the original's types, to the letter: programs pass what these accept.
type WorkerParameters = Parameters<typeof original.worker>

/** In a worker script: makes the methods callable, and tells the pool that the script is ready. */
export function worker(methods?: WorkerParameters[0], options?: WorkerRegisterOptions): void {
  const registry = workerRegistry()
  if (registry === undefined) original.worker(methods, options)
  else registerMethods(registry, methods, options)
}

/** In a worker, during a task: sends `payload` to the task's `on` listener. */
export function workerEmit(payload: unknown): void {
  const registry = workerRegistry()
  if (registry === undefined) original.workerEmit(payload)
  else emit(registry, payload)
}

interface Workerpool {
  readonly pool: typeof pool
  readonly worker: typeof worker
  readonly workerEmit: typeof workerEmit
  readonly Promise: typeof Promise
  readonly Transfer: typeof Transfer
  readonly platform: typeof platform
  readonly isMainThread: boolean
  readonly cpus: typeof cpus
  readonly TerminateError: typeof TerminateError
}

const workerpool: Workerpool = {
  pool,
  worker,
  workerEmit,
  Promise,
  Transfer,
  platform,
  isMainThread,
  cpus: cpus as number,
  TerminateError,
}

/** `workerpool.Pool` and the like: programs name types by the default export, as the original lets them. */
// oxlint-disable-next-line typescript/no-namespace -- types alone, which no object can have
declare namespace workerpool {
  type Pool = OriginalPool
  type Proxy<T extends NonNullable<WorkerParameters[0]>> = OriginalProxy<T>
  type WorkerPoolOptions = OriginalPoolOptions
  type WorkerRegisterOptions = OriginalRegisterOptions
  type Promise<T, E = Error> = OriginalPromise<T, E>
  type TerminateError = OriginalTerminateError
}
export default workerpool
