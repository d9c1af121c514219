/**
 * Whether a worker works. Between two tasks of which the second waits here already nobody has to know that none runs: what
 * is done at a rest costs 0.3 ms after a long task, when nothing of it is in the caches. Nor before what has come during
 * a long task has been read.
 */
import { queueMicrotask, setImmediate } from '../base/timers.ts'

export interface RunnerEvents {
  /** A task is about to run, after a rest. */
  working(): void
  /** The last task has ended, and none waits that could start. */
  idle(): void
}

/** What the process of a worker is told of its tasks. */
export interface TaskEvents extends RunnerEvents {
  /** A task that had waited for a value goes on, of the lease with that epoch. */
  resumed(epoch: number): void
  /** One has ended, and its answer leaves in this turn. */
  ended(): void
}

/** What lies between the end of a task and what comes next in its process. */
export interface Turns {
  queueMicrotask(act: () => void): void
  setImmediate(act: () => void): void
}

export class WorkAndRest {
  readonly #events: RunnerEvents
  readonly #turns: Turns
  #state: 'rests' | 'works' | 'pauses' = 'rests'
  #pauses = 0
  #wasLong = false
  #looksSoon = false

  constructor(events: RunnerEvents, turns: Turns = { queueMicrotask, setImmediate }) {
    this.#events = events
    this.#turns = turns
  }

  /** A task is about to run. */
  work(): void {
    if (this.#state === 'rests') this.#events.working()
    this.#state = 'works'
  }

  /** No task runs, and none can start. A rest, where what is being read, or waits behind a long task, brings none. */
  rest(wasLong = false): void {
    if (this.#state !== 'works') return
    this.#state = 'pauses'
    this.#wasLong = wasLong
    this.#pauses++
    if (!this.#looksSoon) this.#lookSoon()
  }

  #lookSoon(): void {
    this.#looksSoon = true
    const pause = this.#pauses
    const look = (): void => {
      this.#looksSoon = false
      if (this.#state !== 'pauses') return
      // It worked in between: since the end of that nothing has been read.
      if (this.#wasLong && pause !== this.#pauses) return this.#lookSoon()
      this.#state = 'rests'
      this.#events.idle()
    }
    // The first of the two comes before anything more is read.
    if (this.#wasLong) this.#turns.setImmediate(() => this.#turns.setImmediate(look))
    else this.#turns.queueMicrotask(look)
  }
}
