/** What the reference protocol asks of the outside, and the store of its hot counts. */
import type { NodeId, ObjectNumber, ProcessId } from '../base/ids.ts'
import type { RefTuple } from '../protocol/messages.ts'

/** Counts of owned objects: local handles and pins. A million of them, so where they lie is the caller's choice. */
export interface CountStore {
  /** 0 for what is unknown. */
  get(number: ObjectNumber): number
  /** 0 forgets. */
  set(number: ObjectNumber, value: number): void
}

export class MapCountStore implements CountStore {
  readonly counts: Map<ObjectNumber, number> = new Map<ObjectNumber, number>()

  get(number: ObjectNumber): number {
    return this.counts.get(number) ?? 0
  }

  set(number: ObjectNumber, value: number): void {
    if (value === 0) this.counts.delete(number)
    else this.counts.set(number, value)
  }
}

/** A process as others reach it. */
export interface Peer {
  readonly process: ProcessId
  readonly node: NodeId
}

/** Instructions. Each returns at once; what it leads to comes back as an event, later, never from within the call. */
export interface ReferenceEffects {
  /** Nobody refers to this owned object any more: drop its value everywhere. Once per object. */
  free(number: ObjectNumber): void
  /** `refAdd` to the owner; `ended` is what the borrower said. Ends by `refAcked(requestId)`, or by `processDead(owner)`. */
  sendAdd(owner: Peer, requestId: number, numbers: readonly ObjectNumber[], borrower: Peer, ended: number): void
  /** How many sessions with that process have ended here: said with what others announce for this one. Default 0. */
  endedSessions?(process: ProcessId): number
  /** `refAck` to the process that sent the `refAdd`. */
  sendAck(to: ProcessId, requestId: number): void
  /** `refRemove` to the owner; a number may occur more than once. */
  sendRemove(owner: Peer, numbers: readonly ObjectNumber[], adder: ProcessId): void
  /** `replyAck` to the worker whose reply was registered. */
  sendReplyAck(worker: ProcessId, ackId: number): void
  /** The owner of a ref that is held here is dead: whoever waits for its value gets `OwnerDiedError`. */
  ownerDied(owner: ProcessId, number: ObjectNumber): void
  /** Tell by `processDead` when this process ends; at once when it has ended already. */
  watch(peer: Peer): void
  unwatch(process: ProcessId): void
}

/** One result as the owner of the task takes it. */
export interface ContainedRefs {
  readonly number: ObjectNumber
  readonly refs: readonly RefTuple[]
}

/** What a worker puts into its reply. */
export interface ReplyRefs {
  readonly borrowed: readonly RefTuple[]
  /** 0: nothing to acknowledge. */
  readonly ackId: number
}

/** What an owner found in a reply. */
export interface IncomingReply {
  readonly worker: Peer
  /** The refs that the owner pinned for this task (its arguments and what they contain). */
  readonly pins: readonly RefTuple[]
  /** Whether the task is over, so that `pins` end; false when it is going to run again. */
  readonly settled: boolean
  readonly borrowed: readonly RefTuple[]
  /** By result. A result that nobody holds any more is given too: its refs have to be let go of. */
  readonly results: readonly ContainedRefs[]
  readonly ackId: number
}

/**
 * Processes that are watched, each for a number of reasons. One that was told dead while some reason was left (a ref
 * to an object of it) is watched anew with the next reason, so that this one is told too.
 */
export class Watches {
  readonly reasons: Map<ProcessId, { count: number; told: boolean }> = new Map()
  readonly #effects: Pick<ReferenceEffects, 'watch' | 'unwatch'>

  constructor(effects: Pick<ReferenceEffects, 'watch' | 'unwatch'>) {
    this.#effects = effects
  }

  add(peer: Peer): void {
    const reason = this.reasons.get(peer.process)
    if (reason === undefined) this.reasons.set(peer.process, { count: 1, told: false })
    else reason.count++
    if (reason !== undefined && !reason.told) return
    if (reason !== undefined) reason.told = false
    this.#effects.watch(peer)
  }

  remove(process: ProcessId): void {
    const reason = this.reasons.get(process)
    if (reason === undefined || --reason.count > 0) return
    this.reasons.delete(process)
    this.#effects.unwatch(process)
  }

  processDead(dead: ProcessId): void {
    const reason = this.reasons.get(dead)
    if (reason !== undefined) reason.told = true
  }
}
