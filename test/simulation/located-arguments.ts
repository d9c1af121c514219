/**
 * Where the arguments of a simulated owner's tasks lie, told with each lease request, and how they are brought to the
 * node of a lease while the link to its worker is made: by `prefetch` and `Copies` of the runtime, over simulated links.
 */
import type { NodeId, ProcessId } from '../../runtime/base/ids.ts'
import { argumentBytesOf } from '../../runtime/owner/arguments.ts'
import { Copies, type CopiesParts } from '../../runtime/owner/copies.ts'
import { mayHaveCome, prefetch, type PrefetchParts } from '../../runtime/owner/prefetch.ts'
import {
  type ArgumentBytes,
  type Attachment,
  type Message,
  MessageType,
  type RefTuple,
} from '../../runtime/protocol/messages.ts'
import type { Link } from '../../runtime/transport/link.ts'
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

  mayHaveCome(ref: RefTuple, to: NodeId): void {
    mayHaveCome(this.#parts(), ref, to)
  }

  /** What hears of copies that others have brought, or need. */
  copies(): Copies {
    const owner = this.#owner
    const { table, refs, values } = owner
    const parts: Omit<CopiesParts, 'host' | 'nodes'> = {
      objects: {
        outcome: (number) => {
          const stored = owner.outcomes.get(number)?.stored
          return stored === undefined ? undefined : ['stored', stored.sizeBytes, stored.holders]
        },
        addHolder: (number, holder) => owner.addHolder(number, holder),
      },
      frees: {
        free: (number, holders) => values.free(number, holders),
        stray: (node, number) => owner.strayed(number, 1, node),
        isStray: () => true,
      },
      isHeld: (number) => table.has(number) && refs.isLive(number),
    }
    return new Copies({ ...this.#parts(), ...parts })
  }

  #parts(): PrefetchParts {
    const owner = this.#owner
    const { world, process } = owner
    const self = { process: process.id, node: process.nodeId }
    const parts = {
      host: {
        self,
        get job(): ProcessId {
          return owner.job
        },
      },
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
      frees: { stray: (node: NodeId, number: number) => owner.strayed(number, 1, node), isStray: () => true },
    }
    return parts as unknown as PrefetchParts
  }

  #link(owner: ProcessId): OwnerLink {
    const { world, process } = this.#owner
    const from = { peer: { process: process.id, node: process.nodeId } } as Link
    return {
      send(message) {
        const what = message[0] === MessageType.objectBring ? 'objectBring' : 'copied elsewhere'
        world.network.send<OwnerEndpoint>(process, owner, what, (to) => to.objects.copies.received(from, message))
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
