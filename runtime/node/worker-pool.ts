/**
 * The processes behind the lease machine: starts them, guards them, ends them, and remembers how they ended, since an
 * owner asks for that after it has lost its link.
 */
import { unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { BoundedMap } from '../base/bounded-map.ts'
import type { Clock, Timer } from '../base/clock.ts'
import type { ProcessId } from '../base/ids.ts'
import { withAdvice } from '../base/system-advice.ts'
import { setImmediate } from '../base/timers.ts'
import { parseEnvironment } from '../code/modules/environment.ts'
import type { ExitReport } from '../protocol/messages.ts'
import { withVariables } from './child-settings.ts'
import type { EarlyWorker } from './early-worker.ts'
import type { Guardian } from './guardian.ts'
import type { NodeManagerEvents } from './node-options.ts'
import { forgetLog } from './rotate-file.ts'
import { outputPath, WorkerProcess } from './worker-process.ts'

/** The claim page of a worker, as much of it as a node manager uses. */
export interface WorkerPage {
  recall(epoch: number, sequence: number): boolean
  startedUpTo(epoch: number): number
  close(): void
}

export interface ClaimPages {
  /** Makes the file of a page; the worker opens it. */
  create(path: string): void
  /** undefined where files cannot be mapped. */
  open(path: string): WorkerPage | undefined
}

export interface WorkerPoolOptions {
  readonly runFolder: string
  /** The worker's entry module. */
  readonly entry: string
  readonly execArgv: readonly string[]
  readonly childEnvironment: Readonly<Record<string, string>>
  readonly clock: Clock
  readonly guardian: () => Guardian | undefined
  /** The first worker, started already. */
  readonly early?: EarlyWorker
  readonly claimPages: ClaimPages
  /** How long a worker that was asked to leave may take before it is killed. Default 2,000 ms. */
  readonly gracefulMs?: number
  /** Ended workers whose output is kept. Default 100. */
  readonly keptLogs?: number
  /** Asks the worker to leave; false when there is no link to it. */
  readonly sayExit: (worker: ProcessId, reason: string) => boolean
  /** The process is made; its output is in these files. */
  readonly onStarted: (worker: ProcessId, pid: number) => void
  /** Called once per worker, in a turn of its own, when its process and its group are gone. */
  readonly onExit: (worker: ProcessId, report: ExitReport) => void
  readonly events: Pick<NodeManagerEvents, 'warn'>
}

export interface EndedWorker {
  readonly exit: ExitReport
  /** The highest sequence of an epoch that was started, -1 for none, null where nobody can know. */
  readonly startedUpTo: (epoch: number) => number | null
}

interface Running {
  readonly process: WorkerProcess
  readonly page: WorkerPage | undefined
  readonly pagePath: string
  /** Its newest epochs, whose progress is remembered after its end. */
  readonly epochs: number[]
  readonly waiting: ((ended: EndedWorker) => void)[]
  killTimer: Timer | undefined
}

/** Ended workers that are remembered. */
const rememberedExits = 1_000
/** Epochs whose progress outlives their worker: the newest lease, and those that shared the worker with it. */
const keptEpochs = 16

export class WorkerPool {
  readonly #options: WorkerPoolOptions
  readonly #running = new Map<ProcessId, Running>()
  readonly #ended = new BoundedMap<ProcessId, EndedWorker>(rememberedExits)
  /** Ended workers whose output is still there, oldest first. */
  readonly #logged: ProcessId[] = []
  #emptyWaiters: (() => void)[] = []
  #early: EarlyWorker | undefined
  #toldOfLeft = false

  constructor(options: WorkerPoolOptions) {
    this.#options = options
    this.#early = options.early
  }

  get size(): number {
    return this.#running.size
  }

  /** The worker that runs already and was not started here: the next one to start. */
  get earlyWorker(): ProcessId | undefined {
    return this.#early?.worker
  }

  has(worker: ProcessId): boolean {
    return this.#running.has(worker)
  }

  /** Whether it has ended, or never was. */
  isOver(worker: ProcessId): boolean {
    return !this.#running.has(worker) && this.#early?.worker !== worker
  }

  /** Whether it was asked to leave and still may. */
  isLeaving(worker: ProcessId): boolean {
    return this.#running.get(worker)?.killTimer !== undefined
  }

  /** Of the processes that run, the oldest first. */
  pids(): number[] {
    return [...this.#running.values()].map(({ process }) => process.pid).filter((pid) => pid > 0)
  }

  /** Also of one that has ended, for a while. */
  pidOf(worker: ProcessId): number {
    return this.#running.get(worker)?.process.pid ?? this.#ended.get(worker)?.exit[2] ?? 0
  }

  socketPath(worker: ProcessId): string {
    return join(this.#options.runFolder, `${worker}.sock`)
  }

  /** '' where there is no page to share. */
  pagePath(worker: ProcessId): string {
    const running = this.#running.get(worker)
    return running?.page === undefined ? '' : running.pagePath
  }

  logPath(worker: ProcessId, stream: 'out' | 'err'): string {
    return outputPath(this.#options.runFolder, worker, stream)
  }

  page(worker: ProcessId): WorkerPage | undefined {
    return this.#running.get(worker)?.page
  }

  /**
   * Starts a process for tasks of an environment, whose variables it has. What goes wrong at once is told by `onExit`
   * as well.
   */
  start(worker: ProcessId, environment: string): void {
    const { runFolder, claimPages, guardian, onStarted } = this.#options
    const pagePath = join(runFolder, 'pages', worker)
    let page: WorkerPage | undefined
    try {
      claimPages.create(pagePath)
      page = claimPages.open(pagePath)
      const process = this.#take(worker) ?? this.#spawn(worker, environment)
      this.#running.set(worker, { process, page, pagePath, epochs: [], waiting: [], killTimer: undefined })
      if (process.pid > 0) guardian()?.guard(process.pid)
      onStarted(worker, process.pid)
    } catch (error) {
      if (!this.#running.has(worker)) page?.close()
      // Told later, as every other exit is: the caller is in the middle of a decision.
      const report: ExitReport = [null, null, 0, withAdvice(error)]
      setImmediate(() => this.#exited(worker, report))
    }
  }

  /** The early worker, when it is that one. */
  #take(worker: ProcessId): WorkerProcess | undefined {
    if (this.#early?.worker !== worker) return undefined
    const process = this.#early.adopt((report) => this.#exited(worker, report))
    this.#early = undefined
    return process
  }

  #spawn(worker: ProcessId, environment: string): WorkerProcess {
    const { runFolder, entry, execArgv, childEnvironment } = this.#options
    return new WorkerProcess({
      ...{ worker, entry, runFolder, execArgv },
      environment: withVariables(childEnvironment, parseEnvironment(environment).env),
      outPath: this.logPath(worker, 'out'),
      errPath: this.logPath(worker, 'err'),
      onExit: (report) => this.#exited(worker, report),
    })
  }

  /** A lease of this worker begins. */
  noteEpoch(worker: ProcessId, epoch: number): void {
    const epochs = this.#running.get(worker)?.epochs
    if (epochs !== undefined && epochs.push(epoch) > keptEpochs) epochs.shift()
  }

  /** Ends a worker; a graceful end is asked for first and enforced after `gracefulMs`. */
  end(worker: ProcessId, reason: string, graceful: boolean): void {
    const running = this.#running.get(worker)
    if (running === undefined) return
    if (!graceful || !this.#options.sayExit(worker, reason)) return running.process.kill(reason)
    const { clock, gracefulMs = 2_000 } = this.#options
    running.killTimer ??= clock.after(gracefulMs, () => running.process.kill(reason))
  }

  /** Kills a worker if it lives and resolves with how it ended; undefined for one that nobody remembers. */
  ended(worker: ProcessId, reason: string): Promise<EndedWorker> | undefined {
    const running = this.#running.get(worker)
    if (running !== undefined) {
      running.process.kill(reason)
      return new Promise((resolve) => running.waiting.push(resolve))
    }
    const remembered = this.#ended.get(worker)
    return remembered === undefined ? undefined : Promise.resolve(remembered)
  }

  /** Kills everything; synchronous, so that it also serves in an `exit` handler. */
  killAll(reason: string): void {
    for (const { process } of this.#running.values()) process.kill(reason)
  }

  /** Resolves when no process is left. */
  empty(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve()
    return new Promise((resolve) => this.#emptyWaiters.push(resolve))
  }

  #exited(worker: ProcessId, exit: ExitReport): void {
    const { guardian, onExit, runFolder } = this.#options
    const running = this.#running.get(worker)
    this.#running.delete(worker)
    running?.killTimer?.cancel()
    if (exit[2] > 0) guardian()?.release(exit[2])
    const ended: EndedWorker = { exit, startedUpTo: progressOf(running) }
    running?.page?.close()
    this.#remove([join(runFolder, 'pages', worker), this.socketPath(worker)])
    this.#ended.set(worker, ended)
    onExit(worker, exit)
    this.#removeOldLogs(worker)
    for (const resolve of running?.waiting ?? []) resolve(ended)
    if (this.#running.size === 0) for (const resolve of this.#emptyWaiters.splice(0)) resolve()
  }

  #removeOldLogs(newest: ProcessId): void {
    this.#logged.push(newest)
    while (this.#logged.length > (this.#options.keptLogs ?? 100)) {
      const oldest = this.#logged.shift() as ProcessId
      for (const stream of ['out', 'err'] as const) this.#remove(forgetLog(this.logPath(oldest, stream)))
    }
  }

  /** A disk that has become read-only keeps what is on it, and ends nobody: that is told once. */
  #remove(paths: readonly string[]): void {
    for (const path of paths)
      try {
        unlinkSync(path)
      } catch (error) {
        if (this.#toldOfLeft || (error as NodeJS.ErrnoException).code === 'ENOENT') continue
        this.#toldOfLeft = true
        this.#options.events.warn(`what workers leave behind when they end cannot be removed: ${withAdvice(error)}`)
      }
  }
}

/** Reads the page for the last time. */
function progressOf(running: Running | undefined): EndedWorker['startedUpTo'] {
  const page = running?.page
  if (page === undefined) return () => null
  const progress = new Map(running?.epochs.map((epoch) => [epoch, page.startedUpTo(epoch)]))
  return (epoch) => progress.get(epoch) ?? null
}
