/** The links of this process to other drivers and workers: shared by leases, refs and objects. `Home` makes them. */
import type { NodeId, ProcessAddress, ProcessId } from '../base/ids.ts'
import { ConnectionLostError } from '../base/errors.ts'
import type { Link } from '../transport/link.ts'
import type { OwnerHost } from './host.ts'

export interface PeerEvents {
  /** A link stands, whoever made it: set its handlers. */
  attached(link: Link): void
  /** The last link to that process is gone. */
  gone(process: ProcessId, reason: Error): void
}

export class Peers {
  readonly #home: OwnerHost['home']
  readonly #events: PeerEvents
  readonly #links = new Map<ProcessId, Link>()
  /** Nodes that were declared dead: nothing of theirs is listened to any more. */
  readonly #dead = new Set<NodeId>()

  constructor(home: OwnerHost['home'], events: PeerEvents) {
    this.#home = home
    this.#events = events
  }

  get(process: ProcessId): Link | undefined {
    return this.#links.get(process)
  }

  /** The link to each process that there is one to. */
  all(): Link[] {
    return [...this.#links.values()]
  }

  /** See `ProcessDialer`. */
  get sessions(): OwnerHost['home']['sessions'] {
    return this.#home.sessions
  }

  isDead(node: NodeId): boolean {
    return this.#dead.has(node)
  }

  /** The link to a process, made when there is none. Rejects with ConnectionLostError or what the dial says. */
  async reach(address: ProcessAddress): Promise<Link> {
    const known = this.#links.get(address.process)
    if (known !== undefined) return known
    if (this.#dead.has(address.node)) {
      throw new ConnectionLostError(`node ${address.node} is dead, and process ${address.process} with it`)
    }
    return this.#home.dial(address)
  }

  /** Takes every link to another process, whoever made it; returns what is called when it is over. */
  adopt(link: Link): (reason: Error) => void {
    const { process } = link.peer
    // Both sides may have dialled at once: each keeps sending on its own, and both are read.
    if (!this.#links.has(process)) this.#links.set(process, link)
    this.#events.attached(link)
    return (reason) => {
      if (this.#links.get(process) !== link) return
      this.#links.delete(process)
      this.#events.gone(process, reason)
    }
  }

  /** `Home` has closed the links to that node; what is still on its way from there does not count. */
  nodeDead(node: NodeId): void {
    this.#dead.add(node)
  }
}
