/**
 * One worker of a pool, on the cluster: what the original's pool asks of its worker handler, on a pinned worker.
 *
 *   1 starting --ready--> 2 idle <--> 3 busy          1 | 2 | 3 --the process ends--> 5 terminated
 *   1 | 2 | 3 --terminate--> 4 ending --gone--> 5      3 --task given up, not cleaned up--> 4
 */
import {
  acquireWorker,
  clusterCpus,
  isSystemFailure,
  type PinnedWorker,
  type WorkerExit,
  type WorkerFacts,
} from '../../lib/pinned.ts'
import { exitErrorOf, startErrorOf, TerminateError } from './errors.ts'
import type { Flattening } from './flatten.ts'
import { HostedScript, type MethodCall } from './hosted-script.ts'
import {
  defer,
  isGivenUp,
  type ExecOptions,
  type Resolver,
  type WorkerArguments,
  type WorkerHandler,
  type WorkerpoolPromise,
} from './original.ts'

/** A start that failed because the worker or its node died has run nothing: it may be repeated, so often. */
const maxStarts = 3

export interface ClusterWorkerOptions extends WorkerArguments {
  readonly workerTerminateTimeout: number
  /** What becomes of instances of classes on their way. */
  readonly flattening: Flattening
  /** What part of a CPU it asks for, in a cluster of so many. */
  readonly numCpus: (clusterCpus: number) => number
  /** How often a started task is run again when its worker or node died. The original's answer is 0. */
  readonly maxRetries: () => number
  /** The process ended, and the pool will not learn it from a task of this worker. */
  readonly onGone: (worker: ClusterWorker) => void
  /** The program left the cluster, or ended its node, and this worker with it. */
  readonly onLeft: () => void
  /** A task whose worker died is to run again, elsewhere. */
  readonly onOrphan: (task: WorkerTask) => void
}

/** A task on its way through a worker. One that was not sent yet may move to a worker that is ready. */
export interface WorkerTask {
  readonly resolver: Resolver
  readonly method: string
  readonly params: readonly unknown[] | null | undefined
  readonly on: ((payload: unknown) => unknown) | undefined
  call: MethodCall | undefined
  /** Who has it now. */
  worker: ClusterWorker
  /** It was given to another worker first: the pool watches that one for it, and not this. */
  moved: boolean
  /** How often it was run again. */
  retries: number
}

export class ClusterWorker implements WorkerHandler {
  readonly script: string | undefined
  readonly forkArgs: readonly string[] | undefined
  readonly forkOpts: unknown
  readonly workerOpts: unknown
  readonly workerThreadOpts: unknown
  readonly debugPort: undefined
  terminated = false
  /** Its process ended, or never came to be, while it had no task that could tell. */
  endedAlone = false
  terminating = false
  /** Busy for the pool until the process is gone, or the task that was given up is cleaned up after. */
  cleaning = false
  /** Tasks that this worker has answered. */
  tasks = 0
  facts: WorkerFacts | undefined
  readonly #options: ClusterWorkerOptions
  readonly #running = new Set<WorkerTask>()
  #pinned: PinnedWorker | undefined
  #host: HostedScript | undefined
  #asked = false
  #exit: WorkerExit | undefined
  #waiting: WorkerTask[] = []
  /** Told once, whoever asked: its pool may ask for its end and hear of it by itself. */
  readonly #whenEnded: ((error: unknown, handler: WorkerHandler) => void)[] = []

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
    const on = typeof options?.on === 'function' ? options.on : undefined
    const task: WorkerTask = { resolver, method, params, on, call: undefined, worker: this, moved: false, retries: 0 }
    if (this.terminated) resolver.reject(new TerminateError('Worker is terminated'))
    else {
      this.#running.add(task)
      if (this.#host === undefined) this.#waiting.push(task)
      else this.#send(task, this.#host)
    }
    return resolver.promise.catch((error: unknown) => {
      if (!isGivenUp(error) || task.worker.terminated) throw error
      return task.worker.#giveUp(task, error)
    })
  }

  /** Whether it runs what it is given at once. */
  get ready(): boolean {
    return this.#host !== undefined && !this.terminated
  }

  get hasUnsent(): boolean {
    return this.#waiting.length > 0 && this.#waiting.some((task) => this.#running.has(task))
  }

  /** Gives away a task that could not be sent yet. */
  takeUnsent(): WorkerTask | undefined {
    let task = this.#waiting.shift()
    // Some may have been given up in the meantime.
    while (task !== undefined && !this.#running.delete(task)) task = this.#waiting.shift()
    if (this.terminating && !this.busy()) this.terminate()
    return task
  }

  /** Takes over a task that another worker gave away, or left behind. */
  adopt(task: WorkerTask): void {
    task.worker = this
    task.moved = true
    this.#running.add(task)
    if (this.#host === undefined) this.#waiting.push(task)
    else this.#send(task, this.#host)
  }

  busy(): boolean {
    return this.cleaning || this.#running.size > 0
  }

  /** In order: after the running task, with the script's `onTerminate`. With `force`: now, and the task is rejected. */
  terminate(force?: boolean, callback?: (error: unknown, handler: WorkerHandler) => void): void {
    const wasRunning = this.#running.size > 0
    if (force === true) {
      for (const task of this.#running) task.resolver.reject(new Error('Worker terminated'))
      this.#running.clear()
      this.#waiting = []
    }
    if (typeof callback === 'function') this.#whenEnded.push(callback)
    if (this.terminated) this.#ended()
    else if (this.busy()) this.terminating = true
    else void this.#end(wasRunning)
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
        this.#host = new HostedScript(pinned, this.#options.flattening)
        for (const task of this.#waiting.splice(0)) this.#send(task, this.#host)
        return
      } catch (error) {
        if (this.#asked) return
        if (start < maxStarts && isSystemFailure(error) && this.#hasRunNothing()) continue
        this.#died(this.#exit === undefined ? startErrorOf(error) : exitErrorOf(error, this.#place()), false)
        return
      }
    }
  }

  /** Nothing of the user's: it has no script, or never said who it is, which it does before it loads that. */
  #hasRunNothing(): boolean {
    return this.#exit?.nodeDied === true || this.script === undefined || this.#pinned?.facts === undefined
  }

  #acquire(cpus: number): PinnedWorker {
    const { forkArgs, forkOpts, numCpus } = this.#options
    this.#exit = undefined
    const pinned = acquireWorker({
      ...HostedScript.setUp(this.script, forkArgs, forkOpts, this.#options.flattening),
      numCpus: numCpus(cpus),
      name: 'workerpool',
    })
    this.#pinned = pinned
    pinned.onExit = (exit) => {
      this.#exit = exit
      if (exit.left) this.#options.onLeft()
      if (this.#asked || this.#host === undefined || this.#running.size > 0) return
      this.terminated = true
      this.#options.onGone(this)
    }
    return pinned
  }

  #send(task: WorkerTask, host: HostedScript): void {
    // Given up before it could start.
    if (!this.#running.has(task)) return
    task.call = host.call(task.method, task.params, task.on, {
      answered: (ok, value) => {
        if (!this.#running.delete(task)) return
        this.tasks++
        if (this.terminating) this.terminate()
        if (ok) task.resolver.resolve(value)
        else task.resolver.reject(value)
      },
      lost: (error) => {
        if (!this.#asked && this.#running.has(task)) this.#died(exitErrorOf(error, this.#place()), true)
      },
    })
  }

  #place(): { script: string | undefined; exit: WorkerExit | undefined; facts: WorkerFacts | undefined } {
    return { script: this.script, exit: this.#exit, facts: this.facts ?? this.#pinned?.facts }
  }

  /** The process is gone, or never came to be: what runs here fails with it, as in the original, unless it may run again. */
  #died(reason: Error, ran: boolean): void {
    this.terminated = true
    const tasks = [...this.#running]
    this.endedAlone = tasks.length === 0
    this.#running.clear()
    this.#waiting = []
    this.#pinned?.terminate().catch(() => undefined)
    const orphans = ran && !this.terminating ? tasks.filter((task) => task.retries < this.#options.maxRetries()) : []
    for (const task of orphans) {
      task.retries++
      this.#options.onOrphan(task)
    }
    for (const task of tasks) if (!orphans.includes(task)) task.resolver.reject(reason)
    if (this.terminating) this.#ended()
    else if (orphans.length > 0 || tasks.some(({ moved }) => moved)) this.#options.onGone(this)
  }

  /**
   * A task that was cancelled or timed out. Its abort listeners may clean up after it, then the worker stays; otherwise
   * it ends with its process. Nobody else's task is on this worker.
   */
  async #giveUp(task: WorkerTask, error: unknown): Promise<never> {
    this.cleaning = true
    this.#running.delete(task)
    // One that was never sent has done nothing here.
    const clean = task.call === undefined || (await task.call.abort(this.#options.workerTerminateTimeout))
    this.cleaning = false
    if (!clean || this.terminating) await this.#end(!clean)
    if (this.terminated && task.moved) this.#options.onGone(this)
    throw error
  }

  /** `now`: without a word to the script, whose task may never yield. */
  async #end(now: boolean): Promise<void> {
    this.cleaning = true
    try {
      if (!now && this.script !== undefined) await this.#host?.sayGoodbye(this.#options.workerTerminateTimeout)
      this.#asked = true
      await (now || this.#host === undefined ? this.#pinned?.terminate() : this.#pinned?.release())
    } catch {
      // It is gone, one way or the other.
    }
    this.#ended()
  }

  #ended(): void {
    this.#asked = true
    this.terminated = true
    this.cleaning = false
    this.terminating = false
    for (const tell of this.#whenEnded.splice(0)) tell(undefined, this)
  }
}
