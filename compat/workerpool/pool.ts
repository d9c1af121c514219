import { explainSymbol } from '../../lib/pinned.ts'
import { followClusterCpus } from '../shared/cluster-cpus.ts'
import { ClusterWorker } from './cluster-worker.ts'
import { OriginalPoolClass, type WorkerArguments, type WorkerHandler, type WorkerpoolPromise } from './original.ts'
import { poolKind, type PoolKind } from './pool-kind.ts'

/** What `explain(pool)` tells. */
export interface WorkerpoolReport {
  readonly kind: 'workerpool'
  readonly where: 'cluster' | 'local'
  /** Why the workers are children or threads of this process; only where they are. */
  readonly reason?: string
  readonly maxWorkers: number
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

  constructor(script?: unknown, options?: unknown) {
    super(script, options)
    const given = (typeof script === 'string' ? options : script) as
      { maxWorkers?: unknown; minWorkers?: unknown } | undefined
    const follows = given === undefined || given === null || !('maxWorkers' in given)
    this.follows = follows && poolKind(this, this).where === 'cluster'
    this.minIsMax = given?.minWorkers === 'max'
    hide(this, ['stopFollowing', 'everyWorker', 'kind', 'follows', 'minIsMax'])
    if (this.minIsMax) this.#follow()
  }

  override exec(method: unknown, params?: unknown, options?: unknown): WorkerpoolPromise {
    if (this.follows && this.stopFollowing === undefined) this.#follow()
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
    const worker = new ClusterWorker(overridden.script ?? own.script ?? undefined, {
      forkArgs: overridden.forkArgs ?? own.forkArgs,
      forkOpts: overridden.forkOpts ?? own.forkOpts,
      workerOpts: overridden.workerOpts ?? own.workerOpts,
      workerThreadOpts: overridden.workerThreadOpts ?? own.workerThreadOpts,
      workerTerminateTimeout: this.workerTerminateTimeout,
      maxWorkers: () => this.maxWorkers,
      // The original would hand the next task to the dead worker, which fails it: here that worker is replaced.
      onIdleExit: (gone) => {
        this._removeWorker(gone)
      },
    })
    this.everyWorker ??= []
    this.everyWorker.push(worker)
    if (this.everyWorker.length > maxRemembered) this.everyWorker.shift()
    return worker
  }

  override terminate(force?: boolean, timeout?: number): WorkerpoolPromise {
    this.stopFollowing?.()
    return super.terminate(force, timeout)
  }

  static {
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
    return { kind: 'workerpool', ...kind, maxWorkers: this.maxWorkers, workers }
  }

  /** A default that comes from this machine's CPUs comes from the cluster's, and follows it. */
  #follow(): void {
    if (!this.follows) return
    this.stopFollowing = followClusterCpus((cpus) => {
      if (cpus === undefined) return
      const before = this.maxWorkers
      this.maxWorkers = Math.max(1, Math.floor(cpus) - 1)
      if (this.minIsMax) {
        this.minWorkers = this.maxWorkers
        this._ensureMinWorkers()
      }
      for (let more = before; more < this.maxWorkers; more++) this._next()
    })
  }
}

/** Not the user's business: what the original's pool shows when it is inspected, this one shows. */
function hide(pool: object, names: readonly string[]): void {
  for (const name of names) {
    const value: unknown = Reflect.get(pool, name)
    Object.defineProperty(pool, name, { value, writable: true, enumerable: false, configurable: true })
  }
}
