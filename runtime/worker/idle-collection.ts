/**
 * Refs that user code has dropped are given back when they are collected, and a process that does nothing collects
 * nothing: what its last task dropped would live as long as the worker. So a worker that is idle, and still holds refs
 * or objects, collects garbage itself.
 *
 *     1 working --no task runs, something is held--> 2 idle --wait--> collects --still held--> 2, with twice the wait
 *         ^------------------task--------------------+
 *
 * A collection stops the worker, for longer the larger its heap is, so the next one waits for twenty times that.
 */
import type { Clock, Timer } from '../base/clock.ts'

export interface IdleCollectionParts {
  readonly clock: Clock
  readonly isIdle: () => boolean
  /** Whether anything is held that a collection could free. */
  readonly holds: () => boolean
  readonly collect: () => void
}

const leastWaitMs = 300
/** For the first collection after a task: others may wait for what that gives back. */
const mostFirstWaitMs = 5_000
const mostWaitMs = 60_000
const waitPerCollection = 20

export class IdleCollection {
  readonly #parts: IdleCollectionParts
  #timer: Timer | undefined
  /** What the timer was set to. */
  #waitMs = 0
  #firstWaitMs = leastWaitMs

  constructor(parts: IdleCollectionParts) {
    this.#parts = parts
  }

  /** No task runs any more. */
  idle(): void {
    if (this.#timer !== undefined && this.#waitMs <= this.#firstWaitMs) return
    if (this.#parts.holds()) this.#wait(this.#firstWaitMs)
  }

  #wait(waitMs: number): void {
    this.#timer?.cancel()
    this.#waitMs = waitMs
    this.#timer = this.#parts.clock.after(waitMs, () => {
      this.#timer = undefined
      const { clock, isIdle, holds, collect } = this.#parts
      // `idle` is called again when what runs now has ended.
      if (!isIdle() || !holds()) return
      const startedAt = clock.now()
      collect()
      const pauseMs = (clock.now() - startedAt) * waitPerCollection
      this.#firstWaitMs = Math.min(mostFirstWaitMs, Math.max(leastWaitMs, pauseMs))
      this.#wait(Math.min(mostWaitMs, Math.max(2 * waitMs, pauseMs)))
    })
  }
}
