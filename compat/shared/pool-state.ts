/**
 * What a pool decides: which idle worker takes which chunk, what becomes of a chunk whose worker died, when workers are
 * started and ended. Pure: events in, instructions out.
 *
 *   worker   1 starting --ready--> 2 idle --run--> 3 busy --done--> 2
 *            1 | 2 | 3 --lost--> gone, and replaced          1 --startFailed--> gone, replaced if that may help
 *            2 --release--> 4 ending --gone--> gone
 *   chunk    queued --run--> running --done--> gone
 *            running --its worker is lost--> queued again, in front, `maxReruns` times; then it fails
 *   pool     running --close--> closed --no chunk left, no worker left--> finished
 *            running | closed --terminate--> terminated --no worker left--> finished
 *            --left--> no worker, no chunk; starts none before the next submit
 */
import { ChunkQueue } from './chunk-queue.ts'

export type WorkerId = number
export type ChunkId = number

export type PoolEvent =
  /** The number of workers that the pool is to have. */
  | { readonly type: 'resize'; readonly processes: number }
  | { readonly type: 'submit'; readonly chunk: ChunkId }
  /** Nobody wants the result any more. */
  | { readonly type: 'abandon'; readonly chunk: ChunkId }
  | { readonly type: 'ready'; readonly worker: WorkerId }
  /** `retryable`: the worker or its node died; otherwise the initializer, or the placement, failed. */
  | { readonly type: 'startFailed'; readonly worker: WorkerId; readonly retryable: boolean; readonly error: unknown }
  /** The chunk has its answer, good or bad, and the worker is free. */
  | { readonly type: 'done'; readonly worker: WorkerId }
  /** The process is gone without having been asked to go. */
  | { readonly type: 'lost'; readonly worker: WorkerId; readonly error: unknown }
  /** The process that was asked to go is gone. */
  | { readonly type: 'gone'; readonly worker: WorkerId }
  /** The program left the cluster, or ended its node: all workers are gone, and their chunks with them. */
  | { readonly type: 'left'; readonly error: unknown }
  | { readonly type: 'close' }
  | { readonly type: 'terminate' }

export type PoolInstruction =
  | { readonly type: 'start'; readonly worker: WorkerId }
  | { readonly type: 'run'; readonly worker: WorkerId; readonly chunk: ChunkId }
  /** End the worker in order: it has nothing to do. */
  | { readonly type: 'release'; readonly worker: WorkerId }
  /** End the worker now. */
  | { readonly type: 'kill'; readonly worker: WorkerId }
  /** The chunk will not run (again). */
  | { readonly type: 'fail'; readonly chunk: ChunkId; readonly why: 'start' | 'lost'; readonly error: unknown }
  | { readonly type: 'fail'; readonly chunk: ChunkId; readonly why: 'terminated'; readonly error?: unknown }
  /** Closed or terminated, and no worker left. Said once. */
  | { readonly type: 'finished' }

export type PoolMode = 'running' | 'closed' | 'terminated'

interface WorkerState {
  phase: 'starting' | 'idle' | 'busy' | 'ending'
  chunk: ChunkId | undefined
  /** Chunks that it has done, for `maxTasksPerWorker`. */
  tasks: number
}

interface ChunkState {
  reruns: number
  worker: WorkerId | undefined
}

export interface PoolStateOptions {
  /** A worker is replaced after so many chunks; undefined is never. */
  readonly maxTasksPerWorker?: number | undefined
  /** So often a chunk is run again when its worker or node died. Default 3. */
  readonly maxReruns?: number
  /** So many starts in a row may fail because a worker died before a start is given up. Default 3. */
  readonly maxStartFailures?: number
}

export class PoolState {
  mode: PoolMode = 'running'
  /** Chunks that were run again because their worker or node died. */
  reruns = 0
  #processes = 0
  #nextWorker = 1
  #startFailures = 0
  /** Of the last start that failed. */
  #startError: unknown
  #finished = false
  /** A pool that nobody ends must not bring its program back to life: after `left` it waits for work. */
  #asleep = false
  readonly #queue = new ChunkQueue()
  readonly #chunks = new Map<ChunkId, ChunkState>()
  readonly #workers = new Map<WorkerId, WorkerState>()
  /** Idle workers, the one that has been idle for the shortest time last: it is taken first, its caches are warm. */
  readonly #idle: WorkerId[] = []
  readonly #maxTasksPerWorker: number
  /** So often a chunk is run again when its worker or node died. */
  readonly maxReruns: number
  readonly #maxStartFailures: number

  constructor(options: PoolStateOptions = {}) {
    this.#maxTasksPerWorker = options.maxTasksPerWorker ?? Infinity
    this.maxReruns = options.maxReruns ?? 3
    this.#maxStartFailures = options.maxStartFailures ?? 3
  }

  get processes(): number {
    return this.#processes
  }

  /** Chunks that are queued or running. */
  get pending(): number {
    return this.#chunks.size
  }

  /** Whether the chunk is queued or running. */
  has(chunk: ChunkId): boolean {
    return this.#chunks.has(chunk)
  }

  handle(event: PoolEvent): PoolInstruction[] {
    const out: PoolInstruction[] = []
    this.#apply(event, out)
    this.#settle(out)
    return out
  }

  #apply(event: PoolEvent, out: PoolInstruction[]): void {
    switch (event.type) {
      case 'resize':
        this.#processes = event.processes
        return
      case 'submit':
        return this.#submit(event.chunk)
      case 'abandon':
        return this.#abandon(event.chunk)
      case 'ready':
        return this.#ready(event.worker)
      case 'startFailed':
        return this.#startFailed(event.worker, event.retryable, event.error)
      case 'done':
        return this.#done(event.worker)
      case 'lost':
        return this.#lost(event.worker, event.error, out)
      case 'gone':
        this.#forget(event.worker)
        return
      case 'left':
        return this.#left(event.error, out)
      case 'close':
        if (this.mode === 'running') this.mode = 'closed'
        return
      case 'terminate':
        return this.#terminate(out)
    }
  }

  #submit(chunk: ChunkId): void {
    if (this.mode !== 'running') throw new Error(`a chunk was submitted to a pool that is ${this.mode}`)
    // A new call is a new chance: what failed to start may start now.
    if (this.#startFailures > 0 && this.#living() === 0) this.#startFailures = 0
    this.#asleep = false
    this.#chunks.set(chunk, { reruns: 0, worker: undefined })
    this.#queue.push(chunk)
  }

  #abandon(chunk: ChunkId): void {
    // One that runs, runs to its end. The queue skips what it does not find here.
    if (this.#chunks.get(chunk)?.worker === undefined) this.#chunks.delete(chunk)
  }

  #ready(id: WorkerId): void {
    const worker = this.#workers.get(id)
    if (worker?.phase !== 'starting') return
    this.#startFailures = 0
    worker.phase = 'idle'
    this.#idle.push(id)
  }

  #startFailed(id: WorkerId, retryable: boolean, error: unknown): void {
    if (this.#workers.get(id)?.phase !== 'starting') return
    this.#forget(id)
    this.#startFailures = retryable ? this.#startFailures + 1 : Infinity
    this.#startError = error
  }

  /** No worker is left, and none can be started: nothing of what waits will run. */
  #giveUp(out: PoolInstruction[]): void {
    if (this.#startFailures <= this.#maxStartFailures || this.#living() > 0) return
    for (const chunk of this.#queue.clear())
      if (this.#chunks.delete(chunk)) out.push({ type: 'fail', chunk, why: 'start', error: this.#startError })
  }

  #done(id: WorkerId): void {
    const worker = this.#workers.get(id)
    if (worker?.phase !== 'busy') return
    if (worker.chunk !== undefined) this.#chunks.delete(worker.chunk)
    worker.chunk = undefined
    worker.tasks++
    worker.phase = 'idle'
    this.#idle.push(id)
  }

  #lost(id: WorkerId, error: unknown, out: PoolInstruction[]): void {
    const worker = this.#workers.get(id)
    if (worker === undefined) return
    this.#forget(id)
    const chunk = worker.chunk === undefined ? undefined : this.#chunks.get(worker.chunk)
    if (chunk === undefined || worker.chunk === undefined) return
    chunk.worker = undefined
    if (chunk.reruns >= this.maxReruns) {
      this.#chunks.delete(worker.chunk)
      out.push({ type: 'fail', chunk: worker.chunk, why: 'lost', error })
      return
    }
    chunk.reruns++
    this.reruns++
    this.#queue.pushFront(worker.chunk)
  }

  #left(error: unknown, out: PoolInstruction[]): void {
    this.#asleep = true
    this.#failAll(error, out)
    this.#workers.clear()
  }

  #terminate(out: PoolInstruction[]): void {
    if (this.mode === 'terminated') return
    this.mode = 'terminated'
    this.#failAll(undefined, out)
    for (const [id, worker] of this.#workers) {
      // One that is ending in order is hurried as well.
      worker.phase = 'ending'
      worker.chunk = undefined
      out.push({ type: 'kill', worker: id })
    }
  }

  #failAll(error: unknown, out: PoolInstruction[]): void {
    this.#queue.clear()
    for (const chunk of this.#chunks.keys()) out.push({ type: 'fail', chunk, why: 'terminated', error })
    this.#chunks.clear()
    this.#idle.length = 0
  }

  /** What follows from any event: work for who is idle, an end for who is not needed, replacements, the pool's end. */
  #settle(out: PoolInstruction[]): void {
    if (this.mode !== 'terminated') {
      this.#retireWorn(out)
      this.#assign(out)
      this.#retireUnneeded(out)
      this.#startMissing(out)
      this.#giveUp(out)
    }
    if (this.mode !== 'running' && this.#workers.size === 0 && this.#chunks.size === 0 && !this.#finished) {
      this.#finished = true
      out.push({ type: 'finished' })
    }
  }

  #assign(out: PoolInstruction[]): void {
    while (this.#idle.length > 0) {
      const chunk = this.#takeChunk()
      if (chunk === undefined) return
      const id = this.#idle.pop() as WorkerId
      const worker = this.#workers.get(id) as WorkerState
      worker.phase = 'busy'
      worker.chunk = chunk
      const state = this.#chunks.get(chunk) as ChunkState
      state.worker = id
      out.push({ type: 'run', worker: id, chunk })
    }
  }

  #takeChunk(): ChunkId | undefined {
    for (;;) {
      const chunk = this.#queue.shift()
      if (chunk === undefined || this.#chunks.has(chunk)) return chunk
    }
  }

  #retireWorn(out: PoolInstruction[]): void {
    for (const id of this.#idle.slice()) {
      if ((this.#workers.get(id)?.tasks ?? 0) >= this.#maxTasksPerWorker) this.#release(id, out)
    }
  }

  /** First those that are still starting: what stands already is worth more. Busy ones when they are done. */
  #retireUnneeded(out: PoolInstruction[]): void {
    // After close only the workers that still have a chunk, or may yet get one back, stay.
    const wanted = this.mode === 'closed' ? Math.min(this.#processes, this.#chunks.size) : this.#processes
    let surplus = this.#living() - wanted
    if (surplus <= 0) return
    const starting = [...this.#workers].filter(([, worker]) => worker.phase === 'starting').map(([id]) => id)
    for (const id of [...starting.reverse(), ...this.#idle]) {
      if (surplus-- <= 0) return
      this.#release(id, out)
    }
  }

  #release(id: WorkerId, out: PoolInstruction[]): void {
    const worker = this.#workers.get(id) as WorkerState
    worker.phase = 'ending'
    this.#dropIdle(id)
    out.push({ type: 'release', worker: id })
  }

  #startMissing(out: PoolInstruction[]): void {
    if (!this.#mayStart()) return
    const wanted = this.mode === 'closed' ? Math.min(this.#processes, this.#chunks.size) : this.#processes
    while (this.#living() < wanted) {
      const id = this.#nextWorker++
      this.#workers.set(id, { phase: 'starting', chunk: undefined, tasks: 0 })
      out.push({ type: 'start', worker: id })
    }
  }

  #mayStart(): boolean {
    return !this.#asleep && this.#startFailures <= this.#maxStartFailures
  }

  #living(): number {
    let count = 0
    for (const worker of this.#workers.values()) if (worker.phase !== 'ending') count++
    return count
  }

  #forget(id: WorkerId): void {
    this.#workers.delete(id)
    this.#dropIdle(id)
  }

  #dropIdle(id: WorkerId): void {
    const at = this.#idle.indexOf(id)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  /** What must hold after every event; tests call it. */
  validate(): void {
    for (const [id, worker] of this.#workers) {
      if ((worker.phase === 'idle') !== this.#idle.includes(id))
        throw new Error(`worker ${id} is ${worker.phase}, and the list of the idle says otherwise`)
      if (worker.phase === 'busy' && this.#chunks.get(worker.chunk as ChunkId)?.worker !== id)
        throw new Error(`worker ${id} runs a chunk that is not its own`)
    }
    if (this.mode === 'terminated' && this.#chunks.size > 0) throw new Error('a terminated pool holds chunks')
    if (this.#idle.length > 0 && this.#queue.size > 0) throw new Error('a worker is idle while a chunk waits')
  }
}
