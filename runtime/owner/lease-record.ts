/**
 * One lease that this owner holds, and the tasks that it has there, by sequence:
 *
 *       first                    next
 *         v                        v
 *     [ running | waiting | gone | waiting ]      a window over a ring of `leaseWindow`
 *
 * `gone` slots were recalled, or answered out of order. The state:
 *
 *     1 opening --opened--> 2 open --closing()--> 3 closing --empty--> (returned)
 *         |                   |                      |
 *         +------broken-------+--------broken--------+--> 4 ending --workerEnded/nodeDead--> (gone)
 *
 * `closing` takes no further task; `ending` waits for the node's word that the worker is dead.
 */
import { invariant } from '../base/invariant.ts'
import { leaseWindow } from '../base/limits.ts'
import type { Grant, SubmitOptions } from './submit-types.ts'

const ringSize = leaseWindow
const nothing = -1

export type LeaseState = 'opening' | 'open' | 'closing' | 'ending'

export class LeaseRecord {
  readonly index: number
  readonly classIndex: number
  readonly grant: Grant
  state: LeaseState = 'opening'
  /** Tasks there that have not been answered, recalled or given back. */
  count = 0
  first = 0
  next = 0
  /** Everything before has been started by the worker, or passed over. */
  passed = 0
  /** Since when the first task can have been running; monotonic milliseconds. */
  headSinceMs = 0
  /** Since when the first task, a generator, is held up by its consumer; undefined while it is not. */
  headPausedAtMs: number | undefined
  /** Since when there is nothing to do. */
  idleSinceMs = 0
  /** Somebody else waits for it. */
  isWanted = false
  /** Expected run time of all tasks there, in microseconds. */
  expectedMicros = 0
  /** Its running task awaits a `get`. */
  blocked = false
  /** For so long its answers may wait for those of other workers, in microseconds. */
  restMicros = 0
  /** Sequences whose recall has been asked of the node and not been answered. */
  readonly recalling: Set<number> = new Set<number>()
  /** Sequences that were told to abort, and until when each may run on. */
  readonly aborts: Map<number, number> = new Map<number, number>()
  /** The worker is not to be used again. */
  endWorkerAtReturn = false
  readonly #tasks = new Float64Array(ringSize).fill(nothing)
  readonly #micros = new Float64Array(ringSize)
  readonly #results = new Uint32Array(ringSize)

  constructor(index: number, classIndex: number, grant: Grant) {
    this.index = index
    this.classIndex = classIndex
    this.grant = grant
  }

  /** Expected run time of the first task there, in microseconds. */
  get headMicros(): number {
    return this.count === 0 ? 0 : (this.#micros[this.first % ringSize] as number)
  }

  /** Until then it is kept without work, for tasks that may come. */
  keptUntilMs({ idleLeaseMs, wantedLeaseMs }: SubmitOptions): number {
    return this.idleSinceMs + (this.isWanted ? wantedLeaseMs : idleLeaseMs)
  }

  /**
   * No further sequence may be used: it would have the place of one (here, and on the claim page) that the worker has not
   * come to. Those that were taken back count, too: it has read of them, or will.
   */
  get full(): boolean {
    return this.next - Math.min(this.first, this.passed) >= ringSize
  }

  /** The worker has come to this task: it starts what is here in its order. */
  pass(sequence: number): void {
    if (sequence >= this.passed && sequence < this.next) this.passed = sequence + 1
  }

  /** Adds a task with so many results; returns its sequence. */
  add(number: number, micros: number, nowMs: number, results = 1): number {
    invariant(!this.full, 'lease ring is full')
    if (this.count === 0) this.headSinceMs = nowMs
    const sequence = this.next++
    this.#tasks[sequence % ringSize] = number
    this.#micros[sequence % ringSize] = micros
    this.#results[sequence % ringSize] = results
    this.expectedMicros += micros
    this.count++
    return sequence
  }

  /** What the tasks there are expected to take is asked for again. */
  expectAgain(microsOf: (number: number, sequence: number) => number): void {
    this.expectedMicros = 0
    for (const sequence of this.all())
      this.expectedMicros += this.#micros[sequence % ringSize] = microsOf(this.task(sequence), sequence)
  }

  /** The task of a sequence, or -1. */
  task(sequence: number): number {
    if (sequence < this.first || sequence >= this.next) return nothing
    return this.#tasks[sequence % ringSize] as number
  }

  /** How many results the task of a sequence has, which is there. */
  resultsAt(sequence: number): number {
    return this.#results[sequence % ringSize] as number
  }

  /** Forgets a sequence; returns its task, or -1 when it is not there (any more). */
  remove(sequence: number, nowMs: number): number {
    const number = this.task(sequence)
    if (number === nothing) return nothing
    this.aborts.delete(sequence)
    this.#tasks[sequence % ringSize] = nothing
    this.expectedMicros -= this.#micros[sequence % ringSize] as number
    this.count--
    if (sequence === this.first) {
      while (this.first < this.next && this.#tasks[this.first % ringSize] === nothing) this.first++
      this.headSinceMs = nowMs
      this.headPausedAtMs = undefined
    }
    if (this.count === 0) {
      this.expectedMicros = 0
      this.idleSinceMs = nowMs
    }
    return number
  }

  /** The sequences behind the first one. */
  behind(): number[] {
    const sequences: number[] = []
    for (let s = this.first + 1; s < this.next; s++) if (this.#tasks[s % ringSize] !== nothing) sequences.push(s)
    return sequences
  }

  /** All sequences with a task, first to last. */
  all(): number[] {
    return this.count === 0 ? [] : [this.first, ...this.behind()]
  }
}
