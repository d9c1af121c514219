/**
 * Tasks that are sent to a worker ahead of their turn, so that it goes on without waiting for the pool, and many answers
 * come at once. They wait in the pool's queue until the worker's answers reach them, and are had back when
 * - a worker has nothing to do (half of what the one with most has),
 * - what runs before them takes long (then it is for the next worker that is free),
 * - that worker is cleaned up, ends, or the pool does.
 * How many may be ahead is the owner's measure: little expected work, none behind a method that takes long or was never
 * called there.
 */
import { ClusterWorker } from './cluster-worker.ts'
import type { FifoQueue } from './fifo-queue.ts'
import type { WorkerHandler } from './original.ts'

/** What is behind a task that runs for longer is not next to nothing any more, in milliseconds. */
const lateMs = 10

export class Ahead {
  readonly #queue: FifoQueue
  readonly #workers: readonly WorkerHandler[]
  #turn = 0
  /** No worker would take one more; until one has answered. */
  #full = false
  #lookedMs = 0

  constructor(queue: FifoQueue, workers: readonly WorkerHandler[]) {
    this.#queue = queue
    this.#workers = workers
  }

  /** A worker has answered, or what it had is back. */
  hasRoom(): void {
    this.#full = false
  }

  /** Whether there is a task for a worker that is free: the next one sent to it, or one that waits, if need be had back. */
  findFor(worker: ClusterWorker | undefined): boolean {
    const next = worker?.nextAhead()
    if (next !== undefined) this.#queue.choose(next)
    return next !== undefined || this.#queue.first !== undefined || this.#takeOver()
  }

  /** Sends what may be sent, in turn. */
  send(): void {
    if (this.#full || this.#queue.first === undefined) return
    const workers = this.#workers
    // One that is not there yet has a task of its own, which goes to the first that is free.
    if (!workers.every((worker) => worker instanceof ClusterWorker && worker.ready && worker.busy())) return
    this.#recallLate()
    for (let refused = 0; refused < workers.length;) {
      const task = this.#queue.first
      // One that was cancelled is passed over when its turn comes.
      if (task?.resolver.promise.pending !== true) return
      const worker = workers[this.#turn++ % workers.length] as ClusterWorker
      if (worker.takesAhead(task)) {
        this.#queue.sendFirst()
        worker.sendAhead(task)
        refused = 0
      } else refused++
    }
    this.#full = true
  }

  /** All that has not started waits in the queue again. */
  recallAll(): void {
    for (const worker of this.#workers) if (worker instanceof ClusterWorker) worker.returnAhead()
  }

  #takeOver(): boolean {
    const withMost = this.#workers
      .filter((worker) => worker instanceof ClusterWorker)
      .sort((one, other) => other.ahead - one.ahead)
    for (const worker of withMost) {
      worker.returnAhead(Math.ceil(worker.ahead / 2))
      if (this.#queue.first !== undefined) return true
    }
    return false
  }

  #recallLate(): void {
    const nowMs = performance.now()
    if (nowMs - this.#lookedMs < lateMs / 2) return
    this.#lookedMs = nowMs
    for (const worker of this.#workers)
      if (worker instanceof ClusterWorker && worker.ahead > 0 && nowMs - worker.sinceMs > lateMs) worker.returnAhead()
  }
}
