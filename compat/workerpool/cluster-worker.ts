/**
 * One worker of a pool, on the cluster: what the original's pool asks of its worker handler, on a pinned worker.
 *
 *   1 starting --ready--> 2 idle <--> 3 busy          1 | 2 | 3 --the process ends--> 5 terminated
 *   1 | 2 | 3 --terminate--> 4 ending --gone--> 5      3 --task given up, not cleaned up--> 4
 */
import { isSystemFailure } from '../../lib/call-failures.ts'
import { clusterCpus } from '../../lib/cluster-size.ts'
import { acquireWorker, type PinnedWorker, type WorkerExit, type WorkerFacts } from '../../lib/pinned.ts'
import { exitErrorOf, ownError, startErrorOf, TerminateError } from './errors.ts'
import type { ClusterWorkerOptions } from './cluster-worker-options.ts'
import { HostedScript } from './hosted-script.ts'
import {
  defer,
  isGivenUp,
  type ExecOptions,
  type QueuedTask,
  type Resolver,
  type WorkerHandler,
  type WorkerpoolPromise,
} from './original.ts'
import { type TaskPromise, TaskSteps } from './task-steps.ts'
import { whenTold, WorkerTask } from './worker-task.ts'

/** A start that failed because the worker or its node died has run nothing: it may be repeated, so often. */
const maxStarts = 3

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
  /** Whoever asked for its end first tells `onTerminateWorker` of it, and nobody else; of one that ended by itself, nobody. */
  isToldOf = false
  /** Tasks that this worker has answered. */
  tasks = 0
  facts: WorkerFacts | undefined
  /** Since when its task runs, as the pool has it. */
  sinceMs = 0
  readonly #options: ClusterWorkerOptions
  readonly #running = new Set<WorkerTask>()
  #pinned: PinnedWorker | undefined
  #host: HostedScript | undefined
  #asked = false
  #exit: WorkerExit | undefined
  #waiting: WorkerTask[] = []
  /** Sent ahead of their turn, in their order; for the pool they wait in its queue. */
  #ahead: WorkerTask[] = []
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
  ): TaskPromise {
    const [first] = this.#ahead
    if (first?.resolver === resolver && first.promise !== undefined) {
      this.#ahead.shift()
      this.#begin(first)
      // Its answer may have come before its turn.
      if (first.outcome !== undefined) whenTold(first)
      return first.promise
    }
    const task = new WorkerTask(this, { method, params, resolver, options })
    if (this.terminated) resolver.reject(new TerminateError('Worker is terminated'))
    else this.#take(task)
    return this.#watched(task)
  }

  /** Sends a task that waits in the pool's queue, to run behind what it has. */
  sendAhead(queued: QueuedTask): void {
    const task = new WorkerTask(this, queued, queued)
    task.promise = this.#watched(task)
    this.#ahead.push(task)
    this.#send(task)
  }

  /** Whether it would take one more task: one that is to be over soon, behind such. */
  takesAhead(method: string): boolean {
    return this.#running.size > 0 && !this.cleaning && !this.terminating && this.#host?.takesAhead(method) === true
  }

  /** How many tasks were sent ahead. */
  get ahead(): number {
    return this.#ahead.length
  }

  /** The next of them. */
  nextAhead(): QueuedTask | undefined {
    return this.#ahead[0]?.queued
  }

  /** Gives the last ones that were sent ahead back, as far as they have not started. */
  returnAhead(most: number = this.#ahead.length): void {
    const back: QueuedTask[] = []
    while (back.length < most) {
      const task = this.#ahead.at(-1)
      if (task?.queued === undefined || !this.#takeBack(task)) break
      this.#ahead.pop()
      back.push(task.queued)
    }
    if (back.length > 0) this.#options.onReturned(back.reverse())
  }

  /** Nothing is ahead any more: what has begun runs, and is waited for. */
  #closeAhead(): void {
    this.returnAhead()
    for (const task of this.#ahead.splice(0)) {
      if (task.queued !== undefined) this.#options.onDropped(task.queued)
      this.#begin(task)
      if (task.outcome !== undefined) whenTold(task)
    }
  }

  #takeBack({ call }: WorkerTask): boolean {
    return call === undefined || this.#host?.takeBack(call) === true
  }

  #take(task: WorkerTask): void {
    this.#begin(task)
    if (this.#host === undefined) this.#waiting.push(task)
    else this.#send(task)
  }

  #begin(task: WorkerTask): void {
    this.#running.add(task)
    this.sinceMs = performance.now()
  }

  /** What the pool waits for: the end of the task, and of what is done when that is given up. */
  #watched(task: WorkerTask): TaskPromise {
    const steps = new TaskSteps(task.resolver)
    task.resolver.promise.then(
      (value: unknown) => steps.fulfil(value),
      (error: unknown) => {
        const goOn = (): void => steps.reject(error)
        if (!isGivenUp(error) || task.worker.terminated) goOn()
        else void task.worker.#giveUp(task).then(goOn, goOn)
      },
    )
    return steps
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
    task.outcome = undefined
    task.call = undefined
    this.returnAhead()
    this.#take(task)
  }

  busy(): boolean {
    return this.cleaning || this.#running.size > 0
  }

  /** In order: after the running task, with the script's `onTerminate`. With `force`: now, and the task is rejected. */
  terminate(force?: boolean, callback?: (error: unknown, handler: WorkerHandler) => void): void {
    const wasRunning = this.#running.size > 0
    this.#closeAhead()
    if (force === true) {
      for (const task of this.#running) task.resolver.reject(new Error('Worker terminated'))
      this.#running.clear()
      this.#waiting = []
    }
    if (typeof callback === 'function') {
      this.isToldOf = true
      this.#whenEnded.push(callback)
    }
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
        // Some may have been given up in the meantime.
        for (const task of this.#waiting.splice(0)) if (this.#running.has(task)) this.#send(task)
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
      startOf: this.script === undefined ? 'the pool' : `the pool of ${this.script}`,
    })
    this.#pinned = pinned
    pinned.onExit = (exit) => {
      this.#exit = exit
      if (exit.left) this.#options.onLeft()
      if (this.#asked || this.#host === undefined || this.#running.size + this.#ahead.length > 0) return
      this.#endedByItself()
      this.#options.onGone(this)
    }
    return pinned
  }

  #send(task: WorkerTask): void {
    try {
      this.#host?.send(task)
    } catch (error) {
      task.failed(error)
    }
  }

  /** What became of a task is known. One that was sent ahead is settled in its turn. */
  settle(task: WorkerTask): void {
    const { kind, value } = task.outcome ?? {}
    const isRunning = this.#running.has(task)
    if (kind === 'lost' || kind === 'unstarted') {
      if (!this.#asked && (isRunning || this.#ahead.includes(task))) this.#died(exitErrorOf(value, this.#place()), true)
    } else if (isRunning) {
      this.#running.delete(task)
      this.tasks++
      this.#options.onRoom()
      if (this.terminating) this.terminate()
      if (kind === 'value') task.resolver.resolve(value)
      else task.resolver.reject(ownError(value))
    }
  }

  #place(): { script: string | undefined; exit: WorkerExit | undefined; facts: WorkerFacts | undefined } {
    return { script: this.script, exit: this.#exit, facts: this.facts ?? this.#pinned?.facts }
  }

  /** The original tells `onTerminateWorker` of ends that were asked for: by `terminate`, or by who gave a task up. */
  #endedByItself(): void {
    this.terminated = true
    if (!this.terminating && !this.cleaning) this.isToldOf = true
  }

  /** The process is gone, or never came to be: what runs here fails with it, as in the original, unless it may run again. */
  #died(reason: Error, ran: boolean): void {
    this.#endedByItself()
    const ahead = this.#leaveAhead()
    const tasks = [...this.#running, ...ahead]
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
    else if (orphans.length > 0 || ahead.length > 0 || tasks.some(({ moved }) => moved)) this.#options.onGone(this)
  }

  /** Of what was sent ahead, that which had not started is back, and what had been answered is settled; returns the rest. */
  #leaveAhead(): WorkerTask[] {
    const ahead = this.#ahead.splice(0)
    if (ahead.length === 0) return ahead
    const unstarted = ahead.filter(({ outcome }) => outcome?.kind === 'unstarted')
    this.#options.onReturned(unstarted.flatMap(({ queued }) => queued ?? []))
    const begun = ahead.filter((task) => !unstarted.includes(task))
    for (const { queued } of begun) if (queued !== undefined) this.#options.onDropped(queued)
    for (const { outcome, resolver } of begun) {
      if (outcome?.kind === 'value') resolver.resolve(outcome.value)
      else if (outcome?.kind === 'error') resolver.reject(ownError(outcome.value))
    }
    return begun.filter(({ resolver }) => resolver.promise.pending)
  }

  /**
   * A task that was cancelled or timed out. Its abort listeners may clean up after it, then the worker stays; otherwise
   * it ends with its process. Nobody else's task is on this worker.
   */
  async #giveUp(task: WorkerTask): Promise<void> {
    const at = this.#ahead.indexOf(task)
    // It was had back before.
    if (at < 0 && !this.#running.has(task)) return
    this.returnAhead()
    // It has not started, and waits for its turn to be passed over.
    if (at >= this.#ahead.length) return
    // One that was never sent has done nothing here, and one behind which another has begun is over.
    const isOver = task.call === undefined || this.#ahead.length > at + 1
    this.cleaning = true
    this.#running.delete(task)
    if (at >= 0) this.#ahead.splice(at, 1)
    if (task.queued !== undefined) this.#options.onReturned([task.queued])
    const timeoutMs = this.#options.workerTerminateTimeout
    // One that began ahead of its turn: as its caller has it, it waits yet, and that is no reason to end a worker.
    const endsSoon = isOver || (at >= 0 && (await task.isOver(timeoutMs)))
    const clean = endsSoon || (await this.#host?.cleanUp(task, timeoutMs)) === true
    this.cleaning = false
    if (!clean || this.terminating) await this.#end(!clean)
    if (this.terminated && (task.moved || at >= 0)) this.#options.onGone(this)
    // Before its turn the pool does not watch it.
    else if (at >= 0) this.#options.onFree()
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
