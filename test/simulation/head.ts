/**
 * The simulated head: `MembershipState` and `JobsState`, whose instructions go to the nodes that are linked. What it has
 * saved outlives it, and is all that the next head has; nothing is said before what it follows from is saved.
 */
import type { NodeId, ProcessId } from '../../runtime/base/ids.ts'
import { type JobRow, type JobsInstruction, JobsState } from '../../runtime/control/jobs-state.ts'
import {
  defaultMembershipOptions,
  type MembershipInstruction,
  MembershipState,
  type MembershipTimer,
} from '../../runtime/control/membership-state.ts'
import type { NodeCall, NodeCallFailed } from '../../runtime/protocol/head-messages.ts'
import { MessageType } from '../../runtime/protocol/message-type.ts'
import type { Message, NodeRow } from '../../runtime/protocol/messages.ts'
import { demand } from './checks.ts'
import { nameOf } from './membership.ts'
import type { Endpoint } from './network.ts'
import type { SimNode } from './node.ts'
import type { World } from './world.ts'

/** A node that is silent for this long is dead, in milliseconds. */
export const silentMs = 5_000

const { linkLostGraceMs, unconfirmedMs } = defaultMembershipOptions

/** What a head leaves to the next one. */
interface Saved {
  epoch: number
  readonly nodes: Map<NodeId, NodeRow>
  readonly jobs: Map<ProcessId, JobRow>
}

export class SimHead implements Endpoint {
  readonly id: ProcessId
  readonly nodeId: NodeId
  alive = true
  paused = false
  readonly inbox: (() => void)[] = []
  readonly world: World
  readonly state: MembershipState = new MembershipState()
  readonly saved: Saved
  readonly #jobs: JobsState
  readonly #nodes = new Map<number, NodeId>()
  /** Of nodes without a link: since when, and for how long they may be. */
  readonly #awaited = new Map<NodeId, { readonly sinceMs: number; readonly graceMs: number }>()
  readonly #silent = new Set<NodeId>()
  readonly #timers = new Map<MembershipTimer, { cancel(): void }>()

  constructor(world: World, id: ProcessId, saved: Saved = { epoch: 0, nodes: new Map(), jobs: new Map() }) {
    this.world = world
    this.id = id
    this.nodeId = id
    this.saved = saved
    saved.epoch++
    this.#jobs = new JobsState(saved.jobs.values())
  }

  /** It was started in the place of another, of which this is saved. */
  restore(): void {
    const rows = [...this.saved.nodes.values()]
    for (const { id, state } of rows) if (state !== 'dead') this.#await(id, unconfirmedMs)
    this.#do(this.state.restore(rows))
  }

  received(link: number, from: NodeId, message: Message): void {
    switch (message[0]) {
      case MessageType.nodeRegister:
        this.#nodes.set(link, from)
        this.#awaited.delete(from)
        return this.#do(this.state.handle({ kind: 'register', link, requestId: message[1], row: message[2] }))
      case MessageType.nodeLoad: {
        const [, available, queued, workers, state] = message
        return this.#do(this.state.handle({ kind: 'load', link, report: { available, queued, workers, state } }))
      }
      case MessageType.jobStart:
        this.#doJobs(this.#jobs.start({ job: message[2], node: from, info: message[3] }))
        return this.#tell(link, [MessageType.jobStarted, message[1]])
      case MessageType.jobEnd:
        return this.#doJobs(this.#jobs.end(message[1], message[2], from))
      case MessageType.jobsHeld:
        return this.#jobsHeld(link, message[1], message[2])
      case MessageType.nodesHeld: {
        // Its tables are never older than what nodes have seen.
        const rows = message[2].filter(({ state }) => state !== 'dead')
        return this.#do(this.state.handle({ kind: 'remembered', link, rows }))
      }
      case MessageType.nodeCall:
      case MessageType.nodeCallFailed:
        return this.#call(link, message)
      default:
    }
  }

  #jobsHeld(link: number, homes: readonly ProcessId[], others: readonly ProcessId[]): void {
    const node = this.state.nodeOf(link)
    if (node === undefined) return
    this.#doJobs(this.#jobs.homesHeld(node, homes))
    for (const job of this.#jobs.overOf(others)) this.#tell(link, [MessageType.jobEnd, job, 'it ended unheard'])
  }

  /** A node wants to be dialled by another one, or cannot dial who asked for that. */
  #call(link: number, message: NodeCall | NodeCallFailed): void {
    const from = this.#nodes.get(link)
    const [type, node, ticket] = message
    if (from === undefined) return
    const to = [...this.#nodes].find(([, id]) => id === node)?.[0]
    if (type === MessageType.nodeCallFailed) this.#tell(to, [type, from, ticket, message[3]])
    else if (to !== undefined) this.#tell(to, [type, from, ticket])
    else this.#tell(link, [MessageType.nodeCallFailed, node, ticket, 'it is not linked'])
  }

  gone(_peer: ProcessId, link: number): void {
    const node = this.state.nodeOf(link)
    if (node !== undefined) this.#await(node, linkLostGraceMs)
    this.#nodes.delete(link)
    this.#do(this.state.handle({ kind: 'linkLost', link, reason: 'the link is gone' }))
  }

  /** Nothing has come from the node for so long. */
  silent(node: NodeId): void {
    this.#silent.add(node)
    this.#do(this.state.handle({ kind: 'silent', node, silentMs }))
  }

  #await(node: NodeId, graceMs: number): void {
    this.#awaited.set(node, { sinceMs: this.world.clock.now(), graceMs })
  }

  #do(instructions: readonly MembershipInstruction[]): void {
    this.state.validate()
    for (const instruction of instructions) this.#one(instruction)
  }

  #one(instruction: MembershipInstruction): void {
    const { saved, world } = this
    switch (instruction.kind) {
      case 'save':
        if (instruction.row.state === 'dead') this.#dies(instruction.row)
        return void saved.nodes.set(instruction.row.id, instruction.row)
      case 'forget':
        return void saved.nodes.delete(instruction.node)
      case 'registered':
        return this.#tell(instruction.link, [
          ...([MessageType.nodeRegistered, instruction.requestId, saved.epoch, instruction.rows] as const),
        ])
      case 'view':
        for (const { id, state } of instruction.rows) if (state === 'dead') this.#toldDead(id)
        for (const link of instruction.links)
          this.#tell(link, [MessageType.clusterView, instruction.version, instruction.rows])
        return
      case 'declaredDead':
        world.losses.declaredDead(instruction.node)
        return this.#tell(instruction.link, [MessageType.nodeDeclaredDead, instruction.node, instruction.reason])
      case 'closeLink': {
        const node = this.#nodes.get(instruction.link)
        if (node !== undefined) world.network.close(this, node)
        return
      }
      case 'setTimer': {
        const { timer, delayMs } = instruction
        const fire = (): void => this.#do(this.state.handle({ kind: 'timer', timer }))
        this.#timers.get(timer)?.cancel()
        this.#timers.set(timer, world.network.after(this, delayMs, 'head timer', fire))
        return
      }
      case 'clearTimer':
        this.#timers.get(instruction.timer)?.cancel()
        return
      case 'nodeDown':
        return this.#doJobs(this.#jobs.nodeDown(instruction.node, instruction.reason))
      default:
      // Heartbeats come from the faults.
    }
  }

  #doJobs(instructions: readonly JobsInstruction[]): void {
    for (const one of instructions) {
      if (one.kind === 'save') this.saved.jobs.set(one.row.job, one.row)
      else if (one.kind === 'forget') this.saved.jobs.delete(one.job)
      else
        for (const link of this.state.links())
          if (this.state.nodeOf(link) !== one.except) this.#tell(link, [MessageType.jobEnd, one.job, one.reason])
    }
  }

  /** A node that lives is dead for the cluster only when it was silent, or without a link, for as long as it may be. */
  #dies({ id, reason }: NodeRow): void {
    const { clock } = this.world
    const awaited = this.#awaited.get(id)
    const waitedMs = awaited === undefined ? -1 : clock.now() - awaited.sinceMs
    const isOver = this.#silent.has(id) || waitedMs >= (awaited?.graceMs ?? 0) - 0.001
    const lives = this.world.nodes().some((node) => node.id === id)
    demand(!lives || isOver, 'dead-in-time', () => `node ${id} is dead after ${waitedMs} ms without a link: ${reason}`)
  }

  /** Others hear that a node is dead which may live: it has lost its link, and is stopped, or cannot make another. */
  #toldDead(id: NodeId): void {
    const { losses } = this.world
    if (!losses.isDeclaredDead(id) && this.world.nodes().some((node) => node.id === id)) losses.declaredDead(id)
  }

  #tell(link: number | undefined, message: Message): void {
    const id = link === undefined ? undefined : this.#nodes.get(link)
    if (id === undefined) return
    this.world.network.send<SimNode>(this, id, nameOf(message), (node, sameLink) => {
      if (link === sameLink) node.membership.received(message)
    })
  }
}
