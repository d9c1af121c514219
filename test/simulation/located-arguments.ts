/**
 * Where the arguments of a simulated owner's tasks lie, told with each lease request, and how they are brought to the
 * node of a lease while the link to its worker is made: by `prefetch` of the runtime, over simulated links.
 */
import type { NodeId, ProcessId } from '../../runtime/base/ids.ts'
import { argumentBytesOf } from '../../runtime/owner/arguments.ts'
import { mayComeTo, prefetch, type PrefetchParts } from '../../runtime/owner/prefetch.ts'
import {
  type ArgumentBytes,
  type Attachment,
  type Message,
  MessageType,
  type RefTuple,
} from '../../runtime/protocol/messages.ts'
import type { SimNode } from './node.ts'
import type { OwnerEndpoint } from './owner-objects.ts'
import type { SimOwner } from './owner.ts'
import { refKey } from './tasks.ts'

interface OwnerLink {
  send(message: Message): void
}

export class LocatedArguments {
  readonly #owner: SimOwner

  constructor(owner: SimOwner) {
    this.#owner = owner
  }

  /** Of a task whose values are all known; null where none of them is in a store, or this history has it so. */
  bytesOf(number: number): ArgumentBytes | null {
    return this.#owner.world.options.locates ? argumentBytesOf(this.#attachments(number)) : null
  }

  bring(number: number, to: NodeId): void {
    prefetch(this.#parts(), this.#attachments(number), to)
  }

  mayComeTo(ref: RefTuple, to: NodeId): void {
    mayComeTo(this.#parts(), ref, to)
  }

  #parts(): PrefetchParts {
    const owner = this.#owner
    const { world, process } = owner
    const self = { process: process.id, node: process.nodeId }
    const parts = {
      host: { self, job: owner.job },
      nodes: {
        send(node: NodeId, message: Message): void {
          if (message[0] === MessageType.prefetch)
            world.network.send<SimNode>(process, node, 'prefetch', (at) => at.prefetch(message))
        },
      },
      peers: {
        reach: ({ process: of }: { process: ProcessId }): Promise<OwnerLink> => {
          const made = Promise.resolve(this.#link(of))
          // What waits for it belongs to this event.
          world.background(made)
          return made
        },
      },
      frees: { stray: (node: NodeId, number: number) => owner.strayed(number, 1, node) },
    }
    return parts as unknown as PrefetchParts
  }

  #link(owner: ProcessId): OwnerLink {
    const { world, process } = this.#owner
    return {
      send(message) {
        if (message[0] !== MessageType.objectCopied || message[2] === undefined) return
        const [, number, node] = message
        world.network.send<OwnerEndpoint>(process, owner, 'copied ahead', (to) => to.objects.copiedAhead(number, node))
      },
    }
  }

  #attachments(number: number): Attachment[] {
    const values = this.#owner.waits.values.get(number)
    return (this.#owner.calls.get(number)?.awaited ?? []).flatMap((ref): Attachment[] => {
      const stored = values?.get(refKey(ref))?.stored
      return stored === undefined ? [] : [[ref, ['stored', stored.sizeBytes, stored.holders]]]
    })
  }
}
