/** The outside of `ReferenceState`: its messages, and the watch over the processes that take part. */
import { type Clock, systemClock } from '../base/clock.ts'
import type { NodeId, ObjectNumber, ProcessAddress, ProcessId } from '../base/ids.ts'
import { MessageType, type Message, type RefAdd } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import type { Peers } from './peers.ts'
import { ReferenceState } from './reference-state.ts'
import type { CountStore, Peer, ReferenceEffects } from './reference-types.ts'

export interface BorrowingEvents {
  free(number: ObjectNumber): void
  /** A process of that node is gone which borrowed the object, and may have had a copy brought there without telling. */
  readerGone(number: ObjectNumber, node: NodeId): void
  ownerDied(owner: ProcessId, number: ObjectNumber): void
}

/** Removals gather for this long, in milliseconds. */
const flushMs = 20

export class Borrowing implements ReferenceEffects {
  readonly state: ReferenceState
  readonly #peers: Peers
  readonly #events: BorrowingEvents
  readonly #clock: Clock
  readonly #watched = new Map<ProcessId, Peer>()
  #flushing = false

  constructor(
    self: ProcessAddress,
    peers: Peers,
    counts: CountStore,
    events: BorrowingEvents,
    clock: Clock = systemClock,
  ) {
    this.#clock = clock
    this.#peers = peers
    this.#events = events
    this.state = new ReferenceState(self, this, counts)
  }

  free(number: ObjectNumber): void {
    this.#events.free(number)
  }

  ownerDied(owner: ProcessId, number: ObjectNumber): void {
    this.#events.ownerDied(owner, number)
  }

  sendAdd(owner: Peer, requestId: number, numbers: readonly ObjectNumber[], borrower: Peer, ended: number): void {
    this.#send(owner, [MessageType.refAdd, requestId, numbers, borrower.process, borrower.node, ended])
  }

  endedSessions(process: ProcessId): number {
    return this.#peers.sessions.endedSessions(process)
  }

  sendAck(to: ProcessId, requestId: number): void {
    this.#peers.get(to)?.send([MessageType.refAck, requestId])
  }

  sendRemove(owner: Peer, numbers: readonly ObjectNumber[], adder: ProcessId): void {
    this.#send(owner, [MessageType.refRemove, numbers, this.state.self.process, adder])
  }

  sendReplyAck(worker: ProcessId, ackId: number): void {
    this.#peers.get(worker)?.send([MessageType.replyAck, ackId])
  }

  /** A link is the watch: whoever cannot be linked, or loses its link, counts as dead. */
  watch(peer: Peer): void {
    if (peer.process === this.state.self.process) return
    this.#watched.set(peer.process, peer)
    if (this.#peers.get(peer.process) !== undefined) return
    this.#peers.reach(peer).catch(() => this.#notReached(peer.process))
  }

  unwatch(process: ProcessId): void {
    this.#watched.delete(process)
  }

  /** Something was released: tell the owners soon, many at a time. */
  released(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.#clock.after(flushMs, () => {
      this.#flushing = false
      this.state.flush()
    })
  }

  /** A message of the reference protocol; false for any other. */
  received(link: Link, message: Message): boolean {
    switch (message[0]) {
      case MessageType.refAdd:
        this.#added(link.peer.process, message)
        return true
      case MessageType.refAck:
        this.state.refAcked(message[1])
        this.released()
        return true
      case MessageType.refRemove:
        this.state.refRemove(message[1], message[2], message[3])
        // What lay in what is freed by that is released, too.
        this.released()
        return true
      case MessageType.replyAck:
        this.state.replyAcked(message[1])
        this.released()
        return true
      default:
        return false
    }
  }

  /** What somebody says of another process counts in the session in which that one said it. */
  #added(adder: ProcessId, [, requestId, numbers, process, node, ended]: RefAdd): void {
    const self = this.state.self.process
    if (process === adder || process === self || this.#peers.sessions.isCurrent(process, ended))
      return this.state.refAdd(adder, requestId, numbers, { process, node })
    // The borrower knows, or will, that it has lost the ref.
    this.sendAck(adder, requestId)
  }

  gone(process: ProcessId): void {
    this.#dead(process)
  }

  #dead(process: ProcessId): void {
    const borrower = this.#watched.get(process)
    if (borrower !== undefined)
      for (const number of this.state.borrowedBy(process)) this.#events.readerGone(number, borrower.node)
    this.#watched.delete(process)
    this.state.processDead(process)
    this.released()
  }

  #send(to: Peer, message: Message): void {
    const link = this.#peers.get(to.process)
    if (link !== undefined) return link.send(message)
    const ended = this.endedSessions(to.process)
    this.#peers.reach(to).then(
      // Of a session that is over by now everything was forgotten: it has no meaning in the next one.
      (reached) => this.endedSessions(to.process) === ended && reached.send(message),
      () => this.#notReached(to.process),
    )
  }

  /** Where it has called itself meanwhile, it lives. */
  #notReached(process: ProcessId): void {
    if (this.#peers.get(process) === undefined) this.#dead(process)
  }
}
