/** Does what `PoolState` decides: starts and ends pinned workers, hands chunks to them, brings their answers back. */
import { afterRuns, isSystemFailure, toldBy, withinItem } from '../../lib/call-failures.ts'
import { isLocal } from '../../lib/cluster-size.ts'
import { ConnectionLostError } from '../../lib/errors.ts'
import {
  acquireWorker,
  type Callable,
  type PinnedWorker,
  type PinnedWorkerOptions,
  type WorkerFacts,
} from '../../lib/pinned.ts'
import { answerOf, type ChunkAnswer, type WorkerAnswer } from './chunk-answer.ts'
import { followClusterCpus } from './cluster-cpus.ts'
import { cpuShare } from './cpu-share.ts'
import { PoolState, type ChunkId, type PoolEvent, type PoolInstruction, type WorkerId } from './pool-state.ts'
import type { Items } from './words.ts'

/** How a worker goes through the items of a chunk: up to the first that fails, or all of them. */
export type ChunkMode = 'map' | 'starmap' | 'each'

/**
 * Why a chunk has no answer: no worker could be started for it, its workers died too often, its call failed (the
 * function or a value cannot travel), or the pool was terminated.
 */
export type ChunkFailure = 'start' | 'lost' | 'call' | 'terminated'

export interface Chunk {
  readonly fn: Callable
  readonly items: Items
  readonly mode: ChunkMode
  /** A worker takes it; again for each time that it runs again. */
  started?(): void
  answered(answer: ChunkAnswer): void
  /** `answered` reads the values at once and keeps none of them, so that numbers need not be copied for it. */
  readonly readsAtOnce?: boolean
  failed(error: unknown, why: ChunkFailure): void
}

export interface PoolRunnerOptions {
  /** undefined: as many as the cluster has CPUs, following it. */
  readonly processes: number | undefined
  readonly initializer: Callable | undefined
  readonly initargs: readonly unknown[]
  /** A worker is replaced after so many chunks. */
  readonly maxTasksPerChild: number | undefined
  /** CPUs that each worker holds; by default 1, or an equal share where `processes` is more than there are. */
  readonly numCpus: number | undefined
  readonly resources: Readonly<Record<string, number>> | undefined
  readonly name: string | undefined
  /** What it is, in words, for errors: `the Pool`. */
  readonly kind: string
  /** How often a chunk is run again when its worker or node died. Default 3. */
  readonly maxReruns?: number
  /** What chunks fail with that were still to come when the pool was terminated. */
  readonly terminated: (what: string) => Error
}

/** One worker of the pool, past or present. */
export interface PoolWorkerReport {
  readonly node: string
  readonly pid: number
  readonly items: number
  readonly chunks: number
  readonly alive: boolean
}

export interface PoolRunnerReport {
  readonly processes: number
  /** Chunks that were run again because their worker or node died. */
  readonly reruns: number
  /** The items of those chunks. */
  readonly rerunItems: number
  /** The workers, those that are gone included; `items` and `chunks` are what each has done. */
  readonly workers: readonly PoolWorkerReport[]
}

type FailInstruction = Extract<PoolInstruction, { type: 'fail' }>

interface PoolWorker {
  readonly pinned: PinnedWorker
  facts: WorkerFacts | undefined
  items: number
  chunks: number
  /** It was asked to go: its end is no loss. */
  asked: boolean
  alive: boolean
  /** It runs a chunk: its end is told by that call. */
  busy: boolean
}

/** Workers that are gone are remembered for `explain`, so many of them. */
const maxRemembered = 1000

export class PoolRunner {
  /** Resolves when the pool has ended and every worker of it is gone. */
  readonly finished: Promise<void>
  readonly #options: PoolRunnerOptions
  readonly #state: PoolState
  readonly #workers = new Map<WorkerId, PoolWorker>()
  readonly #gone: PoolWorkerReport[] = []
  readonly #chunks = new Map<ChunkId, Chunk>()
  /** Chunks that a worker was given; those that are given once more run again. */
  readonly #begun = new Set<ChunkId>()
  #rerunItems = 0
  readonly #events: PoolEvent[] = []
  #handling = false
  #nextChunk = 1
  #cpus = 1
  #finish: () => void = () => undefined
  #sizedWaiters: (() => void)[] = []
  /** undefined while the program has left: nothing is started before the next chunk. */
  #stopFollowing: (() => void) | undefined

  constructor(options: PoolRunnerOptions) {
    this.#options = options
    const { maxTasksPerChild, maxReruns } = options
    this.#state = new PoolState({ maxTasksPerWorker: maxTasksPerChild, ...(maxReruns !== undefined && { maxReruns }) })
    this.finished = new Promise((resolve) => {
      this.#finish = resolve
    })
    this.#follow()
  }

  #follow(): void {
    const { processes } = this.#options
    this.#stopFollowing ??= followClusterCpus((cpus) => {
      this.#cpus = cpus ?? 1
      this.#dispatch({ type: 'resize', processes: processes ?? Math.max(1, Math.floor(this.#cpus)) })
    })
  }

  get processes(): number {
    return this.#options.processes ?? this.#state.processes
  }

  /** The number of workers, as soon as it is known. */
  async whenSized(): Promise<number> {
    while (this.processes === 0 && this.#state.mode === 'running') await this.#sized()
    return Math.max(1, this.processes)
  }

  #sized(): Promise<void> {
    return new Promise((resolve) => this.#sizedWaiters.push(resolve))
  }

  /** Returns how to give the chunk up; that tells whether it had not started, so that it never will. */
  submit(chunk: Chunk): () => boolean {
    if (this.#state.mode !== 'running')
      throw this.#options.terminated('The pool was terminated before this call could start')
    const id = this.#nextChunk++
    this.#follow()
    this.#chunks.set(id, chunk)
    this.#dispatch({ type: 'submit', chunk: id })
    return () => {
      this.#dispatch({ type: 'abandon', chunk: id })
      return !this.#state.has(id) && this.#take(id) !== undefined
    }
  }

  close(): void {
    this.#dispatch({ type: 'close' })
  }

  terminate(): Promise<void> {
    this.#dispatch({ type: 'terminate' })
    return this.finished
  }

  report(): PoolRunnerReport {
    const present = [...this.#workers.values()].map(reportOf).filter((report) => report !== undefined)
    const workers = [...this.#gone, ...present]
    return { processes: this.processes, reruns: this.#state.reruns, rerunItems: this.#rerunItems, workers }
  }

  /**
   * One event after the other: what an instruction causes at once is handled behind it. Who waits for a chunk that failed
   * is told behind all of them, because what it does then, such as to cancel another one, must be done when it goes on.
   */
  #dispatch(event: PoolEvent): void {
    this.#events.push(event)
    if (this.#handling) return
    this.#handling = true
    const failures: FailInstruction[] = []
    try {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift()) {
        const instructions = this.#state.handle(next)
        for (const instruction of instructions) {
          if (instruction.type === 'fail') failures.push(instruction)
          else this.#do(instruction)
        }
        if (next.type === 'resize' || next.type === 'terminate') for (const wake of this.#sizedWaiters.splice(0)) wake()
      }
    } finally {
      this.#handling = false
    }
    for (const failure of failures) this.#fail(failure)
  }

  #do(instruction: Exclude<PoolInstruction, FailInstruction>): void {
    switch (instruction.type) {
      case 'start':
        return this.#start(instruction.worker)
      case 'run':
        return this.#run(instruction.worker, instruction.chunk)
      case 'release':
        return this.#end(instruction.worker, (pinned) => pinned.release())
      case 'kill':
        return this.#end(instruction.worker, (pinned) => pinned.terminate())
      case 'finished':
        this.#stopFollowing?.()
        this.#finish()
    }
  }

  #fail({ chunk, why, error }: FailInstruction): void {
    const failed = this.#take(chunk)
    if (why === 'terminated')
      failed?.failed(error ?? this.#options.terminated('The pool was terminated before this result was there'), why)
    else
      failed?.failed(
        why === 'lost' && isSystemFailure(error) ? afterRuns(error, this.#state.maxReruns + 1) : error,
        why,
      )
  }

  #start(id: WorkerId): void {
    let pinned: PinnedWorker
    try {
      pinned = acquireWorker(this.#workerOptions())
    } catch (error) {
      this.#dispatch({ type: 'startFailed', worker: id, retryable: false, error })
      return
    }
    const worker: PoolWorker = { pinned, facts: undefined, items: 0, chunks: 0, asked: false, alive: true, busy: false }
    this.#workers.set(id, worker)
    pinned.ready.then(
      (facts) => {
        worker.facts = facts
        this.#dispatch({ type: 'ready', worker: id })
      },
      (error: unknown) => {
        if (worker.asked) return
        worker.asked = true
        // The process may stand though its initializer failed.
        pinned.terminate().catch(() => undefined)
        this.#forget(id, worker)
        const told = toldBy(error, (path) => path.replace(/^args/, 'initargs'))
        this.#dispatch({ type: 'startFailed', worker: id, retryable: isSystemFailure(error), error: told })
      },
    )
    pinned.onExit = (exit) => {
      worker.alive = false
      if (exit.left) return this.#left()
      if (worker.asked || worker.busy || worker.facts === undefined) return
      this.#forget(id, worker)
      this.#dispatch({
        type: 'lost',
        worker: id,
        error: new Error(`An idle worker of the pool ended (code ${exit.code}, signal ${exit.signal})`),
      })
    }
  }

  #workerOptions(): PinnedWorkerOptions {
    const { initializer, initargs, kind, numCpus, resources, name, processes } = this.#options
    return {
      numCpus: numCpus ?? cpuShare(processes ?? 1, this.#cpus, isLocal()),
      ...(initializer === undefined ? {} : { initializer, initargs }),
      ...(resources === undefined ? {} : { resources }),
      ...(name === undefined ? { startOf: kind } : { name, startOf: `${kind} '${name}'` }),
    }
  }

  #run(id: WorkerId, chunkId: ChunkId): void {
    const worker = this.#workers.get(id) as PoolWorker
    const chunk = this.#chunks.get(chunkId) as Chunk
    worker.busy = true
    if (this.#begun.has(chunkId)) this.#rerunItems += chunk.items.length
    this.#begun.add(chunkId)
    chunk.started?.()
    // Asynchronous, because a function or an item that cannot travel throws at once: that is the chunk's own failure.
    const succeeded = (answer: ChunkAnswer): void => {
      worker.chunks++
      worker.items += answer.values.length
      this.#free(id, worker, chunkId, (answered) => answered.answered(answer))
    }
    let isTold = false
    const within = (sent: WorkerAnswer): void => {
      isTold = true
      succeeded(answerOf(sent))
    }
    const { mode } = chunk
    const options = chunk.readsAtOnce === true ? { mode, within } : { mode }
    const call = async (): Promise<WorkerAnswer> =>
      worker.pinned.run<WorkerAnswer>(chunk.fn, [chunk.items], options).promise
    call().then(
      (sent) => isTold || succeeded(answerOf(sent)),
      (error: unknown) => {
        if (isTold) throw error
        worker.busy = false
        if (isSystemFailure(error) || !worker.alive) this.#lost(id, worker, error)
        else {
          const told = withinItem(error, chunk.mode === 'starmap' ? 'args' : 'item')
          this.#free(id, worker, chunkId, (answered) => answered.failed(told, 'call'))
        }
      },
    )
  }

  /** The worker gets its next chunk before anybody is told of the last one. */
  #free(id: WorkerId, worker: PoolWorker, chunkId: ChunkId, tell: (chunk: Chunk) => void): void {
    worker.busy = false
    const chunk = this.#take(chunkId)
    this.#dispatch({ type: 'done', worker: id })
    if (chunk !== undefined) tell(chunk)
    if (worker.alive || worker.asked) return
    this.#lost(id, worker, new Error('A worker of the pool ended behind its last chunk'))
  }

  #lost(id: WorkerId, worker: PoolWorker, error: unknown): void {
    if (worker.asked) return
    worker.asked = true
    // It may be only out of reach: its process must not outlive its place in the pool.
    worker.pinned.terminate().catch(() => undefined)
    this.#forget(id, worker)
    this.#dispatch({ type: 'lost', worker: id, error })
  }

  /** Its workers ended with everything else of this program, and there may be no other moment to tell. */
  #left(): void {
    this.#stopFollowing?.()
    this.#stopFollowing = undefined
    for (const [id, worker] of this.#workers) {
      worker.asked = true
      this.#forget(id, worker)
    }
    const error = new ConnectionLostError('outpool was shut down before this result of the pool was there')
    this.#dispatch({ type: 'left', error })
  }

  #end(id: WorkerId, end: (pinned: PinnedWorker) => Promise<void>): void {
    const worker = this.#workers.get(id)
    if (worker === undefined) {
      this.#dispatch({ type: 'gone', worker: id })
      return
    }
    worker.asked = true
    const gone = (): void => {
      this.#forget(id, worker)
      this.#dispatch({ type: 'gone', worker: id })
    }
    end(worker.pinned).then(gone, gone)
  }

  #take(id: ChunkId): Chunk | undefined {
    const chunk = this.#chunks.get(id)
    this.#chunks.delete(id)
    this.#begun.delete(id)
    return chunk
  }

  #forget(id: WorkerId, worker: PoolWorker): void {
    worker.alive = false
    if (!this.#workers.delete(id)) return
    const report = reportOf(worker)
    if (report === undefined) return
    this.#gone.push(report)
    if (this.#gone.length > maxRemembered) this.#gone.shift()
  }
}

function reportOf(worker: PoolWorker): PoolWorkerReport | undefined {
  if (worker.facts === undefined) return undefined
  return {
    node: worker.facts.node,
    pid: worker.facts.pid,
    items: worker.items,
    chunks: worker.chunks,
    alive: worker.alive,
  }
}
