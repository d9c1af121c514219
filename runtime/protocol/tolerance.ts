/**
 * What a message bears that an ordered, reliable link never does to it. Links are streams: what they lose, they lose
 * with everything behind it, and then they are broken. A message that is listed here claims more: that nothing goes
 * wrong when it alone is lost, comes twice in a row, or is overtaken by others. Faults are injected by these claims
 * (runtime/transport/chaos-link.ts), and the simulation holds them against the state machines.
 */
import { MessageType } from './message-type.ts'

/** `lost`: it may never come. `twice`: it may come two times. `late`: those behind it may come first. */
export interface Tolerance {
  readonly lost?: true
  readonly twice?: true
  readonly late?: true
}

const anything: Tolerance = { lost: true, twice: true, late: true }
/** It says how something is from now on, or names by id what is to be over. */
const repeatable: Tolerance = { twice: true }
/** It answers by the id of its request; who has his answer ignores another. */
const answer: Tolerance = { twice: true, late: true }

const tolerances: ReadonlyMap<number, Tolerance> = new Map<number, Tolerance>([
  [MessageType.ping, anything],
  [MessageType.pong, anything],
  [MessageType.nodeLoad, repeatable],
  [MessageType.clusterView, repeatable],
  [MessageType.leaseCancel, repeatable],
  [MessageType.leaseReturn, repeatable],
  [MessageType.leaseReclaim, repeatable],
  [MessageType.workerBlocked, repeatable],
  [MessageType.workerResumed, repeatable],
  [MessageType.workerHolds, repeatable],
  [MessageType.template, repeatable],
  [MessageType.partMiss, repeatable],
  [MessageType.abort, repeatable],
  [MessageType.generatorAllow, repeatable],
  [MessageType.free, repeatable],
  [MessageType.replyAck, repeatable],
  [MessageType.recall, repeatable],
  [MessageType.recalled, answer],
  [MessageType.objectGet, repeatable],
  [MessageType.objectLost, repeatable],
  [MessageType.objectCopied, repeatable],
  [MessageType.objectBring, anything],
  [MessageType.pulled, answer],
  [MessageType.replicate, repeatable],
  [MessageType.replicated, answer],
  [MessageType.nodesRequest, repeatable],
  [MessageType.nodes, answer],
  [MessageType.processQuery, repeatable],
  [MessageType.processStatus, answer],
  [MessageType.tableReply, answer],
  [MessageType.jobsHeld, repeatable],
  [MessageType.nodesHeld, repeatable],
  [MessageType.dialBack, anything],
  [MessageType.nodeCall, anything],
  [MessageType.nodeCallFailed, anything],
  [MessageType.countRequest, repeatable],
  [MessageType.counts, answer],
])

const none: Tolerance = {}

/** What the message of that type bears; nothing for one that is not listed. */
export function toleranceOf(type: number): Tolerance {
  return tolerances.get(type) ?? none
}
