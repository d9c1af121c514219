/** A simulated driver: an owner that does what the workload says, step by step. */
import type { NodeId, ProcessId } from '../../runtime/base/ids.ts'
import type { TaskTemplate } from '../../runtime/owner/submit-types.ts'
import type { RefTuple } from '../../runtime/protocol/messages.ts'
import type { Endpoint } from './network.ts'
import type { SimNode } from './node.ts'
import { SimOwner } from './owner.ts'
import type { World } from './world.ts'

export class SimDriver implements Endpoint {
  readonly id: ProcessId
  readonly nodeId: NodeId
  alive = true
  paused = false
  readonly inbox: (() => void)[] = []
  readonly world: World
  readonly objects: SimOwner
  readonly handles: RefTuple[] = []
  pinned: TaskTemplate | undefined
  over = false
  /** The head knows its job. */
  begun = false
  /** What it is to do when its job has started. */
  #steps = 0

  constructor(world: World, id: ProcessId, node: NodeId) {
    this.world = world
    this.id = id
    this.nodeId = node
    this.objects = new SimOwner(world, this, id)
  }

  /** Its job is known to the head before it does anything. */
  run(steps: number): void {
    this.#steps = steps
    this.#startJob()
  }

  /** The head knows its job. */
  started(): void {
    this.begun = true
    const steps = this.#steps
    this.#steps = 0
    if (steps > 0) this.#step(steps)
  }

  #startJob(): void {
    this.world.network.send<SimNode>(this, this.nodeId, 'jobStart', (home, link) =>
      home.membership.jobStart(this, link),
    )
  }

  #step(steps: number): void {
    this.world.network.after(this, this.world.random.next() * 40, 'driver steps', () => {
      this.world.workload.step(this)
      this.objects.streams.begin()
      if (steps > 1) return this.#step(steps - 1)
      // It holds its resources as long as it stands.
      this.closePinned(false)
    })
  }

  keep(ref: RefTuple): void {
    if (this.over) return this.objects.release(ref)
    this.handles.push(ref)
    this.world.checks.held(ref, this.id)
  }

  drop(index: number): void {
    const [ref] = this.handles.splice(index, 1)
    if (ref !== undefined) this.objects.release(ref)
  }

  readAll(): void {
    for (const ref of [...this.handles]) this.objects.get(ref, (refs) => refs.forEach((inner) => this.keep(inner)))
  }

  closePinned(now: boolean): void {
    if (this.pinned === undefined) return
    this.objects.submit.closePinned(this.pinned.classIndex, 'closed', now)
    this.pinned = undefined
  }

  /** It has what it wanted: nothing is held any more. */
  finish(): void {
    this.over = true
    this.closePinned(false)
    while (this.handles.length > 0) this.drop(0)
  }

  gone(peer: ProcessId): void {
    if (this.world.isNode(peer)) this.objects.nodeGone(peer)
    this.objects.gone(peer)
    if (peer === this.nodeId) this.#startJob()
  }
}
