/** The links of this process to others, one per process: shared by leases, refs and objects, dialled on demand. */
import type { NodeId, ProcessAddress, ProcessId } from '../base/ids.ts'
import { ConnectionLostError } from '../base/errors.ts'
import type { Link } from '../transport/link.ts'

export interface PeerEvents {
  /** A link stands, whoever made it: set its handlers. */
  attached(link: Link): void
  /** The last link to that process is gone. */
  gone(process: ProcessId, node: NodeId, reason: Error): void
}

export class Peers {
  readonly #dial: (address: ProcessAddress, socketPath: string) => Promise<Link>
  readonly #events: PeerEvents
  readonly #links = new Map<ProcessId, Link>()
  readonly #dialling = new Map<ProcessId, Promise<Link>>()
  /** Nodes that were declared dead: nothing of theirs is listened to any more. */
  readonly #dead = new Set<NodeId>()
  #closed = false

  constructor(dial: (address: ProcessAddress, socketPath: string) => Promise<Link>, events: PeerEvents) {
    this.#dial = dial
    this.#events = events
  }

  get size(): number {
    return this.#links.size
  }

  get(process: ProcessId): Link | undefined {
    return this.#links.get(process)
  }

  isDead(node: NodeId): boolean {
    return this.#dead.has(node)
  }

  /** The link to a process, made when there is none. Rejects with ConnectionLostError or what the dial says. */
  async reach(address: ProcessAddress, socketPath = ''): Promise<Link> {
    const known = this.#links.get(address.process)
    if (known !== undefined) return known
    if (this.#dead.has(address.node))
      throw new ConnectionLostError(`node ${address.node} is dead, and process ${address.process} with it`)
    let dialling = this.#dialling.get(address.process)
    if (dialling === undefined) {
      dialling = this.#connect(address, socketPath).finally(() => this.#dialling.delete(address.process))
      this.#dialling.set(address.process, dialling)
    }
    return dialling
  }

  /** Takes a link that the other side made. */
  add(link: Link): void {
    if (this.#closed || this.#dead.has(link.peer.node))
      return link.close(new ConnectionLostError('this peer was declared dead'))
    const { process, node } = link.peer
    // Both sides may have dialled at once: each keeps sending on its own, and both are read.
    if (!this.#links.has(process)) this.#links.set(process, link)
    this.#events.attached(link)
    link.onClose = (reason) => {
      if (this.#links.get(process) !== link) return
      this.#links.delete(process)
      this.#events.gone(process, node, reason)
    }
  }

  /** Closes every link to processes of a dead node. */
  nodeDead(node: NodeId, reason: string): void {
    this.#dead.add(node)
    for (const link of [...this.#links.values()]) {
      if (link.peer.node === node) link.close(new ConnectionLostError(`node ${node} is dead: ${reason}`))
    }
  }

  close(): void {
    this.#closed = true
    for (const link of [...this.#links.values()]) link.close()
  }

  async #connect(address: ProcessAddress, socketPath: string): Promise<Link> {
    const link = await this.#dial(address, socketPath)
    if (this.#closed || this.#dead.has(address.node)) {
      const reason = new ConnectionLostError(`process ${address.process} is not to be reached any more`)
      link.close(reason)
      throw reason
    }
    this.add(link)
    return link
  }
}
