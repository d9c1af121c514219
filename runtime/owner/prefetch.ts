/**
 * What a task needs is brought to the node of its lease while the link to its worker is made. Each object is brought by
 * its owner, whoever needs it: who tells a node to get a copy knows what to tell it later, when the object is freed,
 * whatever becomes of the process that needed it.
 */
import { type NodeId, objectKey, type ObjectNumber } from '../base/ids.ts'
import { type Attachment, type Message, MessageType, type ObjectTuple, type RefTuple } from '../protocol/messages.ts'
import type { Frees } from './frees.ts'
import type { OwnerHost } from './host.ts'
import type { NodeLinks } from './node-links.ts'
import type { Peers } from './peers.ts'

export interface PrefetchParts {
  readonly host: Pick<OwnerHost, 'self' | 'job'>
  readonly nodes: Pick<NodeLinks, 'send'>
  readonly peers: Pick<Peers, 'reach'>
  readonly frees: Pick<Frees, 'stray' | 'isStray'>
}

/** Stored arguments that are not on that node are brought there; the owners of those that are borrowed are asked to. */
export function prefetch(parts: PrefetchParts, attachments: readonly Attachment[], to: NodeId): void {
  for (const [ref, value] of attachments) {
    const [owner, number] = ref
    if (owner === parts.host.self.process) bring(parts, number, value, to)
    else if (isElsewhere(value, to)) tellOwner(parts.peers, ref, [MessageType.objectBring, number, to])
  }
}

/** A stored object of this process is brought to that node. It goes from there with the object, whether or not a task comes. */
export function bring(
  { host, nodes, frees }: Omit<PrefetchParts, 'peers'>,
  number: ObjectNumber,
  value: ObjectTuple,
  to: NodeId,
): void {
  if (!isElsewhere(value, to)) return
  const [, sizeBytes, holders] = value
  const key = objectKey({ owner: host.self.process, number })
  frees.stray(to, number)
  // Once the node has been told that the object is gone, nobody would tell it again of a copy that came afterwards.
  const isWanted = (): boolean => frees.isStray(to, number)
  nodes.send(to, [MessageType.prefetch, host.job, key, sizeBytes, holders], () => {}, isWanted)
}

type KnownParts = Pick<PrefetchParts, 'host' | 'peers'> & { readonly frees: Pick<Frees, 'stray'> }

/** A copy of what is held here may have come to that node: its owner, this process or another one, is told. */
export function mayHaveCome({ host, peers, frees }: KnownParts, ref: RefTuple, to: NodeId): void {
  const [owner, number] = ref
  if (owner === host.self.process) frees.stray(to, number)
  else tellOwner(peers, ref, [MessageType.objectCopied, number, to])
}

/** Its owner frees nothing as long as it is held here; what is said to him now he has heard by then. */
function tellOwner(peers: Pick<Peers, 'reach'>, [owner, , node]: RefTuple, message: Message): void {
  peers.reach({ node, process: owner }).then(
    (link) => link.send(message),
    () => {
      // An owner that is gone takes the object along.
    },
  )
}

/** Whether there are copies to bring to that node. */
function isElsewhere(value: ObjectTuple, to: NodeId): value is Extract<ObjectTuple, readonly ['stored', ...unknown[]]> {
  if (value[0] !== 'stored' || value[2].length === 0) return false
  return !value[2].some(([node, process]) => node === to && process === to)
}
