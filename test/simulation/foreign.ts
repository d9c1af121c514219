/**
 * Owners from other nodes, as a simulated node looks for them: `ForeignOwners`, whose time comes at any moment. What it asks
 * and hears has delays of its own, so that the rest of a history is as it was without.
 */
import type { Clock } from '../../runtime/base/clock.ts'
import { ConnectionLostError } from '../../runtime/base/errors.ts'
import type { NodeId, ProcessId } from '../../runtime/base/ids.ts'
import { type Random, seededRandom } from '../../runtime/base/random.ts'
import type { ForeignOwnersOptions } from '../../runtime/node/foreign-owners.ts'
import { statusOf } from '../../runtime/node/process-questions.ts'
import type { ProcessStatus } from '../../runtime/protocol/messages.ts'
import type { Link } from '../../runtime/transport/link.ts'
import { demand } from './checks.ts'
import type { SimNode } from './node.ts'

/** How often a node looks after something has happened there: that is far more often than it would by its clock. */
const looksPerEvent = 0.05
/** And after a link has ended: the owner at its other end may live. */
const looksPerEnd = 0.5
/** A question or an answer takes up to so long, in milliseconds. */
const mostMs = 30
/** How likely a node cannot be reached though it lives. */
const unreached = 0.3
/** The clock of `ForeignOwners`: so long is between two looks, in milliseconds. */
const lookMs = 5_000

export class SimForeignOwners {
  readonly #node: SimNode
  readonly #random: Random
  readonly options: Omit<ForeignOwnersOptions, 'onDead'>
  #lookNow: (() => void) | undefined
  #isCalm = false

  /** `clock`: of all but the looks. */
  constructor(node: SimNode, clock: Clock) {
    this.#node = node
    const { world } = node
    this.#random = seededRandom(Number.parseInt(node.id, 16) ^ 0xf0e16)
    this.options = {
      self: node.id,
      clock: {
        now: () => clock.now(),
        after: (delayMs, action) => {
          if (delayMs !== lookMs) return clock.after(delayMs, action)
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
    }
  }

  /** Something has happened at the node. */
  settle(): void {
    if (this.#random.next() < looksPerEvent) this.look()
  }

  linkGone(): void {
    if (this.#random.next() < looksPerEnd) this.look()
  }

  /** After the faults: from now on whoever lives is reached. By chance alone, one owner in forty would never be asked for. */
  lookCalmly(): void {
    this.#isCalm = true
    this.look()
  }

  look(): void {
    const look = this.#lookNow
    this.#lookNow = undefined
    look?.()
  }

  /**
   * That owner is dead, the node has found: it has ended, or its node was taken for dead. However long it had no link
   * here, and whoever could not be asked, one that lives keeps what it owns.
   */
  dead(owner: ProcessId): void {
    const { world, deadNodes, id } = this.#node
    world.count('owner found dead')
    const process = world.network.processes.get(owner)
    const lives = process?.alive === true && !deadNodes.has(process.nodeId)
    demand(!lives, 'living-owner-known', () => `node ${id} takes ${world.nameOf(owner)} for dead, which lives`)
  }

  #ask(to: NodeId, owners: readonly ProcessId[]): Promise<readonly ProcessStatus[2][]> {
    const { world, deadNodes, id } = this.#node
    const lives = (owner: ProcessId): boolean => world.network.processes.get(owner)?.alive === true
    if (owners.some(lives)) world.count('living owner asked for')
    if (deadNodes.has(to)) return Promise.resolve(owners.map(() => 'dead'))
    const later = (act: () => void): void => void world.clock.after(this.#random.next() * mostMs, act)
    return new Promise((resolve, reject) =>
      later(() => {
        const there = world.nodes().find((node) => node.id === to)
        const isReached = world.network.passes(id, to) && (this.#random.next() >= unreached || this.#isCalm)
        if (there === undefined || there.paused || !isReached) {
          world.count('owner not asked')
          return reject(new ConnectionLostError(`${to} cannot be reached`))
        }
        const states = owners.map((owner) => statusAt(there, owner))
        world.count('owner asked for')
        later(() => resolve(states))
      }),
    )
  }
}

/** What a node says of one of its processes. */
function statusAt(node: SimNode, process: ProcessId): ProcessStatus[2] {
  const { id, workers, grants, membership, world } = node
  const find = (peer: ProcessId): Link | undefined => (world.network.isLinked(id, peer) ? ({} as Link) : undefined)
  return statusOf({ options: { id }, pool: workers, connections: { find }, jobs: membership.jobs, grants }, id, process)
}
