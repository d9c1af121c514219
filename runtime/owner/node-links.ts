/** The links to node managers: the home, and others, which `Home` makes while leases or objects are there. */
import type { NodeId } from '../base/ids.ts'
import type { Message } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import type { OwnerHost } from './host.ts'

export interface NodeLinkEvents {
  message(node: NodeId, message: Message): void
  /** The link to that node manager is gone: the leases that it granted are over. */
  gone(node: NodeId): void
}

export class NodeLinks {
  readonly #host: OwnerHost
  readonly #events: NodeLinkEvents
  readonly #links = new Map<NodeId, Link>()

  constructor(host: OwnerHost, events: NodeLinkEvents) {
    this.#host = host
    this.#events = events
  }

  get(node: NodeId): Link | undefined {
    const { home, self } = this.#host
    if (node === self.node) return home.mode === 'connected' ? home.link : undefined
    return this.#links.get(node)
  }

  /**
   * Sends to a node manager, now when it is linked; `failed` is told when it cannot be reached. One that has to be reached
   * first may link itself meanwhile, and hear sooner what is said later: `isWanted` is asked by then.
   */
  send(
    node: NodeId | null,
    message: Message,
    failed: (reason: Error) => void,
    isWanted: () => boolean = () => true,
  ): void {
    const to = node ?? this.#host.self.node
    const link = this.get(to)
    if (link !== undefined) return link.send(message)
    this.#reach(to).then((reached) => {
      if (isWanted()) reached.send(message)
    }, failed)
  }

  /** Takes a link to another node manager; returns what is called when it is over. */
  adopt(link: Link): (reason: Error) => void {
    const { node } = link.peer
    this.#links.set(node, link)
    // A program that waits for nothing may end, whatever links it has.
    link.unref()
    link.onMessage = (message) => this.#events.message(node, message as unknown as Message)
    return () => {
      if (this.#links.get(node) !== link) return
      this.#links.delete(node)
      this.#events.gone(node)
    }
  }

  flush(): void {
    this.get(this.#host.self.node)?.flush()
    for (const link of this.#links.values()) link.flush()
  }

  #reach(node: NodeId): Promise<Link> {
    const { home, self } = this.#host
    return node === self.node ? home.connected() : home.dial({ node, process: node })
  }
}
