/**
 * A worker is an owner from when it first has to be: most run plain functions with plain arguments, and never share a
 * value, get a ref or submit a task. Until then this keeps what an owner must know from the beginning.
 *
 *     links, deaths of nodes ──▶ kept ──▶ a message that is no call's, a ref, a call of a task's own ──▶ Owner
 */
import type { NodeId } from '../base/ids.ts'
import type { OwnerHost } from '../owner/host.ts'
import { Owner } from '../owner/owner.ts'
import type { WireMessage } from '../protocol/frames.ts'
import type { Message } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'

export class LateOwner {
  readonly #host: OwnerHost
  readonly #called: (link: Link, message: Message) => boolean
  #owner: Owner | undefined
  /** Open links that stood before, and what the owner wants to be told when they are over. */
  readonly #links = new Map<Link, ((reason: Error) => void) | undefined>()
  readonly #dead = new Map<NodeId, string>()

  /** `called` takes the messages of calls; false for another one. */
  constructor(host: OwnerHost, called: (link: Link, message: Message) => boolean) {
    this.#host = host
    this.#called = called
  }

  /** From now on this process is one. */
  get now(): Owner {
    this.#owner ??= this.#begin()
    return this.#owner
  }

  /** undefined where this process has not had to be one yet. */
  get known(): Owner | undefined {
    return this.#owner
  }

  /** The links to drivers and workers. */
  get links(): Link[] {
    return this.#owner?.peers.all() ?? [...this.#links.keys()]
  }

  /** Takes every link to another process; returns what is called when it is over. */
  adopt(link: Link): (reason: Error) => void {
    // Only an owner has links to node managers.
    if (this.#owner !== undefined || link.peer.kind === 'node') return this.now.adopt(link)
    this.#links.set(link, undefined)
    link.onMessage = (message) => this.#received(link, message)
    link.unref()
    return (reason) => {
      const over = this.#links.get(link)
      this.#links.delete(link)
      over?.(reason)
    }
  }

  /** A message of the home; false when it is about something else than leases and copies. */
  fromHome(message: Message): boolean {
    return this.#owner?.fromHome(message) ?? false
  }

  nodeDead(node: NodeId, reason: string): void {
    this.#dead.set(node, reason)
    this.#owner?.nodeDead(node, reason)
  }

  #received(link: Link, message: WireMessage): void {
    if (this.#dead.has(link.peer.node)) return
    if (this.#called(link, message as unknown as Message)) return
    void this.now
    link.onMessage(message)
  }

  #begin(): Owner {
    const owner = new Owner(this.#host)
    owner.extraMessages = (link, message) => void this.#called(link, message)
    for (const [node, reason] of this.#dead) owner.nodeDead(node, reason)
    for (const link of this.#links.keys()) this.#links.set(link, owner.adopt(link))
    return owner
  }
}
