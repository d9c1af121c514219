/**
 * What a task needs is brought to the node of its lease while the link to its worker is made. The owner of each object
 * knows of the copy before it comes: it goes with the object, whether or not the task comes there.
 */
import { type NodeId, objectKey } from '../base/ids.ts'
import { type Attachment, MessageType, type RefTuple } from '../protocol/messages.ts'
import type { Frees } from './frees.ts'
import type { OwnerHost } from './host.ts'
import type { NodeLinks } from './node-links.ts'
import type { Peers } from './peers.ts'

export interface PrefetchParts {
  readonly host: Pick<OwnerHost, 'self' | 'job'>
  readonly nodes: Pick<NodeLinks, 'send'>
  readonly peers: Pick<Peers, 'reach'>
  readonly frees: Pick<Frees, 'stray'>
}

/** Stored arguments that are not on that node are brought there, those that this process borrows as well. */
export function prefetch(parts: PrefetchParts, attachments: readonly Attachment[], to: NodeId): void {
  for (const [ref, value] of attachments) {
    if (value[0] !== 'stored') continue
    const [, sizeBytes, holders] = value
    if (holders.some(([node, process]) => node === to && process === to)) continue
    const { host, nodes } = parts
    const key = objectKey({ owner: ref[0], number: ref[1] })
    mayComeTo(parts, ref, to, () => nodes.send(to, [MessageType.prefetch, host.job, key, sizeBytes, holders], () => {}))
  }
}

/**
 * A copy of what is held here may come to that node, or may have come there: its owner, this process or another one, is
 * told, and then `then` is called.
 */
export function mayComeTo(
  { host, peers, frees }: Omit<PrefetchParts, 'nodes'>,
  [owner, number, at]: RefTuple,
  to: NodeId,
  then: () => void = () => {},
): void {
  if (owner === host.self.process) {
    frees.stray(to, number)
    return then()
  }
  // Its owner frees nothing as long as it is held here; what it hears now it has heard by then.
  peers.reach({ node: at, process: owner }).then(
    (link) => {
      link.send([MessageType.objectCopied, number, to])
      then()
    },
    () => {
      // An owner that is gone takes the object along.
    },
  )
}
