import { fileURLToPath } from 'node:url'
import { explainSymbol } from '../../lib/explain-symbol.ts'
import { isLocal } from '../../lib/cluster-size.ts'
import { capturesVariables } from '../../lib/pinned.ts'
import { followClusterCpus, hasAddress } from '../shared/cluster-cpus.ts'
import { cpuShare } from '../shared/cpu-share.ts'
import { Ahead } from './ahead.ts'
import { ClusterWorker } from './cluster-worker.ts'
import { FifoQueue } from './fifo-queue.ts'
import {
  allOf,
  defer,
  OriginalPoolClass,
  type OriginalHandler,
  type OriginalPool,
  type TaskQueue,
  type WorkerArguments,
  type WorkerHandler,
  type WorkerpoolPromise,
} from './original.ts'
import { poolKind, type PoolKind } from './pool-kind.ts'
import type { WorkerTask } from './worker-task.ts'

/** What `explain(pool)` tells. */
export interface WorkerpoolReport {
  readonly kind: 'workerpool'
  readonly where: 'cluster' | 'local'
  /** Why the workers are children or threads of this process; only where they are. */
  readonly reason?: string
  readonly maxWorkers: number
  /** Calls that went to threads of this process, because a value binds them to it. */
  readonly stayed?: { readonly calls: number; readonly reason: string }
  /** Tasks that were run again because their worker or node died; see the option `maxRetries`. */
  readonly reruns: number
  readonly workers: readonly { readonly node: string; readonly pid: number; readonly items: number }[]
}

/** Workers that are gone are remembered for `explain`, so many of them. */
const maxRemembered = 1000

/** The original's pool: it queues, counts and promises; its workers are pinned workers of the cluster. */
export class ClusterPool extends OriginalPoolClass {
  // The original's constructor may create workers before the fields of this class exist: hence `??=` and no initialisers.
  declare private stopFollowing: (() => void) | undefined
  declare private everyWorker: ClusterWorker[] | undefined
  declare private kind: PoolKind | undefined
  /** `maxWorkers` was not given: it is the cluster's. */
  declare private follows: boolean
  /** `minWorkers: 'max'` */
  declare private minIsMax: boolean
  declare private maxRetries: number
  /** Tasks whose worker died and that are to run again: before all that wait in the queue. */
  declare private orphans: WorkerTask[]
  declare private reruns: number
  /** Where the queue is of the kind that allows for it. */
  declare private ahead: Ahead | undefined
  /** It is ended, or the program has left: then only a call brings workers back, and not the end of one before. */
  declare private asleep: boolean
  /** Calls that a value bound to this process. */
  declare private stayed: { calls: number; reason: string } | undefined

  constructor(script?: unknown, options?: unknown) {
    super(script, options)
    const given = (typeof script === 'string' ? options : script) as
      { maxWorkers?: unknown; minWorkers?: unknown; maxRetries?: unknown } | undefined
    const follows = given === undefined || given === null || !('maxWorkers' in given)
    this.follows = follows && poolKind(this, this).where === 'cluster'
    this.minIsMax = given?.minWorkers === 'max'
    this.maxRetries = checkRetries(given?.maxRetries ?? 0)
    this.orphans = []
    this.reruns = 0
    this.asleep = false
    this.ahead = this.taskQueue instanceof FifoQueue ? new Ahead(this.taskQueue, this.workers) : undefined
    hide(this, [
      'stopFollowing',
      'everyWorker',
      'kind',
      'follows',
      'minIsMax',
      'maxRetries',
      'orphans',
      'reruns',
      'asleep',
      'ahead',
      'stayed',
    ])
    if (this.minIsMax) this.#follow()
  }

  /** Only what came first is known to be next, whatever comes. */
  override _createQueue(strategy: unknown): TaskQueue {
    return strategy === 'fifo' ? new FifoQueue() : super._createQueue(strategy)
  }

  override exec(method: unknown, params?: unknown, options?: unknown): WorkerpoolPromise {
    this.asleep = false
    if (this.follows && this.stopFollowing === undefined) this.#follow()
    if (poolKind(this, this).where === 'local') return super.exec(method, params, options)
    if (typeof method === 'function') {
      // The original sends its text alone, which would not find what it captures.
      let captures = false
      try {
        captures = capturesVariables(method as () => unknown, 'exec')
      } catch (error) {
        const refused = defer()
        refused.reject(error)
        return refused.promise
      }
      if (captures && Array.isArray(params ?? [])) return super.exec('run', [method, params], options)
    }
    return super.exec(method, params, options)
  }

  override _createWorkerHandler(): WorkerHandler {
    const kind = poolKind(this, this)
    this.kind = kind
    if (kind.where === 'local') return super._createWorkerHandler()
    const own: WorkerArguments = {
      forkArgs: this.forkArgs,
      forkOpts: this.forkOpts,
      workerOpts: this.workerOpts,
      workerThreadOpts: this.workerThreadOpts,
      script: this.script,
    }
    const overridden = this.onCreateWorker(own) ?? {}
    const bound = poolKind(this, { ...own, ...overridden })
    if (bound.where === 'local') {
      this.kind = bound
      return withoutCaptures(this.#createOriginal(overridden))
    }
    const worker = new ClusterWorker(overridden.script ?? own.script ?? undefined, {
      forkArgs: overridden.forkArgs ?? own.forkArgs,
      forkOpts: overridden.forkOpts ?? own.forkOpts,
      workerOpts: overridden.workerOpts ?? own.workerOpts,
      workerThreadOpts: overridden.workerThreadOpts ?? own.workerThreadOpts,
      workerTerminateTimeout: this.workerTerminateTimeout,
      flattening: this.workerType === 'process' ? 'json' : 'clone',
      // The cluster's CPUs are the number of workers where that was not given: each has one.
      numCpus: (cpus) =>
        this.follows && !isLocal() && this.maxWorkers <= cpus ? 1 : cpuShare(this.maxWorkers, cpus, isLocal()),
      maxRetries: () => this.maxRetries,
      makeThread: (worker) => this.#createThread(worker),
      onBound: (reason) => {
        this.stayed = { calls: (this.stayed?.calls ?? 0) + 1, reason }
      },
      onOrphan: (task) => {
        this.reruns++
        this.orphans.push(task)
      },
      onReturned: (tasks) => {
        ;(this.taskQueue as FifoQueue).putBack(tasks)
        this.ahead?.hasRoom()
      },
      onDropped: (task) => (this.taskQueue as FifoQueue).drop(task),
      onRoom: () => this.ahead?.hasRoom(),
      onFree: () => this._next(),
      onLeft: () => {
        this.asleep = true
      },
      // The original would hand the next task to the dead worker, which fails it: here that worker is replaced.
      onGone: (gone) => {
        if (!this.workers.includes(gone)) return
        this._removeWorker(gone)
        this._next()
      },
    })
    this.everyWorker ??= []
    this.everyWorker.push(worker)
    if (this.everyWorker.length > maxRemembered) this.everyWorker.shift()
    return worker
  }

  /** A worker of the original's own. What is its own of its options has been asked for, and is not asked for again. */
  #createOriginal(overridden: WorkerArguments, workerType: string = this.workerType): WorkerHandler {
    const given: PropertyDescriptorMap = {
      onCreateWorker: { value: () => overridden },
      workerType: { value: workerType },
    }
    return super._createWorkerHandler.call(Object.create(this, given) as OriginalPool)
  }

  /** As the processes of this pool are, as far as a thread can be. */
  #createThread({ script, forkArgs = [], forkOpts }: ClusterWorker): OriginalHandler {
    const { env } = (forkOpts ?? {}) as { readonly env?: NodeJS.ProcessEnv }
    const workerThreadOpts = {
      ...(forkArgs.length > 0 && { argv: forkArgs }),
      ...(env !== undefined && { env: { ...process.env, ...env } }),
    }
    const file = script?.startsWith('file:') === true ? fileURLToPath(script) : script
    return this.#createOriginal({ script: file, workerThreadOpts }, 'thread') as OriginalHandler
  }

  /** A worker may wait for its place in the cluster: one that stands is asked first, also for what that one was given. */
  override _ensureMinWorkers(): void {
    if (!this.asleep) super._ensureMinWorkers()
  }

  override _next(): void {
    if (this.orphans.length > 0) this.#placeOrphans()
    const waiting = this.#firstWorker((worker) => worker.hasUnsent)
    const idle = waiting && this.#firstWorker((worker) => worker.ready && !worker.busy() && worker.ahead === 0)
    const task = idle === undefined ? undefined : waiting?.takeUnsent()
    if (idle !== undefined && task !== undefined) idle.adopt(task)
    super._next()
    if (this.workers.length >= this.maxWorkers) this.ahead?.send()
  }

  /** The first that is of the cluster, and as asked. */
  #firstWorker(isWanted: (worker: ClusterWorker) => boolean): ClusterWorker | undefined {
    for (const worker of this.workers) if (worker instanceof ClusterWorker && isWanted(worker)) return worker
    return undefined
  }

  #placeOrphans(): void {
    while (this.orphans.length > 0) {
      const worker = this.#freeWorker()
      if (!(worker instanceof ClusterWorker)) return
      const task = this.orphans.shift() as WorkerTask
      if (task.resolver.promise.pending) worker.adopt(task)
    }
  }

  override _getWorker(): WorkerHandler | null {
    // What all waiting tasks were sent ahead of their turn for may have begun: then there is none for a worker that is free.
    if (this.taskQueue.size() > 0 && this.ahead?.findFor(this.#readyWorker()) === false) return null
    return this.#freeWorker()
  }

  #freeWorker(): WorkerHandler | null {
    const ready = this.#readyWorker()
    if (ready !== undefined) return ready
    // The original would take one whose process is gone, and fail the task.
    if (this.#firstWorker((worker) => worker.terminated) === undefined) return super._getWorker()
    // One whose end no task has told is removed here; the others are, when their tasks have heard.
    for (const worker of [...this.workers])
      if (worker instanceof ClusterWorker && worker.terminated && worker.endedAlone) void this._removeWorker(worker)
    const idle = this.workers.find((worker) => !worker.terminated && !worker.busy())
    if (idle !== undefined || this.workers.length >= this.maxWorkers) return idle ?? null
    const worker = this._createWorkerHandler()
    this.workers.push(worker)
    return worker
  }

  #readyWorker(): ClusterWorker | undefined {
    const isFree = (worker: ClusterWorker): boolean => worker.ready && !worker.busy()
    return this.#firstWorker((worker) => worker.ahead > 0 && isFree(worker)) ?? this.#firstWorker(isFree)
  }

  override terminate(force?: boolean, timeout?: number): WorkerpoolPromise {
    this.asleep = true
    this.stopFollowing?.()
    this.stopFollowing = undefined
    this.ahead?.recallAll()
    for (const task of this.orphans.splice(0)) task.resolver.reject(new Error('Pool terminated'))
    return this.#endWorkers(force, timeout)
  }

  /** The original tells of each worker in its list: of one whose end was asked for before, or that is gone, it is told already or never. */
  #endWorkers(force?: boolean, timeout?: number): WorkerpoolPromise {
    const asked = this.workers.filter(isToldOf)
    for (const worker of asked) this.#forget(worker)
    const others = super.terminate(force, timeout)
    if (asked.length === 0) return others
    this.workers.push(...asked)
    // One that takes longer than `timeout` stays in the list, and rejects nothing.
    const ends = asked.map((worker) =>
      worker.terminateAndNotify(force, timeout).then(
        () => this.#forget(worker),
        () => undefined,
      ),
    )
    return allOf([others, ...ends]).then((told: unknown) => (told as unknown[]).flat())
  }

  /**
   * Of one that ends while its pool is ended, or whose task was cancelled before that, `terminate` tells; of one that
   * ended by itself, nobody.
   */
  override _removeWorker(worker: WorkerHandler): WorkerpoolPromise {
    if (!isToldOf(worker)) return super._removeWorker(worker)
    this.#forget(worker)
    this._ensureMinWorkers()
    return worker.terminateAndNotify()
  }

  #forget(worker: WorkerHandler): void {
    const at = this.workers.indexOf(worker)
    if (at >= 0) this.workers.splice(at, 1)
  }

  static {
    // What `util.inspect(pool)` shows, and programs that look at `pool.constructor.name`.
    Object.defineProperty(ClusterPool, 'name', { value: 'Pool', configurable: true })
    // `explain(pool)` asks for it by a symbol, which a declaration file cannot name here.
    Object.defineProperty(ClusterPool.prototype, explainSymbol, {
      value(this: ClusterPool): WorkerpoolReport {
        return this.#report()
      },
    })
  }

  #report(): WorkerpoolReport {
    const kind = this.kind ?? poolKind(this, this)
    const workers = (this.everyWorker ?? []).flatMap(({ facts, tasks }) =>
      facts === undefined ? [] : [{ node: facts.node, pid: facts.pid, items: tasks }],
    )
    const stayed = this.stayed && { stayed: { ...this.stayed } }
    return { kind: 'workerpool', ...kind, maxWorkers: this.maxWorkers, ...stayed, reruns: this.reruns, workers }
  }

  /** A default that comes from this machine's CPUs comes from the cluster's, and follows it. */
  #follow(): void {
    if (!this.follows) return
    this.stopFollowing = followClusterCpus((cpus) => {
      if (cpus === undefined) return
      const before = this.maxWorkers
      // On this machine one CPU is the program's, as the original has it; elsewhere all of them are the workers'.
      this.maxWorkers = Math.max(
        1,
        Math.floor(cpus) - (hasAddress() ? 0 : 1),
        this.minIsMax ? 0 : (this.minWorkers ?? 0),
      )
      if (this.minIsMax) {
        this.minWorkers = this.maxWorkers
        this._ensureMinWorkers()
      }
      for (let more = before; more < this.maxWorkers; more++) this._next()
    })
  }
}

/** It has the text of functions alone; a pool whose workers are of the cluster queues them as they are. */
function withoutCaptures(worker: WorkerHandler): WorkerHandler {
  const exec = worker.exec.bind(worker)
  worker.exec = (method, params, resolver, options) => {
    const [fn, ...given] = params ?? []
    const asText = method === 'run' && typeof fn === 'function'
    return exec(method, asText ? [String(fn), ...given] : params, resolver, options)
  }
  return worker
}

function isToldOf(worker: WorkerHandler): boolean {
  return worker instanceof ClusterWorker && worker.isToldOf
}

function checkRetries(value: unknown): number {
  if (typeof value === 'number' && (value === Infinity || Number.isInteger(value)) && value >= 0) return value
  throw new TypeError('Option maxRetries must be an integer number >= 0')
}

/** Not the user's business: what the original's pool shows when it is inspected, this one shows. */
function hide(pool: object, names: readonly string[]): void {
  for (const name of names) {
    const value: unknown = Reflect.get(pool, name)
    Object.defineProperty(pool, name, { value, writable: true, enumerable: false, configurable: true })
  }
}
