/**
 * The refs that this process holds to objects of others. Per ref:
 *
 *     count   local handles + pins
 *     via     the adders that announced this process to the owner: itself, the submitter of a task, the owner itself
 *     tasks   running tasks whose submitter protects the ref until the reply (kept in `arrived`, by task)
 *
 *     1 protected (via empty) --announced--> 2 registered --(count 0)--> refRemove, one per adder --> forgotten
 *               |                                 |  ^------(announced)------+
 *               +--(count 0)--> forgotten         +--(owner dies)--> 3 dead -+-(count 0)--> forgotten
 *
 * A ref that is protected only, and still held at the reply, is listed as borrowed there, which announces it.
 */
import { invariant } from '../base/invariant.ts'
import type { ObjectNumber, ProcessId } from '../base/ids.ts'
import type { RefTuple } from '../protocol/messages.ts'
import type { Peer, Watches } from './reference-types.ts'

interface Borrowed {
  readonly number: ObjectNumber
  count: number
  /** Its owner died, or was lost, while it was held. What comes from that owner later has a chance of its own. */
  dead: boolean
  readonly via: Set<ProcessId>
}

interface Owner {
  readonly peer: Peer
  readonly refs: Map<ObjectNumber, Borrowed>
}

export class BorrowedRefs {
  readonly owners: Map<ProcessId, Owner> = new Map<ProcessId, Owner>()
  /** By running task: the refs that came under the protection of its submitter. */
  readonly arrived: Map<number, Map<string, RefTuple>> = new Map<number, Map<string, RefTuple>>()
  /** By owner and adder: what the next flush removes. */
  readonly removals: Map<ProcessId, { peer: Peer; by: Map<ProcessId, ObjectNumber[]> }> = new Map()
  readonly #watches: Watches
  readonly #ownerDied: (owner: ProcessId, number: ObjectNumber) => void

  constructor(watches: Watches, ownerDied: (owner: ProcessId, number: ObjectNumber) => void) {
    this.#watches = watches
    this.#ownerDied = ownerDied
  }

  isHeld(owner: ProcessId, number: ObjectNumber): boolean {
    return this.owners.get(owner)?.refs.has(number) ?? false
  }

  /** One more handle or pin; the first one makes the entry. */
  retain(ref: RefTuple): void {
    const [process, number, node] = ref
    let owner = this.owners.get(process)
    if (owner === undefined) this.owners.set(process, (owner = { peer: { process, node }, refs: new Map() }))
    const entry = owner.refs.get(number)
    if (entry !== undefined) return void entry.count++
    owner.refs.set(number, { number, count: 1, dead: false, via: new Set() })
    this.#watches.add(owner.peer)
  }

  release(process: ProcessId, number: ObjectNumber): void {
    const owner = this.owners.get(process)
    const entry = owner?.refs.get(number)
    invariant(
      owner !== undefined && entry !== undefined,
      `borrowed ref ${process}:${number} is released more often than it is held`,
    )
    if (--entry.count > 0) return
    owner.refs.delete(number)
    if (!entry.dead) for (const adder of entry.via) this.remove(owner.peer, number, adder)
    if (owner.refs.size === 0) this.owners.delete(process)
    this.#watches.remove(process)
  }

  /**
   * `adder` announces this process to the owner. Returns false when it had done so before; the ref has to be held.
   */
  announce(process: ProcessId, number: ObjectNumber, adder: ProcessId): boolean {
    const entry = this.owners.get(process)?.refs.get(number)
    invariant(entry !== undefined, `ref ${process}:${number} is announced and not held`)
    if (entry.dead) {
      // It came again from somebody who has it: only the link was lost, and with it what was announced before.
      entry.dead = false
      entry.via.clear()
    }
    if (entry.via.has(adder)) return false
    entry.via.add(adder)
    return true
  }

  isAnnounced(process: ProcessId, number: ObjectNumber, adder: ProcessId): boolean {
    return this.owners.get(process)?.refs.get(number)?.via.has(adder) ?? false
  }

  /** Whether it is held, and its owner is gone. */
  isDead(process: ProcessId, number: ObjectNumber): boolean {
    return this.owners.get(process)?.refs.get(number)?.dead ?? false
  }

  arriveIn(task: number, ref: RefTuple): void {
    let refs = this.arrived.get(task)
    if (refs === undefined) this.arrived.set(task, (refs = new Map<string, RefTuple>()))
    refs.set(`${ref[0]}:${ref[1]}`, ref)
  }

  /** Closes the task; returns the refs that came with it, are still held, and that `submitter` has to announce. */
  leave(task: number, submitter: ProcessId): RefTuple[] {
    const refs = [...(this.arrived.get(task)?.values() ?? [])]
    this.arrived.delete(task)
    return refs.filter(
      ([owner, number]) =>
        this.isHeld(owner, number) && !this.isDead(owner, number) && this.announce(owner, number, submitter),
    )
  }

  remove(peer: Peer, number: ObjectNumber, adder: ProcessId): void {
    let entry = this.removals.get(peer.process)
    if (entry === undefined) this.removals.set(peer.process, (entry = { peer, by: new Map() }))
    const numbers = entry.by.get(adder)
    if (numbers === undefined) entry.by.set(adder, [number])
    else numbers.push(number)
  }

  flush(send: (owner: Peer, numbers: readonly ObjectNumber[], adder: ProcessId) => void): void {
    for (const { peer, by } of this.removals.values()) for (const [adder, numbers] of by) send(peer, numbers, adder)
    this.removals.clear()
  }

  processDead(dead: ProcessId): void {
    this.removals.delete(dead)
    for (const entry of this.owners.get(dead)?.refs.values() ?? []) {
      if (entry.dead) continue
      entry.dead = true
      this.#ownerDied(dead, entry.number)
    }
  }

  validate(): void {
    for (const [process, owner] of this.owners) {
      invariant(owner.refs.size > 0, `owner ${process} is kept for nothing`)
      for (const entry of owner.refs.values())
        invariant(entry.count > 0, `borrowed ref ${process}:${entry.number} counts ${entry.count}`)
    }
  }
}
