/**
 * References: the creator of an object owns it, and it is freed everywhere when nobody refers to it any more.
 *
 * One rule carries all of it: **who passes a ref on protects it until the receiver is announced to the owner.**
 * O owns object n; S holds a ref to it and submits a task to worker W; any two of the three may be the same process.
 *
 *          S                                W                                  O
 *     1    |-- push(args: ref n) ---------->| n is protected by S's pin         | n: borrower S
 *     2    |<- done(borrowed: [n],          | still holds n: listed, once per S |
 *          |        results: [ref m], ack)--| pins what the results contain     |
 *     3    |-- refAdd(n, borrower W) ---------------------------------------->  | n: borrowers S, W (by S)
 *          |-- refAdd(m, borrower S) ---------------------------------------->  | m: borrowers W, S (by S)
 *     4    |<- refAck -------------------------------------------------------  |
 *     5    | unpins the arguments           |                                   |
 *          |-- replyAck(ack) -------------->| unpins m                          |
 *     6    |                                |-- refRemove(n, W, by S) -------->  | last handle gone
 *     7    |-- refRemove(m, S, by S) -- when the result is freed ----------->  |
 *
 * 1. A task's arguments are pinned from `.remote()` until 5. Refs register where they are decoded.
 * 2. A ref that came with a task and is still held when it ends is listed as `borrowed`. One that is not held any more
 *    is not listed, and nothing is sent for it. One that this S has announced before is not listed again.
 * 3. Who owns a ref announces directly, without a message: S = O adds W itself. What W owns (W = O) it adds S to when
 *    it replies, so that S has nothing to announce; S marks it as announced by W. For all others S sends `refAdd`.
 * 4. 5. Only when all of them are acknowledged does S let go of the pins and acknowledge the reply.
 * 6. At the last handle, one `refRemove` per announcement goes to the owner, named by who announced (see
 *    reference-owned.ts: they may overtake each other). `flush` sends them in batches.
 * 7. The refs inside a result, or inside a value that was `put`, are held by the object that contains them, until that
 *    is freed; those of each value that it had, where it was made again. Decoding the value of somebody else's object r
 *    gives refs that r protects: r stays pinned until this process has announced itself for each of them
 *    (`decodeWithin`).
 *
 * Values that contain each other in a circle keep each other alive until their owner ends.
 *
 * A process that ends takes its borrows, its unanswered pins and its objects with it: `processDead`. A link that is
 * lost between two live processes counts as the death of each for the other: every message here arrives exactly once,
 * or its sender is dead to the receiver, and nothing of it is taken afterwards. Order across links does not matter.
 */
import { invariant } from '../base/invariant.ts'
import type { ObjectNumber, ProcessId } from '../base/ids.ts'
import type { RefTuple } from '../protocol/messages.ts'
import { BorrowedRefs } from './reference-borrowed.ts'
import { OwnedObjects } from './reference-owned.ts'
import {
  type ContainedRefs,
  type CountStore,
  type IncomingReply,
  MapCountStore,
  type Peer,
  type ReferenceEffects,
  type ReplyRefs,
  Watches,
} from './reference-types.ts'

/** What waits for `refAck`s: then the pins end, and the reply is acknowledged. */
interface Announcement {
  waits: number
  readonly pins: readonly RefTuple[]
  readonly reply: { readonly worker: ProcessId; readonly ackId: number } | undefined
}

export class ReferenceState {
  readonly self: Peer
  readonly #effects: ReferenceEffects
  readonly #watches: Watches
  readonly #owned: OwnedObjects
  readonly #borrowed: BorrowedRefs
  /** By request: sent to `owner`, and not acknowledged. */
  readonly #requests: Map<number, { owner: ProcessId; of: Announcement }> = new Map()
  /** By ackId: what the results of a reply pin here until `submitter` has registered it. */
  readonly #replies: Map<number, { submitter: ProcessId; pins: readonly RefTuple[] }> = new Map()
  /** Freed, and their contents not let go of yet: a list instead of recursion, for chains of any length. */
  readonly #freed: ObjectNumber[] = []
  #freeing = false
  #nextRequest = 1
  #nextAck = 1

  constructor(self: Peer, effects: ReferenceEffects, counts: CountStore = new MapCountStore()) {
    this.self = self
    this.#effects = effects
    this.#watches = new Watches(effects)
    this.#owned = new OwnedObjects(counts, this.#watches, (number) => this.#free(number))
    this.#borrowed = new BorrowedRefs(this.#watches, (owner, number) => effects.ownerDied(owner, number))
  }

  /** A handle or a pin more for an object of this process. The first one brings it to life. */
  retainOwned(number: ObjectNumber): void {
    this.#owned.retain(number)
  }

  releaseOwned(number: ObjectNumber): void {
    this.#owned.release(number)
  }

  /** A handle or a pin more for a ref that is held here already. */
  retain(ref: RefTuple): void {
    invariant(this.isHeld(ref[0], ref[1]), `ref ${ref[0]}:${ref[1]} is retained and was not held`)
    this.#hold(ref)
  }

  release(owner: ProcessId, number: ObjectNumber): void {
    if (owner === this.self.process) this.#owned.release(number)
    else this.#borrowed.release(owner, number)
  }

  /** Whether this process holds a ref to the object; its own ones are held while anybody does. */
  isHeld(owner: ProcessId, number: ObjectNumber): boolean {
    if (owner !== this.self.process) return this.#borrowed.isHeld(owner, number)
    return this.#owned.isLive(number) || this.#owned.lost.has(number)
  }

  /** Whether anybody holds an object of this process. A handle that came after it was freed does not keep it. */
  isLive(number: ObjectNumber): boolean {
    return this.#owned.isLive(number)
  }

  /** A ref in the arguments (or in the value of an argument) of a task that runs here: a handle. */
  decodeInTask(ref: RefTuple, task: number): void {
    this.#hold(ref)
    if (ref[0] !== this.self.process) this.#borrowed.arriveIn(task, ref)
  }

  /** Refs in a value that was got here, out of an object that is held here: a handle each. */
  decodeWithin(container: RefTuple, refs: readonly RefTuple[]): void {
    for (const ref of refs) this.#hold(ref)
    if (container[0] === this.self.process) return
    const self = this.self.process
    const unknown = refs.filter(([owner, n]) => owner !== self && !this.#borrowed.isAnnounced(owner, n, self))
    if (unknown.length === 0) return
    this.retain(container)
    this.#announceAll({ waits: 0, pins: [container], reply: undefined }, [], unknown)
  }

  /**
   * An object of this process has a value now, with these refs inside. They are held here, and stay so until it is freed;
   * where it was made again, so do those of its value before: somebody may be reading an old copy of that.
   */
  contain(number: ObjectNumber, refs: readonly RefTuple[]): void {
    invariant(this.#owned.isLive(number), `object ${number} gets contents and is not alive`)
    if (refs.length === 0) return
    for (const ref of refs) this.retain(ref)
    const before = this.#owned.contents.get(number)
    this.#owned.contents.set(number, before === undefined ? refs : [...before, ...refs])
  }

  /** The task ends, and its reply goes to `submitter`; `contained` are the refs in its results, each held still. */
  reply(task: number, submitter: Peer, contained: readonly RefTuple[]): ReplyRefs {
    const ackId = this.passOn(submitter, contained)
    return { borrowed: this.#borrowed.leave(task, submitter.process).map((ref) => this.#dated(ref)), ackId }
  }

  /** The submitter tells the owner of it, and the two may have lost each other by then. */
  #dated(ref: RefTuple): RefTuple {
    const ended = this.#effects.endedSessions?.(ref[0]) ?? 0
    return ended === 0 ? ref : [ref[0], ref[1], ref[2], ended]
  }

  /** Refs of a value that goes to `submitter`, each held still. Returns by what they are acknowledged; 0 for nothing. */
  passOn(submitter: Peer, contained: readonly RefTuple[]): number {
    const pins: RefTuple[] = []
    for (const ref of contained) {
      // A worker that awaits may be leased by itself; nobody borrows from himself.
      if (ref[0] === this.self.process && submitter.process !== this.self.process) {
        invariant(this.isHeld(ref[0], ref[1]), `result contains object ${ref[1]}, which is not held`)
        this.#owned.addBorrower(ref[1], submitter, this.self.process)
      } else {
        this.retain(ref)
        pins.push(ref)
      }
    }
    if (pins.length === 0) return 0
    const ackId = this.#nextAck++
    this.#watches.add(submitter)
    this.#replies.set(ackId, { submitter: submitter.process, pins })
    return ackId
  }

  /** The task ends and nobody is there to be told. */
  leaveTask(task: number): void {
    this.#borrowed.arrived.delete(task)
  }

  replyAcked(ackId: number): void {
    const reply = this.#replies.get(ackId)
    if (reply === undefined) return
    this.#replies.delete(ackId)
    this.#watches.remove(reply.submitter)
    for (const [owner, number] of reply.pins) this.release(owner, number)
  }

  /** A worker answered a task of this process. */
  replied(incoming: IncomingReply): void {
    const { worker, pins, settled } = incoming
    if (!settled) for (const pin of pins) this.retain(pin)
    const reply = incoming.ackId === 0 ? undefined : { worker: worker.process, ackId: incoming.ackId }
    const unknown = incoming.results.flatMap((result) => this.#take(result, worker.process))
    this.#announceAll({ waits: 0, pins, reply }, this.#lend(incoming.borrowed, worker), unknown, worker)
    for (const { number, refs } of incoming.results) {
      if (refs.length > 0 && this.#owned.isLive(number)) this.contain(number, refs)
      for (const [owner, inner] of refs) this.release(owner, inner)
    }
  }

  /** Another process announces a borrower of objects of this one. */
  refAdd(adder: ProcessId, requestId: number, numbers: readonly ObjectNumber[], borrower: Peer): void {
    for (const number of numbers) this.#owned.addBorrower(number, borrower, adder)
    this.#effects.sendAck(adder, requestId)
  }

  refRemove(numbers: readonly ObjectNumber[], borrower: ProcessId, adder: ProcessId): void {
    for (const number of numbers) this.#owned.removeBorrower(number, borrower, adder)
  }

  refAcked(requestId: number): void {
    const request = this.#requests.get(requestId)
    if (request === undefined) return
    this.#requests.delete(requestId)
    this.#watches.remove(request.owner)
    this.#countDown(request.of)
  }

  /** The objects of this process that another one borrows. */
  borrowedBy(process: ProcessId): ObjectNumber[] {
    return this.#owned.borrowedBy(process)
  }

  /** That process is dead, or its link is lost. May come more than once, and for processes that are unknown here. */
  processDead(dead: ProcessId): void {
    this.#watches.processDead(dead)
    this.#borrowed.processDead(dead)
    for (const [requestId, { owner }] of this.#requests) if (owner === dead) this.refAcked(requestId)
    for (const [ackId, { submitter }] of this.#replies) if (submitter === dead) this.replyAcked(ackId)
    this.#owned.processDead(dead)
  }

  /** Sends the removals that have gathered. */
  flush(): void {
    this.#borrowed.flush((owner, numbers, adder) => this.#effects.sendRemove(owner, numbers, adder))
  }

  /** Acknowledgements that are owed to this process: until they come, refs that it passed on live by its word. */
  owes(): number {
    return this.#requests.size + this.#replies.size
  }

  /** Entries of every table that should be empty at rest. */
  size(): number {
    const { borrowers, contents, lost } = this.#owned
    const { owners, arrived, removals } = this.#borrowed
    const rare = borrowers.size + contents.size + lost.size + owners.size + arrived.size + removals.size
    return rare + this.#requests.size + this.#replies.size + this.#freed.length + this.#watches.reasons.size
  }

  validate(): void {
    this.#owned.validate()
    this.#borrowed.validate()
    const waiting = new Map<Announcement, number>()
    for (const { of } of this.#requests.values()) waiting.set(of, (waiting.get(of) ?? 0) + 1)
    for (const [of, count] of waiting) invariant(of.waits === count, `announcement waits for ${of.waits}, not ${count}`)
    const pins = [...waiting.keys()].flatMap((of) => of.pins)
    for (const reply of this.#replies.values()) pins.push(...reply.pins)
    for (const refs of this.#owned.contents.values()) pins.push(...refs)
    for (const [owner, number] of pins) {
      invariant(this.isHeld(owner, number), `ref ${owner}:${number} is pinned and not held`)
    }
  }

  #hold(ref: RefTuple): void {
    if (ref[0] === this.self.process) this.#owned.hold(ref[1])
    else this.#borrowed.retain(ref)
  }

  /** Holds the refs of a result; returns those that this process has to announce itself for. */
  #take({ refs }: ContainedRefs, worker: ProcessId): RefTuple[] {
    const unknown: RefTuple[] = []
    for (const ref of refs) {
      const [owner, number] = ref
      this.#hold(ref)
      if (owner === this.self.process) continue
      if (owner !== worker) unknown.push(ref)
      // The worker announces once per reply; a ref needs one announcement of it.
      else if (!this.#borrowed.announce(owner, number, worker) && !this.#borrowed.isDead(owner, number))
        this.#borrowed.remove({ process: owner, node: ref[2] }, number, worker)
    }
    return unknown
  }

  /** Adds the worker to what is owned here; returns the borrowed refs of others. */
  #lend(borrowed: readonly RefTuple[], worker: Peer): RefTuple[] {
    const others: RefTuple[] = []
    for (const ref of borrowed) {
      if (ref[0] !== this.self.process) others.push(ref)
      else this.#owned.addBorrower(ref[1], worker, this.self.process)
    }
    return others
  }

  /** One `refAdd` per owner for `lent` (the worker borrows) and for `own` (this process does). */
  #announceAll(of: Announcement, lent: readonly RefTuple[], own: readonly RefTuple[], worker: Peer = this.self): void {
    of.waits = 1
    this.#announce(of, lent, worker)
    this.#announce(
      of,
      own.filter(([owner, number]) => this.#borrowed.announce(owner, number, this.self.process)),
      this.self,
    )
    this.#countDown(of)
  }

  #announce(of: Announcement, refs: readonly RefTuple[], borrower: Peer): void {
    const byOwner = new Map<ProcessId, { owner: Peer; numbers: ObjectNumber[]; ended: number }>()
    for (const [process, number, node, ended = 0] of refs) {
      if (this.#borrowed.isDead(process, number)) continue
      const group = byOwner.get(process)
      if (group === undefined) byOwner.set(process, { owner: { process, node }, numbers: [number], ended })
      else group.numbers.push(number)
    }
    for (const { owner, numbers, ended } of byOwner.values()) {
      const requestId = this.#nextRequest++
      of.waits++
      this.#requests.set(requestId, { owner: owner.process, of })
      this.#watches.add(owner)
      this.#effects.sendAdd(owner, requestId, numbers, borrower, ended)
    }
  }

  #countDown(of: Announcement): void {
    if (--of.waits > 0) return
    if (of.reply !== undefined) this.#effects.sendReplyAck(of.reply.worker, of.reply.ackId)
    for (const [owner, number] of of.pins) this.release(owner, number)
  }

  #free(number: ObjectNumber): void {
    this.#freed.push(number)
    if (this.#freeing) return
    this.#freeing = true
    for (let next = this.#freed.pop(); next !== undefined; next = this.#freed.pop()) {
      const contents = this.#owned.contents.get(next)
      this.#owned.contents.delete(next)
      this.#effects.free(next)
      for (const [owner, inner] of contents ?? []) this.release(owner, inner)
    }
    this.#freeing = false
  }
}
