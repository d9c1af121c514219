/**
 * The objects that this process owns. Per object:
 *
 *     count      local handles + pins (tasks, messages, gets, the objects that contain it)     the CountStore
 *     borrowers  borrower -> adder -> +n | -n                                                  rare, a Map
 *     contents   the refs inside its value, each held by one count until it is freed           rare, a Map
 *
 *     1 held --(last count goes)--> 2 borrowed only --(last borrower goes)--> freed
 *        ^------(a borrower passes it back)--|                                  ^
 *        +------------(count goes, and nobody borrows)--------------------------+
 *
 * A borrower's count is kept per *adder*, the process that announced it. A `refRemove` may overtake the `refAdd` that
 * it belongs to; the -1 that it leaves waits for just that adder. When the adder dies first, its +1 never comes, and
 * the -1 goes with it instead of eating the announcement of somebody else. A negative count protects nothing: whoever
 * still has to add is protected by a pin of its own.
 */
import { invariant } from '../base/invariant.ts'
import type { ObjectNumber, ProcessId } from '../base/ids.ts'
import type { RefTuple } from '../protocol/messages.ts'
import type { CountStore, Peer, Watches } from './reference-types.ts'

type Borrowers = Map<ProcessId, Map<ProcessId, number>>

export class OwnedObjects {
  readonly borrowers: Map<ObjectNumber, Borrowers> = new Map<ObjectNumber, Borrowers>()
  readonly contents: Map<ObjectNumber, readonly RefTuple[]> = new Map<ObjectNumber, readonly RefTuple[]>()
  /** Handles of objects that were freed already, because whoever passed the ref died before it was announced. */
  readonly lost: Map<ObjectNumber, number> = new Map<ObjectNumber, number>()
  readonly #counts: CountStore
  readonly #watches: Watches
  /** Called with each number that is free, once; takes the contents out and lets go of them. */
  readonly #free: (number: ObjectNumber) => void

  constructor(counts: CountStore, watches: Watches, free: (number: ObjectNumber) => void) {
    this.#counts = counts
    this.#watches = watches
    this.#free = free
  }

  /** A new object, one more count for one that is alive, or one that was freed and is made again, with its old handles. */
  retain(number: ObjectNumber): void {
    const late = this.lost.size === 0 ? 0 : (this.lost.get(number) ?? 0)
    if (late > 0) this.lost.delete(number)
    this.#counts.set(number, this.#counts.get(number) + 1 + late)
  }

  /** A count for a ref that came from somebody else; it does not bring back to life what is freed. */
  hold(number: ObjectNumber): void {
    if (this.isLive(number)) this.retain(number)
    else this.lost.set(number, (this.lost.get(number) ?? 0) + 1)
  }

  release(number: ObjectNumber): void {
    if (this.lost.size > 0 && this.#releaseLost(number)) return
    const count = this.#counts.get(number) - 1
    invariant(count >= 0, `owned object ${number} is released more often than it is held`)
    this.#counts.set(number, count)
    if (count === 0) this.#freeIfUnused(number)
  }

  isLive(number: ObjectNumber): boolean {
    return this.#counts.get(number) > 0 || this.borrowers.has(number)
  }

  /** What comes for an object that is freed has no meaning any more. */
  addBorrower(number: ObjectNumber, borrower: Peer, adder: ProcessId): void {
    if (!this.isLive(number)) return
    const adders = this.#adders(number, borrower.process)
    const before = isPositive(adders)
    change(adders, adder, 1)
    if (!before && isPositive(adders)) this.#watches.add(borrower)
    this.#tidy(number, borrower.process, adders)
  }

  removeBorrower(number: ObjectNumber, borrower: ProcessId, adder: ProcessId): void {
    if (!this.isLive(number)) return
    const adders = this.#adders(number, borrower)
    const before = isPositive(adders)
    change(adders, adder, -1)
    if (before && !isPositive(adders)) this.#watches.remove(borrower)
    this.#tidy(number, borrower, adders)
    this.#freeIfUnused(number)
  }

  borrowedBy(process: ProcessId): ObjectNumber[] {
    return [...this.borrowers].flatMap(([number, borrowers]) => (borrowers.has(process) ? [number] : []))
  }

  processDead(dead: ProcessId): void {
    for (const [number, borrowers] of this.borrowers) {
      // What was freed with its container, a moment ago.
      if (this.borrowers.get(number) !== borrowers) continue
      const own = borrowers.get(dead)
      if (own !== undefined) {
        if (isPositive(own)) this.#watches.remove(dead)
        borrowers.delete(dead)
      }
      for (const [borrower, adders] of borrowers) {
        if ((adders.get(dead) ?? 0) < 0) adders.delete(dead)
        if (adders.size === 0) borrowers.delete(borrower)
      }
      if (borrowers.size === 0) this.borrowers.delete(number)
      this.#freeIfUnused(number)
    }
  }

  validate(): void {
    for (const [number, borrowers] of this.borrowers) {
      invariant(borrowers.size > 0, `object ${number} keeps an empty list of borrowers`)
      let held = this.#counts.get(number) > 0
      for (const [borrower, adders] of borrowers) {
        invariant(adders.size > 0, `object ${number} keeps borrower ${borrower} for nothing`)
        for (const [adder, count] of adders) invariant(count !== 0, `borrower ${borrower} by ${adder} counts 0`)
        held ||= isPositive(adders)
      }
      invariant(held, `object ${number} is kept, and nobody holds it`)
    }
    for (const number of this.contents.keys()) {
      invariant(this.isLive(number), `the contents of object ${number} outlived it`)
    }
  }

  #releaseLost(number: ObjectNumber): boolean {
    const count = this.lost.get(number)
    if (count === undefined) return false
    if (count === 1) this.lost.delete(number)
    else this.lost.set(number, count - 1)
    return true
  }

  #adders(number: ObjectNumber, borrower: ProcessId): Map<ProcessId, number> {
    let borrowers = this.borrowers.get(number)
    if (borrowers === undefined) this.borrowers.set(number, (borrowers = new Map()))
    let adders = borrowers.get(borrower)
    if (adders === undefined) borrowers.set(borrower, (adders = new Map()))
    return adders
  }

  #tidy(number: ObjectNumber, borrower: ProcessId, adders: Map<ProcessId, number>): void {
    if (adders.size > 0) return
    const borrowers = this.borrowers.get(number)
    borrowers?.delete(borrower)
    if (borrowers?.size === 0) this.borrowers.delete(number)
  }

  #freeIfUnused(number: ObjectNumber): void {
    if (this.#counts.get(number) > 0) return
    const borrowers = this.borrowers.get(number)
    if (borrowers !== undefined) {
      for (const adders of borrowers.values()) if (isPositive(adders)) return
      this.borrowers.delete(number)
    }
    this.#free(number)
  }
}

function isPositive(adders: Map<ProcessId, number>): boolean {
  for (const count of adders.values()) if (count > 0) return true
  return false
}

function change(adders: Map<ProcessId, number>, adder: ProcessId, by: number): void {
  const count = (adders.get(adder) ?? 0) + by
  if (count === 0) adders.delete(adder)
  else adders.set(adder, count)
}
