/** The process of a worker of a pool: its start, which is repeated where that runs nothing twice, and its end. */
import { isSystemFailure } from '../../lib/call-failures.ts'
import { clusterCpus } from '../../lib/cluster-size.ts'
import { acquireWorker, type PinnedWorker, type WorkerExit, type WorkerFacts } from '../../lib/pinned.ts'
import { exitErrorOf, startErrorOf } from './errors.ts'
import type { ClusterWorkerOptions } from './cluster-worker-options.ts'
import { HostedScript } from './hosted-script.ts'

/** A start that failed because the worker or its node died has run nothing: it may be repeated, so often. */
const maxStarts = 3

/** Who is told of it. Of an end that was asked for, nobody. */
export interface ProcessListener {
  stands(host: HostedScript): void
  failed(reason: Error): void
  /** It stood. */
  ended(): void
}

export class WorkerProcess {
  facts: WorkerFacts | undefined
  host: HostedScript | undefined
  /** Its end was asked for. */
  asked = false
  readonly #script: string | undefined
  readonly #options: ClusterWorkerOptions
  readonly #told: ProcessListener
  #isStarted = false
  #pinned: PinnedWorker | undefined
  #exit: WorkerExit | undefined

  constructor(script: string | undefined, options: ClusterWorkerOptions, told: ProcessListener) {
    this.#script = script
    this.#options = options
    this.#told = told
  }

  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    void this.#start()
  }

  async #start(): Promise<void> {
    for (let start = 1; ; start++) {
      try {
        const cpus = await clusterCpus()
        if (this.asked) return
        const pinned = this.#acquire(cpus)
        this.facts = await pinned.ready
        this.host = new HostedScript(pinned, this.#options.flattening)
        this.#told.stands(this.host)
        return
      } catch (error) {
        if (this.asked) return
        if (start < maxStarts && isSystemFailure(error) && this.#hasRunNothing()) continue
        this.#told.failed(this.#exit === undefined ? startErrorOf(error) : this.lossOf(error))
        return
      }
    }
  }

  /** Nothing of the user's: it has no script, or never said who it is, which it does before it loads that. */
  #hasRunNothing(): boolean {
    return this.#exit?.nodeDied === true || this.#script === undefined || this.#pinned?.facts === undefined
  }

  #acquire(cpus: number): PinnedWorker {
    const { forkArgs, forkOpts, numCpus, flattening, onLeft } = this.#options
    this.#exit = undefined
    const pinned = acquireWorker({
      ...HostedScript.setUp(this.#script, forkArgs, forkOpts, flattening),
      numCpus: numCpus(cpus),
      name: 'workerpool',
      startOf: this.#script === undefined ? 'the pool' : `the pool of ${this.#script}`,
    })
    this.#pinned = pinned
    pinned.onExit = (exit) => {
      this.#exit = exit
      if (exit.left) onLeft()
      if (!this.asked && this.host !== undefined) this.#told.ended()
    }
    return pinned
  }

  /** Why a task that ran here failed with it. */
  lossOf(error: unknown): Error {
    return exitErrorOf(error, { script: this.#script, exit: this.#exit, facts: this.facts ?? this.#pinned?.facts })
  }

  /** It is of no use any more, whatever is left of it. */
  drop(): void {
    this.#pinned?.terminate().catch(() => undefined)
  }

  /** `now`: without a word to the script, whose task may never yield. */
  async end(now: boolean): Promise<void> {
    try {
      if (!now && this.#script !== undefined) await this.host?.sayGoodbye(this.#options.workerTerminateTimeout)
      this.asked = true
      await (now || this.host === undefined ? this.#pinned?.terminate() : this.#pinned?.release())
    } catch {
      // It is gone, one way or the other.
    }
  }
}
