/**
 * What a simulated node says to the head and hears of it: `ClusterLink` and `Jobs`, over links of the simulation. So nodes
 * and drivers register again as they do in the runtime, where a link is lost and where a head was started again.
 */
import type { Clock } from '../../runtime/base/clock.ts'
import { ConnectionLostError } from '../../runtime/base/errors.ts'
import type { ProcessId } from '../../runtime/base/ids.ts'
import { ClusterLink } from '../../runtime/node/cluster-link.ts'
import { Jobs } from '../../runtime/node/jobs.ts'
import { TableForwarding } from '../../runtime/node/table-forwarding.ts'
import { MessageType } from '../../runtime/protocol/message-type.ts'
import type { Message } from '../../runtime/protocol/messages.ts'
import { defaultHeartbeat } from '../../runtime/transport/heartbeat-state.ts'
import type { Link } from '../../runtime/transport/link.ts'
import { demand } from './checks.ts'
import type { SimDriver } from './driver.ts'
import { SimForeignOwners } from './foreign.ts'
import type { SimHead } from './head.ts'
import type { SimNode } from './node.ts'

/** How long changes of the load gather before the head is told, in milliseconds. */
const loadMs = 20
/** How long a job may be without the link of its driver, in milliseconds: longer than what is cut off there. */
const driverGraceMs = 3_000
/** After so long without a link to the head a node makes another, in milliseconds. */
const registerAgainMs = 100
/** For so long the head may be away, in milliseconds: longer than it ever is. */
const headTimeoutMs = 60_000

const names = new Map(Object.entries(MessageType).map(([name, type]) => [type as number, name]))

/** What the story and the faults call a message. */
export function nameOf([type]: Message): string {
  return names.get(type) ?? `message ${type}`
}

/** The node's end of a link to the head. One in memory: who is silent is found by the faults, and not by heartbeats. */
class HeadLink implements Link {
  readonly kind = 'memory'
  readonly peer: Link['peer']
  readonly bufferedBytes = 0
  closed = false
  onMessage: Link['onMessage'] = () => {}
  onClose: Link['onClose'] = () => {}
  readonly #node: SimNode

  constructor(node: SimNode) {
    const { id } = node.world.head
    this.#node = node
    this.peer = {
      kind: 'node',
      node: id,
      process: id,
      info: {},
      protocol: 1,
      version: '',
      nodeMajor: 20,
    }
  }

  send(message: unknown): void {
    const { world, id } = this.#node
    if (this.closed) return
    const said = message as Message
    world.network.send<SimHead>(this.#node, world.head.id, nameOf(said), (head, link) => head.received(link, id, said))
  }

  close(): void {
    this.closed = true
    this.#node.world.network.close(this.#node, this.#node.world.head.id)
  }

  drained(): Promise<void> {
    return Promise.resolve()
  }

  flush(): void {}
  ref(): void {}
  unref(): void {}
}

export class SimMembership {
  readonly cluster: ClusterLink
  readonly jobs: Jobs
  readonly foreign: SimForeignOwners
  readonly #node: SimNode
  readonly #drivers = new Map<string, Link>()
  #link: HeadLink | undefined
  #load = ''

  constructor(node: SimNode) {
    this.#node = node
    const { world } = node
    const clock = {
      now: () => world.clock.now(),
      after: (delayMs: number, act: () => void) => world.network.after(node, delayMs, 'membership', act),
    }
    this.cluster = this.#cluster(clock)
    this.foreign = new SimForeignOwners(node, clock)
    this.jobs = new Jobs({
      ...this.foreign.options,
      driverGraceMs,
      onOwnerDead: (owner) =>
        world.network.run(node, 'an owner is dead', () => {
          this.foreign.dead(owner)
          node.freeOf(owner)
        }),
      onEnd: (job, reason, owners, home) => {
        this.#demandOver(job, reason)
        node.grants.jobEnded(job, reason)
        if (home) this.cluster.jobEnd(job, reason)
        for (const owner of owners) node.freeOf(owner)
      },
    })
  }

  #cluster(clock: Clock): ClusterLink {
    const patience = { clock, timeoutMs: headTimeoutMs, headName: 'simulated' }
    const node = this.#node
    return new ClusterLink({
      ...patience,
      heartbeat: defaultHeartbeat,
      loadIntervalMs: loadMs,
      tables: new TableForwarding(patience),
      ownRow: () => node.row(),
      knownRows: () => node.grants.rows(),
      onView: (rows, all) => node.view(rows, all),
      heldJobs: () => this.jobs.held(),
      onAway: () => node.grants.headAway(),
      onJobEnd: (job, reason) => this.jobs.end(job, reason),
      onDeclaredDead: () => node.declaredDead(),
      callBacks: {
        asked: async (to, ticket) => node.world.walls.told(node, [MessageType.nodeCall, to, ticket]),
        failed: (to, ticket, why) => node.world.walls.told(node, [MessageType.nodeCallFailed, to, ticket, why]),
      },
    })
  }

  join(): void {
    const link = new HeadLink(this.#node)
    this.#link = link
    this.cluster.attach(link, () =>
      this.#node.world.network.after(this.#node, registerAgainMs, 'register again', () => this.join()),
    )
  }

  received(message: Message): void {
    this.#link?.onMessage(message)
  }

  headGone(): void {
    const link = this.#link
    this.#link = undefined
    if (link === undefined) return
    link.closed = true
    link.onClose(new ConnectionLostError('the link is gone'))
  }

  /** A driver begins here, or is back over another link. */
  jobStart(driver: SimDriver, number: number): void {
    const job = driver.id
    const known = this.jobs.hasEnded(job)
    demand(!known, 'jobs-stand', () => `job ${job} is over, and its driver comes back in time`)
    const link = {} as Link
    this.#drivers.set(`${job}/${number}`, link)
    this.jobs.started(job, link)
    this.cluster.jobStart(
      job,
      {},
      {
        started: () => this.#node.world.network.send<SimDriver>(this.#node, job, 'jobStarted', (to) => to.started()),
        unanswered: (reason) => demand(false, 'jobs-stand', () => `job ${job} is not started: ${reason}`),
      },
    )
  }

  gone(peer: ProcessId, number: number): void {
    const link = this.#drivers.get(`${peer}/${number}`)
    this.#drivers.delete(`${peer}/${number}`)
    if (link !== undefined) this.jobs.linkGone(link)
  }

  /** Something has happened at the node. */
  settle(): void {
    this.foreign.settle()
    const { available, queued, workers } = this.#node.grants.stats()
    const load = JSON.stringify([available, queued, workers, this.#node.grants.draining])
    if (load === this.#load) return
    this.#load = load
    this.cluster.loadChanged()
  }

  /** A job ends with its driver, or with the home of that: being cut off for a while ends none. */
  #demandOver(job: ProcessId, reason: string): void {
    const { world } = this.#node
    const driver = world.network.processes.get(job)
    const home = driver && world.network.processes.get(driver.nodeId)
    const stands = driver?.alive === true && home?.alive === true && !world.losses.isDeclaredDead(home.nodeId)
    demand(!stands, 'jobs-stand', () => `job ${job} of a driver that lives is over at ${this.#node.id}: ${reason}`)
  }
}
