/** What other processes say of copies of this one's objects: that they have one brought, or need one on some node. */
import type { NodeId, ObjectNumber } from '../base/ids.ts'
import { type Holder, type Message, MessageType } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import type { Frees } from './frees.ts'
import type { OwnerHost } from './host.ts'
import type { NodeLinks } from './node-links.ts'
import type { ObjectTable } from './object-table.ts'
import { bring } from './prefetch.ts'

export interface CopiesParts {
  readonly host: Pick<OwnerHost, 'self' | 'job'>
  readonly nodes: Pick<NodeLinks, 'send'>
  readonly objects: Pick<ObjectTable, 'addHolder' | 'outcome'>
  readonly frees: Pick<Frees, 'free' | 'stray' | 'isStray'>
  /** Whether an object of this process is to stay. */
  isHeld(number: ObjectNumber): boolean
}

export class Copies {
  readonly #parts: CopiesParts

  constructor(parts: CopiesParts) {
    this.#parts = parts
  }

  /** `holder` has a copy, or has one brought. */
  copied(number: ObjectNumber, holder: Holder): void {
    const { objects, frees } = this.#parts
    // It was freed meanwhile.
    if (!this.#parts.isHeld(number)) frees.free(number, [holder])
    else if (objects.outcome(number)?.[0] === 'stored') objects.addHolder(number, holder)
    // Other copies were taken for lost meanwhile, and it is made again.
    else frees.stray(holder[0], number)
  }

  /** What is said over that link; false for a message about something else. */
  received({ peer }: Link, message: Message): boolean {
    if (message[0] === MessageType.objectBring) this.#bring(message[1], message[2])
    else if (message[0] !== MessageType.objectCopied) return false
    else if (message[2] === undefined) this.copied(message[1], [peer.node, peer.node])
    else this.#mayHaveCome(message[1], message[2])
    return true
  }

  /** A task of another process needs it there. */
  #bring(number: ObjectNumber, to: NodeId): void {
    const outcome = this.#parts.isHeld(number) ? this.#parts.objects.outcome(number) : undefined
    if (outcome !== undefined) bring(this.#parts, number, outcome, to)
  }

  /** Whoever had a copy brought to that node is gone. */
  #mayHaveCome(number: ObjectNumber, to: NodeId): void {
    if (this.#parts.isHeld(number)) this.#parts.frees.stray(to, number)
    else this.#parts.frees.free(number, [[to, to]])
  }
}
