/**
 * Nodes whose port nobody can dial. Each node has `CallBacks` and tickets of its own; what they say to each other goes
 * over the links to the head, and what comes of it is a channel.
 */
import { ConnectionLostError } from '../../runtime/base/errors.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import { type Random, seededRandom } from '../../runtime/base/random.ts'
import { CallBacks } from '../../runtime/node/call-backs.ts'
import type { NodeCall, NodeCallFailed } from '../../runtime/protocol/head-messages.ts'
import { MessageType } from '../../runtime/protocol/message-type.ts'
import { DialBackTable } from '../../runtime/transport/dial-back.ts'
import type { SimChannel } from './channel.ts'
import { demand } from './checks.ts'
import type { SimNode } from './node.ts'
import type { World } from './world.ts'

interface Calling {
  readonly tickets: DialBackTable<SimChannel>
  readonly calls: CallBacks<SimChannel>
}

export class Walls {
  readonly #world: World
  readonly #random: Random
  /** How likely a node is behind one. */
  readonly #share: number
  readonly #walled = new Set<NodeId>()
  readonly #nodes = new Map<NodeId, Calling>()
  #tickets = 0

  constructor(world: World, seed: number) {
    this.#world = world
    this.#random = seededRandom(seed ^ 0x3a11)
    this.#share = this.#random.next() < 0.3 ? 0.5 : 0
  }

  /**
   * A channel from one node to the store of another, as `node/routes.ts` makes it; `dial` makes one that nothing is in
   * the way of.
   */
  async open(from: SimNode, to: NodeId, dial: () => Promise<SimChannel>): Promise<SimChannel> {
    const { calls } = this.#of(from)
    this.#of(this.#world.network.processes.get(to) as SimNode)
    if (!this.#walled.has(to)) return dial()
    if (calls.mayDial(to)) {
      await new Promise<void>((resolve) => this.#after(from, resolve))
      calls.cannotDial(to)
    }
    try {
      const channel = await calls.call(to)
      this.#world.count('called back')
      return channel
    } catch {
      // By way of the head.
      return dial()
    }
  }

  /** Comes from the head. */
  told(node: SimNode, message: NodeCall | NodeCallFailed): void {
    const { calls } = this.#of(node)
    if (message[0] === MessageType.nodeCallFailed) calls.failed(message[1], message[2], message[3])
    else this.#world.background(calls.asked(message[1], message[2]))
  }

  nodeDown(at: SimNode, node: NodeId): void {
    this.#nodes.get(at.id)?.calls.nodeDown(node, 'it is dead')
  }

  atRest(node: SimNode): void {
    const { size = 0 } = this.#nodes.get(node.id)?.tickets ?? {}
    demand(size === 0, 'nothing-left', () => `${size} tickets of node ${node.id}`)
  }

  #of(node: SimNode): Calling {
    const known = this.#nodes.get(node.id)
    if (known !== undefined) return known
    const { network, clock } = this.#world
    const own = {
      now: () => clock.now(),
      after: (delayMs: number, act: () => void) => network.after(node, delayMs, 'ticket', act),
    }
    const tickets = new DialBackTable<SimChannel>(own, () => `${this.#tickets++}`)
    const tellHead = (message: NodeCall | NodeCallFailed): boolean => node.membership.cluster.tell(message)
    const connect = (to: NodeId, ticket: string): Promise<void> => this.#connect(node, to, ticket)
    const calling = { tickets, calls: new CallBacks<SimChannel>({ clock: own, tickets, tellHead, connect }) }
    this.#nodes.set(node.id, calling)
    if (this.#random.next() < this.#share) this.#walled.add(node.id)
    return calling
  }

  /** The node that was asked dials, and serves what comes over it. */
  async #connect(node: SimNode, to: NodeId, ticket: string): Promise<void> {
    const asker = this.#world.network.processes.get(to) as SimNode | undefined
    await new Promise<void>((resolve) => this.#after(node, resolve))
    if (asker?.alive !== true || this.#walled.has(to)) throw new ConnectionLostError(`${to} cannot be dialled`)
    const near = this.#world.serve(asker, node)
    this.#world.network.run(asker, 'is called', () => {
      if (!this.#of(asker).tickets.complete(ticket, near)) near.close()
    })
  }

  #after(node: SimNode, act: () => void): void {
    this.#world.network.after(node, 2 * this.#world.network.latencyMs(), 'dial', act)
  }
}
