/**
 * Nodes whose port cannot be dialled from here: behind a firewall, or in a network of their own. Each has a link to the
 * head, which it opened itself; over that it is asked to call this node, and what it opens is used as if it had been
 * dialled from here. Nothing of what passes goes through the head.
 *
 *     here ── nodeCall ──▶ head ── nodeCall ──▶ there ── a connection, with the ticket ──▶ here
 *     here ◀── nodeCallFailed ── head ◀── nodeCallFailed ── there                          where that fails too
 */
import type { Duplex } from 'node:stream'
import type { Clock } from '../base/clock.ts'
import { ConnectionLostError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import { unreachableMs } from '../base/limits.ts'
import { MessageType } from '../protocol/messages.ts'
import type { NodeCall, NodeCallFailed } from '../protocol/messages.ts'
import type { DialBackTable } from '../transport/dial-back.ts'

export interface CallBacksOptions<Socket> {
  readonly clock: Clock
  readonly tickets: Pick<DialBackTable<Socket>, 'issue' | 'cancel'>
  /** To the head; false where there is no link to it now. */
  readonly tellHead: (message: NodeCall | NodeCallFailed) => boolean
  /** Opens a connection from here to the port of that node, and serves it as one that came in. */
  readonly connect: (node: NodeId, ticket: string) => Promise<void>
}

/** How long a node may take to call, in milliseconds. */
const callTimeoutMs = 5_000

export class CallBacks<Socket = Duplex> {
  readonly #options: CallBacksOptions<Socket>
  /** Node -> until when its port is not dialled, and until when it is not asked to call. */
  readonly #undialable = new Map<NodeId, number>()
  readonly #mute = new Map<NodeId, number>()
  /** Node -> tickets that it is to come with. */
  readonly #asked = new Map<NodeId, Set<string>>()

  constructor(options: CallBacksOptions<Socket>) {
    this.#options = options
  }

  /** Whether the port of that node may be tried; not for a while after it did not answer. */
  mayDial(node: NodeId): boolean {
    return this.#isOver(this.#undialable, node)
  }

  cannotDial(node: NodeId): void {
    this.#remember(this.#undialable, node)
  }

  /** A connection that the node opens. Rejects with ConnectionLostError where it cannot either. */
  async call(node: NodeId): Promise<Socket> {
    if (!this.#isOver(this.#mute, node))
      throw new ConnectionLostError(`node ${node} did not reach this node a moment ago`)
    const { tickets, tellHead } = this.#options
    const { ticket, socket } = tickets.issue(node, { timeoutMs: callTimeoutMs })
    const asked = this.#asked.get(node) ?? new Set()
    this.#asked.set(node, asked.add(ticket))
    if (!tellHead([MessageType.nodeCall, node, ticket]))
      tickets.cancel(ticket, 'there is no link to the head, which would ask it')
    try {
      return await socket
    } finally {
      asked.delete(ticket)
      if (asked.size === 0 && this.#asked.get(node) === asked) this.#asked.delete(node)
    }
  }

  /** That node wants to be called. */
  async asked(node: NodeId, ticket: string): Promise<void> {
    try {
      await this.#options.connect(node, ticket)
    } catch (error) {
      this.#options.tellHead([MessageType.nodeCallFailed, node, ticket, (error as Error).message])
    }
  }

  /** The node cannot call, or the head cannot ask it. */
  failed(node: NodeId, ticket: string, reason: string): void {
    if (this.#asked.get(node)?.has(ticket) !== true) return
    this.#remember(this.#mute, node)
    this.#options.tickets.cancel(ticket, reason)
  }

  nodeDown(node: NodeId, reason: string): void {
    this.#undialable.delete(node)
    this.#mute.delete(node)
    for (const ticket of this.#asked.get(node) ?? [])
      this.#options.tickets.cancel(ticket, `node ${node} is dead: ${reason}`)
  }

  #remember(until: Map<NodeId, number>, node: NodeId): void {
    until.set(node, this.#options.clock.now() + unreachableMs)
  }

  #isOver(until: Map<NodeId, number>, node: NodeId): boolean {
    const atMs = until.get(node)
    if (atMs === undefined) return true
    if (this.#options.clock.now() < atMs) return false
    until.delete(node)
    return true
  }
}
