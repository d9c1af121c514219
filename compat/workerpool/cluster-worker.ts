/**
 * One worker of a pool, on the cluster: what the original's pool asks of its worker handler, on a pinned worker.
 *
 *   1 starting --ready--> 2 idle <--> 3 busy          1 | 2 | 3 --the process ends--> 5 terminated
 *   1 | 2 | 3 --terminate--> 4 ending --gone--> 5      3 --task given up, not cleaned up--> 4
 */
import type { WorkerFacts } from '../../lib/pinned.ts'
import { queueMicrotask } from '../../lib/timers.ts'
import { boundAndCapturing, boundBy, boundTo } from './bound-values.ts'
import { TerminateError } from './errors.ts'
import type { ClusterWorkerOptions } from './cluster-worker-options.ts'
import type { HostedScript } from './hosted-script.ts'
import {
  defer,
  isGivenUp,
  type ExecOptions,
  type QueuedTask,
  type Resolver,
  type WorkerHandler,
  type WorkerpoolPromise,
} from './original.ts'
import { innerParams } from './refusals.ts'
import { type TaskPromise, TaskSteps } from './task-steps.ts'
import { ThreadTwin } from './thread-twin.ts'
import { WorkerProcess } from './worker-process.ts'
import { whenTold, WorkerTask } from './worker-task.ts'

export class ClusterWorker implements WorkerHandler {
  readonly script: string | undefined
  readonly forkArgs: readonly string[] | undefined
  readonly forkOpts: unknown
  readonly workerOpts: unknown
  readonly workerThreadOpts: unknown
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
  /** Since when its task runs, as the pool has it. */
  sinceMs = 0
  readonly #options: ClusterWorkerOptions
  readonly #running = new Set<WorkerTask>()
  readonly #process: WorkerProcess
  /** Made when a value binds a task to this process. */
  #twin: ThreadTwin | undefined
  /** Its process ended while the thread had a task: this worker ends after that. */
  #isLost = false
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
    this.#process = new WorkerProcess(script, options, {
      stands: (host) => {
        // Some may have been given up in the meantime.
        for (const task of this.#waiting.splice(0)) if (this.#running.has(task)) this.#send(task, host)
      },
      failed: (reason) => {
        if (!this.#goesOnHere()) this.#died(reason, false)
      },
      ended: () => {
        // What runs there tells by itself.
        if (this.#goesOnHere() || this.#running.size + this.#ahead.length > 0) return
        this.#endedByItself()
        options.onGone(this)
      },
    })
    // One that is made for a task of a thread needs none yet.
    queueMicrotask(() => {
      if (this.#twin === undefined && !this.terminated) this.#process.start()
    })
  }

  get debugPort(): number | undefined {
    return this.#twin?.debugPort
  }

  get facts(): WorkerFacts | undefined {
    return this.#process.facts
  }

  #goesOnHere(): boolean {
    return (this.#isLost = this.#twin?.isBusy === true)
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
    try {
      this.#process.host?.send(task)
    } catch (error) {
      if (this.#boundBy(error, task) === undefined) task.failed(error)
      else {
        queued.isBound = true
        this.#options.onReturned([queued])
        return
      }
    }
    task.promise = this.#watched(task)
    this.#ahead.push(task)
  }

  /** Whether it would take one more task: one that is to be over soon, behind such. None that is for a thread, or behind one. */
  takesAhead(queued: QueuedTask): boolean {
    if (this.#running.size === 0 || this.cleaning || this.terminating || this.#twin?.isBusy === true) return false
    if (queued.isBound === true || this.#process.host?.takesAhead(queued.method) !== true) return false
    queued.isBound = this.#boundTo(queued.method, queued.params, queued.options?.transfer) !== undefined
    return !queued.isBound
  }

  /** Why a task is for a thread of this process. The original's processes have all as JSON, and transfer nothing. */
  #boundTo(method: string, params: QueuedTask['params'], transfer: ExecOptions['transfer']): string | undefined {
    return this.#options.flattening === 'json' ? undefined : boundTo(innerParams(method, params) ?? params, transfer)
  }

  #boundBy(refusal: unknown, { method, params }: WorkerTask): string | undefined {
    return this.#options.flattening === 'json' ? undefined : boundBy(refusal, innerParams(method, params) ?? params)
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
    return call === undefined || this.#process.host?.takeBack(call) === true
  }

  #take(task: WorkerTask): void {
    this.#begin(task)
    const reason = this.#boundTo(task.method, task.params, task.transfer)
    if (reason !== undefined) return this.#runHere(task, reason)
    const { host } = this.#process
    if (host !== undefined) return this.#send(task, host)
    this.#waiting.push(task)
    this.#process.start()
  }

  /** In a thread of this process, while its own waits. */
  #runHere(task: WorkerTask, reason: string): void {
    const fn = innerParams(task.method, task.params) === undefined ? undefined : task.params?.[0]
    if (typeof fn === 'function') return task.ended('error', boundAndCapturing(fn.name, reason))
    task.isHere = true
    this.#options.onBound(reason)
    this.#twin ??= new ThreadTwin(() => this.#options.makeThread(this))
    this.#twin.run(task)
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
    return this.#process.host !== undefined && !this.terminated
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

  #send(task: WorkerTask, host: HostedScript): void {
    try {
      host.send(task)
    } catch (error) {
      const reason = this.#boundBy(error, task)
      if (reason === undefined) task.failed(error)
      else this.#runHere(task, reason)
    }
  }

  /** What became of a task is known. One that was sent ahead is settled in its turn. */
  settle(task: WorkerTask): void {
    const { kind, value } = task.outcome ?? {}
    const isRunning = this.#running.has(task)
    if (kind === 'lost' || kind === 'unstarted') {
      if (this.#process.asked || !(isRunning || this.#ahead.includes(task))) return
      if (task.isHere) this.#died(value as Error, false)
      else this.#died(this.#process.lossOf(value), true)
    } else if (isRunning) {
      this.#running.delete(task)
      if (!task.isHere) this.tasks++
      this.#options.onRoom()
      if (this.#isLost) this.#endedByItself()
      if (this.terminating) this.terminate()
      task.tell()
      if (this.#isLost) this.#options.onGone(this)
    }
  }

  /** The original tells `onTerminateWorker` of ends that were asked for: by `terminate`, or by who gave a task up. */
  #endedByItself(): void {
    this.terminated = true
    if (!this.terminating && !this.cleaning) this.isToldOf = true
    void this.#twin?.end()
  }

  /** The process is gone, or never came to be: what runs here fails with it, as in the original, unless it may run again. */
  #died(reason: Error, ran: boolean): void {
    this.#endedByItself()
    const ahead = this.#leaveAhead()
    const tasks = [...this.#running, ...ahead]
    this.endedAlone = tasks.length === 0
    this.#running.clear()
    this.#waiting = []
    this.#process.drop()
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
    for (const task of begun) task.tell()
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
    const isOver = (task.call === undefined && !task.isHere) || this.#ahead.length > at + 1
    this.cleaning = true
    this.#running.delete(task)
    if (at >= 0) this.#ahead.splice(at, 1)
    if (task.queued !== undefined) this.#options.onReturned([task.queued])
    const clean = isOver || (await this.#isCleanedUp(task, at))
    this.cleaning = false
    if (!clean || this.terminating) await this.#end(!clean && !task.isHere)
    if (this.terminated && (task.moved || at >= 0)) this.#options.onGone(this)
    // Before its turn the pool does not watch it.
    else if (at >= 0) this.#options.onFree()
  }

  async #isCleanedUp(task: WorkerTask, at: number): Promise<boolean> {
    if (task.isHere) return (await this.#twin?.giveUp(task)) === true && !this.#isLost
    const timeoutMs = this.#options.workerTerminateTimeout
    // One that began ahead of its turn: as its caller has it, it waits yet, and that is no reason to end a worker.
    if (at >= 0 && (await task.isOver(timeoutMs))) return true
    return (await this.#process.host?.cleanUp(task, timeoutMs)) === true
  }

  /** `now`: without a word to the script, whose task may never yield. */
  async #end(now: boolean): Promise<void> {
    this.cleaning = true
    await Promise.all([this.#process.end(now), this.#twin?.end()])
    this.#ended()
  }

  #ended(): void {
    this.#process.asked = true
    this.terminated = true
    this.cleaning = false
    this.terminating = false
    for (const tell of this.#whenEnded.splice(0)) tell(undefined, this)
  }
}
