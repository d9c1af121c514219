/**
 * The original package, and the parts of it that the shim extends. Its queueing, its options, its promise and its
 * words are its own code; only where a task runs is replaced.
 */
import { createRequire } from 'node:module'
import type { Worker } from 'node:worker_threads'
import type * as workerpool from 'workerpool'
import { isCycle, leadsBack } from '../shared/leads-back.ts'
import type { TaskPromise } from './task-steps.ts'

// By `require`: what `import` has loaded once, it gives to everybody, and in a worker the name is to lead to the shim.
export const original: typeof workerpool = (() => {
  const require = createRequire(import.meta.url)
  let found: Partial<typeof workerpool> | undefined
  let cause: unknown
  try {
    found = require('workerpool') as typeof workerpool
  } catch (error) {
    if (!isCycle(error)) throw error
    cause = error
  }
  if (typeof found?.pool !== 'function') throw leadsBack('workerpool', require.resolve('workerpool'), cause)
  return found as typeof workerpool
})()

type PromiseClass = typeof original.Promise
export type WorkerpoolPromise = InstanceType<PromiseClass>

export interface Resolver {
  readonly promise: WorkerpoolPromise
  resolve(value: unknown): void
  reject(error: unknown): void
}

/** What `exec` was given behind its parameters. */
export interface ExecOptions {
  readonly on?: ((payload: unknown) => unknown) | undefined
  readonly transfer?: readonly object[] | undefined
}

/** A task as the original's pool queues it. */
export interface QueuedTask {
  readonly method: string
  readonly params: readonly unknown[] | null | undefined
  readonly resolver: Resolver
  readonly options: ExecOptions | undefined
  /** Ours: its place in the order in which the tasks came. */
  place: number
  /** Ours: its parameters were refused for another process, and it is not to be sent ahead of its turn again. */
  isBound?: boolean
}

export interface TaskQueue {
  push(task: QueuedTask): void
  pop(): QueuedTask | undefined
  size(): number
  contains(task: QueuedTask): boolean
  clear(): void
}

/** What the original's pool asks of one of its workers. */
export interface WorkerHandler {
  readonly script: string | undefined
  readonly forkArgs: readonly string[] | undefined
  readonly forkOpts: unknown
  readonly workerThreadOpts: unknown
  readonly debugPort: number | undefined
  readonly terminated: boolean
  exec(
    method: string,
    params: readonly unknown[] | null | undefined,
    resolver?: Resolver,
    options?: ExecOptions,
  ): TaskPromise | WorkerpoolPromise
  busy(): boolean
  terminate(force?: boolean, callback?: (error: unknown, handler: WorkerHandler) => void): void
  terminateAndNotify(force?: boolean, timeout?: number): WorkerpoolPromise
}

/** A worker of the original's own, that is a thread. */
export interface OriginalHandler extends WorkerHandler {
  readonly worker: Worker & { readonly ready?: boolean }
  exec(...args: Parameters<WorkerHandler['exec']>): WorkerpoolPromise
}

/** What `onCreateWorker` may give to override. */
export interface WorkerArguments {
  readonly script?: string | undefined
  readonly forkArgs?: readonly string[] | undefined
  readonly forkOpts?: Readonly<Record<string, unknown>> | undefined
  readonly workerOpts?: Readonly<Record<string, unknown>> | undefined
  readonly workerThreadOpts?: Readonly<Record<string, unknown>> | undefined
}

/** The original's pool, with the members behind its types that the shim replaces or calls. */
export interface OriginalPool extends WorkerArguments {
  readonly workers: WorkerHandler[]
  readonly taskQueue: TaskQueue
  readonly workerType: string
  readonly emitStdStreams: boolean
  readonly workerTerminateTimeout: number
  minWorkers: number | undefined
  maxWorkers: number
  onCreateWorker(argument: WorkerArguments): WorkerArguments | null | undefined
  onTerminateWorker(argument: WorkerArguments): void
  exec(method: unknown, params?: unknown, options?: unknown): WorkerpoolPromise
  terminate(force?: boolean, timeout?: number): WorkerpoolPromise
  _createQueue(strategy: unknown): TaskQueue
  _next(): void
  _getWorker(): WorkerHandler | null
  _ensureMinWorkers(): void
  _removeWorker(handler: WorkerHandler): WorkerpoolPromise
  _createWorkerHandler(): WorkerHandler
}

/** Its constructor, learnt from a pool: such a one has no worker, no timer and no file. */
export const OriginalPoolClass: new (script?: unknown, options?: unknown) => OriginalPool = (() => {
  const found = original.pool().constructor as unknown as { new (): OriginalPool; prototype: Partial<OriginalPool> }
  const seam: readonly (keyof OriginalPool)[] = [
    '_createQueue',
    '_createWorkerHandler',
    '_next',
    '_getWorker',
    '_removeWorker',
    '_ensureMinWorkers',
  ]
  for (const name of seam) {
    if (typeof found.prototype[name] !== 'function') {
      throw new Error(
        `outpool/workerpool needs workerpool 10: this version of it has no Pool.${name}. Install workerpool@10`,
      )
    }
  }
  return found
})()

const promiseStatics = original.Promise as unknown as {
  defer(): Resolver
  all(promises: readonly WorkerpoolPromise[]): WorkerpoolPromise
  readonly CancellationError: new () => Error
  readonly TimeoutError: new () => Error
}

export function defer(): Resolver {
  return promiseStatics.defer()
}

export function allOf(promises: readonly WorkerpoolPromise[]): WorkerpoolPromise {
  return promiseStatics.all(promises)
}

/** Whether the caller gave the task up: `promise.cancel()` or `promise.timeout()`. */
export function isGivenUp(error: unknown): boolean {
  return error instanceof promiseStatics.CancellationError || error instanceof promiseStatics.TimeoutError
}
