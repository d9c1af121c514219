/**
 * One worker of a pool, on the cluster: what the original's pool asks of its worker handler, on a pinned worker.
 *
 *   1 starting --ready--> 2 idle <--> 3 busy          1 | 2 | 3 --the process ends--> 5 terminated
 *   1 | 2 | 3 --terminate--> 4 ending --gone--> 5      3 --task given up--> 4 (the process is ended with its task)
 */
import { acquireWorker, clusterCpus, moduleFunction, type PinnedWorker, type WorkerFacts } from '../../lib/pinned.ts'
import { cpuShare } from '../shared/cpu-share.ts'
import { terminateErrorOf, TerminateError, isSystemFailure, type WorkerExit } from './errors.ts'
import {
  defer,
  isGivenUp,
  type ExecOptions,
  type Resolver,
  type WorkerArguments,
  type WorkerHandler,
  type WorkerpoolPromise,
} from './original.ts'

const host = new URL('./script-host.js', import.meta.url)
const loadScript = moduleFunction(host, 'loadScript')
const callMethod = moduleFunction(host, 'callMethod')
const runTerminationHandler = moduleFunction(host, 'runTerminationHandler')

/** A start that failed because the worker or its node died has run nothing: it may be repeated, so often. */
const maxStarts = 3

export interface ClusterWorkerOptions extends WorkerArguments {
  readonly workerTerminateTimeout: number
  /** How many workers the pool may have: they share the CPUs when there are fewer. */
  readonly maxWorkers: () => number
  /** The process ended while nothing ran there. */
  readonly onIdleExit: (worker: ClusterWorker) => void
}

interface RunningTask {
  readonly resolver: Resolver
  readonly method: string
  readonly params: readonly unknown[] | null | undefined
  readonly options: ExecOptions | undefined
}

export class ClusterWorker implements WorkerHandler {
  readonly script: string | undefined
  readonly forkArgs: readonly string[] | undefined
  readonly forkOpts: unknown
  readonly workerOpts: unknown
  readonly workerThreadOpts: unknown
  readonly debugPort: undefined
  terminated = false
  terminating = false
  cleaning = false
  /** Tasks that this worker has answered. */
  tasks = 0
  facts: WorkerFacts | undefined
  readonly #options: ClusterWorkerOptions
  readonly #running = new Set<RunningTask>()
  #pinned: PinnedWorker | undefined
  #ready = false
  #asked = false
  #exit: WorkerExit | undefined
  #waiting: RunningTask[] = []
  #whenEnded: ((error: unknown, handler: WorkerHandler) => void) | undefined

  constructor(script: string | undefined, options: ClusterWorkerOptions) {
    this.script = script
    this.forkArgs = options.forkArgs
    this.forkOpts = options.forkOpts
    this.workerOpts = options.workerOpts
    this.workerThreadOpts = options.workerThreadOpts
    this.#options = options
    void this.#start()
  }

  exec(
    method: string,
    params: readonly unknown[] | null | undefined,
    resolver: Resolver = defer(),
    options?: ExecOptions,
  ): WorkerpoolPromise {
    const task: RunningTask = { resolver, method, params, options }
    if (this.terminated) resolver.reject(new TerminateError('Worker is terminated'))
    else {
      this.#running.add(task)
      if (this.#ready) this.#send(task)
      else this.#waiting.push(task)
    }
    return resolver.promise.catch((error: unknown) => {
      if (!isGivenUp(error) || this.terminated) throw error
      return this.#giveUp(task, error)
    })
  }

  busy(): boolean {
    return this.cleaning || this.#running.size > 0
  }

  /** In order: after the running task, with the script's `onTerminate`. With `force`: now, and the task is rejected. */
  terminate(force?: boolean, callback?: (error: unknown, handler: WorkerHandler) => void): void {
    if (force === true) {
      for (const task of this.#running) task.resolver.reject(new Error('Worker terminated'))
      this.#running.clear()
      this.#waiting = []
    }
    if (typeof callback === 'function') this.#whenEnded = callback
    if (this.terminated) this.#ended()
    else if (this.busy()) this.terminating = true
    else {
      // Busy for the pool until the process is gone: nothing new is sent here.
      this.cleaning = true
      void this.#end(force === true)
    }
  }

  terminateAndNotify(force?: boolean, timeout?: number): WorkerpoolPromise {
    const resolver = defer()
    if (timeout) resolver.promise.timeout(timeout)
    this.terminate(force, (error, handler) => {
      if (error === undefined || error === null) resolver.resolve(handler)
      else resolver.reject(error)
    })
    return resolver.promise
  }

  async #start(): Promise<void> {
    for (let start = 1; ; start++) {
      try {
        const cpus = await clusterCpus()
        if (this.#asked) return
        const pinned = this.#acquire(cpus)
        this.facts = await pinned.ready
        this.#ready = true
        for (const task of this.#waiting.splice(0)) this.#send(task)
        return
      } catch (error) {
        if (this.#asked) return
        if (start < maxStarts && isSystemFailure(error)) continue
        this.#died(error)
        return
      }
    }
  }

  #acquire(cpus: number): PinnedWorker {
    const forkOptions = (this.forkOpts ?? {}) as { env?: Record<string, string>; cwd?: string | URL }
    const pinned = acquireWorker({
      numCpus: cpuShare(this.#options.maxWorkers(), cpus),
      initializer: loadScript,
      initargs: [this.script ?? null, { forkArgs: [...(this.forkArgs ?? [])], cwd: forkOptions.cwd?.toString() }],
      name: 'workerpool',
      ...(forkOptions.env === undefined ? {} : { env: forkOptions.env }),
    })
    this.#pinned = pinned
    pinned.onExit = (exit) => {
      this.#exit = exit
      if (this.#asked || !this.#ready || this.#running.size > 0) return
      this.terminated = true
      this.#options.onIdleExit(this)
    }
    return pinned
  }

  #send(task: RunningTask): void {
    // Given up before it could start.
    if (!this.#running.has(task)) return
    // Asynchronous, because a parameter that cannot travel throws at once: that is the task's own failure.
    const call = async (): Promise<unknown> => {
      const { method, params } = task
      return (this.#pinned as PinnedWorker).run<unknown>(callMethod, [method, params ?? null], { name: method }).promise
    }
    call().then(
      (value) => this.#settle(task, () => task.resolver.resolve(value)),
      (error: unknown) => {
        if (this.#asked || !this.#running.has(task)) return
        if (isSystemFailure(error) || this.#exit !== undefined) this.#died(error)
        else this.#settle(task, () => task.resolver.reject(error))
      },
    )
  }

  #settle(task: RunningTask, tell: () => void): void {
    if (!this.#running.delete(task)) return
    this.tasks++
    if (this.terminating) this.terminate()
    tell()
  }

  /** The process is gone, or never came to be: what runs here fails with it, as in the original. */
  #died(error: unknown): void {
    this.terminated = true
    const tasks = [...this.#running]
    this.#running.clear()
    this.#waiting = []
    this.#pinned?.terminate().catch(() => undefined)
    const reason = terminateErrorOf(error, { script: this.script, exit: this.#exit, facts: this.facts })
    for (const task of tasks) task.resolver.reject(reason)
    if (this.terminating) this.#ended()
  }

  /** A cancelled task is ended with its process; the pool gets a new one, and nobody else's task is touched. */
  async #giveUp(task: RunningTask, error: unknown): Promise<never> {
    this.#running.delete(task)
    this.cleaning = true
    await this.#end(true)
    throw error
  }

  async #end(force: boolean): Promise<void> {
    const inOrder = !force && this.#ready && this.script !== undefined
    try {
      if (inOrder) await this.#sayGoodbye()
      this.#asked = true
      await (force || !this.#ready ? this.#pinned?.terminate() : this.#pinned?.release())
    } catch {
      // It is gone, one way or the other.
    }
    this.#asked = true
    this.#ended()
  }

  async #sayGoodbye(): Promise<void> {
    const { promise } = (this.#pinned as PinnedWorker).run<void>(runTerminationHandler, [0])
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, this.#options.workerTerminateTimeout)
    })
    await Promise.race([promise.catch(() => undefined), late])
    clearTimeout(timer)
  }

  #ended(): void {
    this.terminated = true
    this.cleaning = false
    this.terminating = false
    this.#whenEnded?.(undefined, this)
  }
}
