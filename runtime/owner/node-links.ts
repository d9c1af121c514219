/** The links to node managers: the home, which the host gives, and others, dialled while leases or objects are there. */
import type { NodeId } from '../base/ids.ts'
import { ConnectionLostError } from '../base/errors.ts'
import type { Message } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import type { OwnerHost } from './host.ts'

export interface NodeLinkEvents {
  message(link: Link, message: Message): void
  /** The link to that node manager is gone: the leases that it granted are over. */
  gone(node: NodeId, reason: Error): void
}

export class NodeLinks {
  readonly #host: OwnerHost
  readonly #events: NodeLinkEvents
  readonly #links = new Map<NodeId, Link>()
  readonly #dialling = new Map<NodeId, Promise<Link>>()

  constructor(host: OwnerHost, events: NodeLinkEvents) {
    this.#host = host
    this.#events = events
  }

  get(node: NodeId): Link | undefined {
    return this.#links.get(node)
  }

  /** Sends to a node manager, now when it is linked; `failed` is told when it cannot be reached. */
  send(node: NodeId | null, message: Message, failed: (reason: Error) => void): void {
    const link = this.#links.get(node ?? this.#host.self.node)
    if (link !== undefined) return link.send(message)
    this.reach(node ?? this.#host.self.node).then((reached) => reached.send(message), failed)
  }

  async reach(node: NodeId): Promise<Link> {
    const known = this.#links.get(node)
    if (known !== undefined) return known
    let dialling = this.#dialling.get(node)
    if (dialling === undefined) {
      dialling = this.#connect(node).finally(() => this.#dialling.delete(node))
      this.#dialling.set(node, dialling)
    }
    return dialling
  }

  nodeDead(node: NodeId, reason: string): void {
    this.#links.get(node)?.close(new ConnectionLostError(`node ${node} is dead: ${reason}`))
  }

  close(): void {
    for (const [node, link] of this.#links) if (node !== this.#host.self.node) link.close()
    this.#links.clear()
  }

  async #connect(node: NodeId): Promise<Link> {
    const link = node === this.#host.self.node ? await this.#host.home() : await this.#host.dialNode(node)
    this.#links.set(node, link)
    link.onMessage = (message) => this.#events.message(link, message as unknown as Message)
    link.onClose = (reason) => {
      if (this.#links.get(node) !== link) return
      this.#links.delete(node)
      this.#events.gone(node, reason)
    }
    return link
  }
}
