/** The simulated head: `MembershipState`, whose instructions go to the nodes that are linked. */
import type { NodeId, ProcessId } from '../../runtime/base/ids.ts'
import {
  type MembershipInstruction,
  MembershipState,
  type MembershipTimer,
  type NodeReport,
} from '../../runtime/control/membership-state.ts'
import type { NodeCall, NodeCallFailed } from '../../runtime/protocol/head-messages.ts'
import { MessageType } from '../../runtime/protocol/message-type.ts'
import type { Endpoint } from './network.ts'
import type { SimNode } from './node.ts'
import type { World } from './world.ts'

/** A node that is silent for this long is dead, in milliseconds. */
export const silentMs = 5_000

export class SimHead implements Endpoint {
  readonly id: ProcessId
  readonly nodeId: NodeId
  alive = true
  paused = false
  readonly inbox: (() => void)[] = []
  readonly world: World
  readonly state: MembershipState = new MembershipState()
  readonly #nodes = new Map<number, NodeId>()
  readonly #timers = new Map<MembershipTimer, { cancel(): void }>()
  readonly #endedJobs = new Set<ProcessId>()
  #nextRequest = 1

  constructor(world: World, id: ProcessId) {
    this.world = world
    this.id = id
    this.nodeId = id
  }

  register(node: SimNode, link: number): void {
    this.#nodes.set(link, node.id)
    this.#do(this.state.handle({ kind: 'register', link, requestId: this.#nextRequest++, row: node.row() }))
    for (const job of this.#endedJobs) this.#tell(link, 'jobEnd', (to) => to.jobEnded(job))
  }

  load(link: number, report: NodeReport): void {
    this.#do(this.state.handle({ kind: 'load', link, report }))
  }

  /** A node wants to be dialled by another one, or cannot dial who asked for that. */
  call(link: number, message: NodeCall | NodeCallFailed): void {
    const from = this.#nodes.get(link)
    const [type, node, ticket] = message
    if (from === undefined) return
    const tell = (to: NodeId, said: NodeCall | NodeCallFailed, what: string): void =>
      this.world.network.send<SimNode>(this, to, what, (at) => this.world.walls.told(at, said))
    if (type === MessageType.nodeCallFailed) tell(node, [type, from, ticket, message[3]], 'nodeCallFailed')
    else if ([...this.#nodes.values()].includes(node)) tell(node, [type, from, ticket], 'nodeCall')
    else tell(from, [MessageType.nodeCallFailed, node, ticket, 'it is not linked'], 'nodeCallFailed')
  }

  gone(_peer: ProcessId, link: number): void {
    this.#nodes.delete(link)
    this.#do(this.state.handle({ kind: 'linkLost', link, reason: 'the link is gone' }))
  }

  /** Nothing has come from the node for so long. */
  silent(node: NodeId): void {
    this.#do(this.state.handle({ kind: 'silent', node, silentMs }))
  }

  jobEnd(job: ProcessId): void {
    this.#endedJobs.add(job)
    for (const node of new Set(this.#nodes.values()))
      this.world.network.send<SimNode>(this, node, 'jobEnd', (to) => to.jobEnded(job))
  }

  #do(instructions: readonly MembershipInstruction[]): void {
    this.state.validate()
    for (const instruction of instructions) this.#one(instruction)
  }

  #one(instruction: MembershipInstruction): void {
    switch (instruction.kind) {
      case 'registered':
        return this.#tell(instruction.link, 'registered', (node) => node.view(instruction.rows, true))
      case 'view':
        for (const { id, state } of instruction.rows) if (state === 'dead') this.#toldDead(id)
        for (const link of instruction.links) this.#tell(link, 'view', (node) => node.view(instruction.rows, false))
        return
      case 'declaredDead':
        this.world.losses.declaredDead(instruction.node)
        return this.#tell(instruction.link, 'declaredDead', (node) => node.declaredDead())
      case 'closeLink': {
        const node = this.#nodes.get(instruction.link)
        if (node !== undefined) this.world.network.close(this, node)
        return
      }
      case 'setTimer': {
        const { timer, delayMs } = instruction
        const fire = (): void => this.#do(this.state.handle({ kind: 'timer', timer }))
        this.#timers.set(timer, this.world.network.after(this, delayMs, 'head timer', fire))
        return
      }
      case 'clearTimer':
        this.#timers.get(instruction.timer)?.cancel()
        return
      default:
      // Heartbeats come from the faults; tables and jobs are not simulated.
    }
  }

  /** Others hear that a node is dead which may live: it has lost its link, and is stopped, or cannot make another. */
  #toldDead(id: NodeId): void {
    const { losses } = this.world
    if (!losses.isDeclaredDead(id) && this.world.nodes().some((node) => node.id === id)) losses.declaredDead(id)
  }

  #tell(link: number, what: string, tell: (node: SimNode) => void): void {
    const id = this.#nodes.get(link)
    if (id === undefined) return
    this.world.network.send<SimNode>(this, id, what, (node, sameLink) => {
      if (link === sameLink) tell(node)
    })
  }
}
