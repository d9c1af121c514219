/**
 * Owners from other nodes, as a simulated node looks for them: `ForeignOwners`, whose time comes at any moment. What it asks
 * and hears has delays of its own, so that the rest of a history is as it was without.
 */
import type { NodeId, ProcessId } from '../../runtime/base/ids.ts'
import { type Random, seededRandom } from '../../runtime/base/random.ts'
import { ForeignOwners } from '../../runtime/node/foreign-owners.ts'
import type { ProcessStatus } from '../../runtime/protocol/messages.ts'
import type { SimNode } from './node.ts'

/** How often a node looks after something has happened there: that is far more often than it would by its clock. */
const looksPerEvent = 0.01
/** A question or an answer takes up to so long, in milliseconds. */
const mostMs = 30

export class SimForeignOwners {
  readonly #node: SimNode
  readonly #random: Random
  readonly #owners: ForeignOwners
  #lookNow: (() => void) | undefined

  constructor(node: SimNode, onDead: (owner: ProcessId) => void) {
    this.#node = node
    const { world } = node
    this.#random = seededRandom(Number.parseInt(node.id, 16) ^ 0xf0e16)
    this.#owners = new ForeignOwners({
      self: node.id,
      clock: {
        now: () => world.clock.now(),
        after: (_delayMs, action) => {
          this.#lookNow = action
          return { cancel: () => (this.#lookNow = undefined) }
        },
      },
      isLinked: (owner) => world.network.isLinked(node.id, owner),
      ask: (to, owners) => {
        const answer = this.#ask(to, owners)
        world.background(answer.catch(() => {}))
        return answer
      },
      onDead: (owner) => {
        world.count('owner found dead')
        onDead(owner)
      },
    })
  }

  note(owner: ProcessId): void {
    const { nodeId } = this.#node.world.network.processes.get(owner) ?? {}
    if (nodeId !== undefined) this.#owners.note(owner, nodeId)
  }

  forget(owner: ProcessId): void {
    this.#owners.forget(owner)
  }

  /** Something has happened at the node. */
  settle(): void {
    if (this.#random.next() < looksPerEvent) this.look()
  }

  look(): void {
    const look = this.#lookNow
    this.#lookNow = undefined
    look?.()
  }

  #ask(to: NodeId, owners: readonly ProcessId[]): Promise<readonly ProcessStatus[2][]> {
    const { world, deadNodes } = this.#node
    if (deadNodes.has(to)) return Promise.resolve(owners.map(() => 'dead'))
    const later = (act: () => void): void => void world.clock.after(this.#random.next() * mostMs, act)
    return new Promise((resolve, reject) =>
      later(() => {
        const there = world.nodes().find(({ id }) => id === to)
        if (there === undefined) return reject(new Error('it cannot be reached'))
        const states = owners.map((owner): ProcessStatus[2] => (there.workers.has(owner) ? 'alive' : 'dead'))
        later(() => resolve(states))
      }),
    )
  }
}
