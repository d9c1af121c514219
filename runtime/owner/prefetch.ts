/**
 * What a task needs is brought to the node of its lease while the link to its worker is made. The owner of each object
 * knows of the copy before it comes: it goes with the object, whether or not the task comes there.
 */
import { type NodeId, objectKey } from '../base/ids.ts'
import { type Attachment, MessageType } from '../protocol/messages.ts'
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
  for (const [[owner, number, at], value] of attachments) {
    if (value[0] !== 'stored') continue
    const [, sizeBytes, holders] = value
    if (holders.some(([node, process]) => node === to && process === to)) continue
    const { host, nodes, peers, frees } = parts
    const bring = (): void =>
      nodes.send(to, [MessageType.prefetch, host.job, objectKey({ owner, number }), sizeBytes, holders], () => {})
    if (owner === host.self.process) {
      frees.stray(to, number)
      bring()
      continue
    }
    // Its owner frees nothing as long as the task is not settled here; what it hears now it has heard by then.
    peers.reach({ node: at, process: owner }).then(
      (link) => {
        link.send([MessageType.objectCopied, number, to])
        bring()
      },
      () => {
        // An owner that is gone takes the object along.
      },
    )
  }
}
