/**
 * The refs of tasks that have settled, by a cancel or a timeout, and run on: their arguments stay alive until the worker
 * answers, gives the task back, or is gone. So do the numbers of items that it may yet store. By lease and sequence, as
 * the task's own entry may be gone by then.
 */
import type { RefTuple } from '../protocol/messages.ts'

const none: readonly RefTuple[] = []

export class LatePins {
  readonly #byLease = new Map<number, Map<number, readonly RefTuple[]>>()
  readonly #release: (ref: RefTuple) => void

  constructor(release: (ref: RefTuple) => void) {
    this.#release = release
  }

  get size(): number {
    return this.#byLease.size
  }

  keep(lease: number, sequence: number, pins: readonly RefTuple[]): void {
    if (pins.length === 0) return
    let bySequence = this.#byLease.get(lease)
    if (bySequence === undefined) {
      bySequence = new Map<number, readonly RefTuple[]>()
      this.#byLease.set(lease, bySequence)
    }
    bySequence.set(sequence, [...(bySequence.get(sequence) ?? none), ...pins])
  }

  /** All that is kept because of a lease. */
  of(lease: number): RefTuple[] {
    return [...(this.#byLease.get(lease)?.values() ?? [])].flat()
  }

  /** The caller lets go of them from here on. */
  take(lease: number | undefined, sequence: number): readonly RefTuple[] {
    if (this.#byLease.size === 0 || lease === undefined) return none
    const bySequence = this.#byLease.get(lease)
    const pins = bySequence?.get(sequence)
    if (bySequence === undefined || pins === undefined) return none
    bySequence.delete(sequence)
    if (bySequence.size === 0) this.#byLease.delete(lease)
    return pins
  }

  /** These were not started, and will not be. */
  drop(lease: number, sequences: readonly number[]): void {
    if (this.#byLease.size === 0) return
    for (const sequence of sequences) this.dropOne(lease, sequence)
  }

  /** Its worker is done with it. */
  dropOne(lease: number, sequence: number): void {
    if (this.#byLease.size === 0) return
    for (const ref of this.take(lease, sequence)) this.#release(ref)
  }

  /** The lease is over, and its worker with it or done with it. */
  dropLease(lease: number): void {
    this.drop(lease, [...(this.#byLease.get(lease)?.keys() ?? [])])
  }
}
