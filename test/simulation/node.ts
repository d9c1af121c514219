/** A simulated node manager: `LeaseGrants` with its workers, its link to the head, and its end. */
import { type NodeId, parseObjectKey, type ProcessId } from '../../runtime/base/ids.ts'
import { ObjectPuller } from '../../runtime/node/transfer.ts'
import type { Room } from '../../runtime/objects/arena-space.ts'
import { recallUnstarted } from '../../runtime/objects/claim-page.ts'
import { Serving } from '../../runtime/objects/serving.ts'
import { LeaseGrants } from '../../runtime/node/lease-grants-state.ts'
import { defaultLeaseOptions, type Lease, type LeaseAsk, type LeaseEffects } from '../../runtime/node/lease-types.ts'
import type { NodeRow, RefusalCode, ResourceUnits } from '../../runtime/protocol/messages.ts'
import type { Prefetch } from '../../runtime/protocol/store-messages.ts'
import { unitsOf } from '../../runtime/scheduler/resources.ts'
import { demand } from './checks.ts'
import { SimMembership } from './membership.ts'
import type { Endpoint } from './network.ts'
import type { SimOwner } from './owner.ts'
import { SimStore } from './store.ts'
import { SimWorker } from './worker.ts'
import type { World } from './world.ts'

type OwnerProcess = Endpoint & { readonly objects: SimOwner }

/** What the simulation itself knows of a lease, beside the machine. */
interface Granted {
  readonly lease: Lease
  readonly owner: ProcessId
  blocked: boolean
  wasBlocked: boolean
}

export class SimNode implements Endpoint, LeaseEffects {
  readonly id: NodeId
  readonly nodeId: NodeId
  alive = true
  paused = false
  readonly inbox: (() => void)[] = []
  readonly world: World
  readonly grants: LeaseGrants
  readonly total: ResourceUnits
  readonly workers: Map<ProcessId, SimWorker> = new Map<ProcessId, SimWorker>()
  /** Where each epoch of a dead worker had got to. */
  readonly #ended = new Map<ProcessId, (epoch: number) => number>()
  readonly #waiting = new Map<ProcessId, (() => void)[]>()
  readonly #granted = new Map<number, Granted>()
  readonly #deadRows = new Set<NodeId>()
  /** Leases whose owners were asked for them, at once or when they are idle. */
  readonly #reclaimed = new Set<string>()
  readonly store: SimStore
  readonly puller: ObjectPuller
  readonly serving: Serving = new Serving()
  readonly membership: SimMembership
  /** When somebody last asked for a lease here. */
  askedAtMs = 0
  #tick: { cancel(): void } | undefined

  constructor(world: World, id: NodeId, total: ResourceUnits) {
    this.world = world
    this.id = id
    this.nodeId = id
    this.total = total
    this.store = new SimStore(this)
    this.puller = new ObjectPuller({ store: this.store, self: id, ...world.pullerParts(this) })
    this.grants = new LeaseGrants({
      clock: world.clock,
      random: world.random,
      effects: this,
      newWorkerId: () => world.newId(),
      node: id,
      total,
      ownRow: () => this.#staticRow(),
      options: { ...defaultLeaseOptions, ...world.options.leases },
    })
    this.membership = new SimMembership(this)
  }

  #staticRow(): NodeRow {
    const facts = { id: this.id, url: `sim:${this.id}`, hostname: 'sim', pid: 1, labels: {}, head: false }
    const load = { available: this.total, queued: 0, workers: 0 }
    return { ...facts, ...load, state: 'alive', total: this.total }
  }

  row(): NodeRow {
    const { available, queued, workers } = this.grants.stats()
    return { ...this.#staticRow(), available, queued, workers, state: this.grants.draining ? 'draining' : 'alive' }
  }

  start(): void {
    this.membership.join()
    this.grants.start()
  }

  request(process: ProcessId, link: number, ask: LeaseAsk, isHome: boolean): void {
    this.askedAtMs = this.world.clock.now()
    if (this.membership.jobs.hasEnded(ask.job))
      return this.refuse(`${process}/${link}`, ask.requestId, 'draining', `job ${ask.job} is over`)
    this.grants.request(`${process}/${link}`, process, ask, isHome)
  }

  return(process: ProcessId, link: number, leaseId: number, endWorker: boolean): void {
    const granted = this.#granted.get(leaseId)
    const owner = `${process}/${link}`
    // What ends with its worker is held until that is dead.
    const { lease } = granted ?? {}
    if (lease?.owner === owner && lease.kind === 'task' && lease.state !== 'ending' && !endWorker)
      this.#granted.delete(leaseId)
    this.grants.return(owner, leaseId, endWorker)
  }

  blocked(worker: ProcessId, epoch: number, blocked: boolean): void {
    for (const granted of this.#granted.values()) {
      const { lease } = granted
      if (lease.worker !== worker || lease.epoch !== epoch) continue
      granted.blocked = blocked
      granted.wasBlocked = true
    }
    if (blocked) this.grants.workerBlocked(worker, epoch)
    else this.grants.workerResumed(worker, epoch)
  }

  recall(worker: ProcessId, epoch: number, sequences: readonly number[]): readonly number[] {
    const page = this.workers.has(worker) ? this.world.pageOf(worker) : undefined
    return page === undefined ? [] : recallUnstarted(page, epoch, sequences)
  }

  /** Ends a worker for an owner that lost its link to it, and tells how far it had got. */
  endFor(worker: ProcessId, epoch: number, told: (startedUpTo: number | null) => void): void {
    const answer = (): void => told(this.#ended.get(worker)?.(epoch) ?? null)
    const running = this.workers.get(worker)
    if (running === undefined) return answer()
    this.grants.workerEnding(worker)
    this.#waiting.set(worker, [...(this.#waiting.get(worker) ?? []), answer])
    this.world.kill(running)
  }

  /** A worker process is no more. */
  exited(worker: SimWorker): void {
    if (!this.workers.delete(worker.id)) return
    const page = this.world.pageOf(worker.id)
    this.#ended.set(worker.id, (epoch) => page.startedUpTo(epoch))
    for (const [id, granted] of this.#granted) if (granted.lease.worker === worker.id) this.#granted.delete(id)
    this.grants.workerDied(worker.id, 'killed')
    this.membership.jobs.ownerGone(worker.id)
    this.store.change((ledger) => {
      ledger.processGone(worker.id)
      ledger.deleteOwnedBy(worker.id, true)
    })
    for (const answer of this.#waiting.get(worker.id) ?? []) answer()
    this.#waiting.delete(worker.id)
  }

  gone(peer: ProcessId, link: number): void {
    this.grants.ownerGone(`${peer}/${link}`)
    if (peer === this.world.head.id) return this.membership.headGone()
    this.membership.gone(peer, link)
    this.membership.foreign.linkGone()
    const isDriver = this.world.drivers.some((driver) => driver.id === peer && driver.nodeId === this.id)
    if (isDriver && this.world.network.processes.get(peer)?.alive !== true)
      this.store.change((ledger) => ledger.processGone(peer))
  }

  /** What the head tells of the nodes. */
  view(rows: readonly NodeRow[], all: boolean): void {
    this.grants.viewChanged(rows, all)
    for (const { id, state, reason } of rows) {
      const isBack = state !== 'dead' && this.#deadRows.has(id)
      demand(!isBack, 'dead-stays-dead', () => `node ${this.id} is told that ${id} lives, which was dead`)
      if (state !== 'dead' || id === this.id || this.#deadRows.has(id)) continue
      this.#deadRows.add(id)
      this.world.walls.nodeDown(this, id)
      for (const home of this.world.owners()) {
        if (home.nodeId !== this.id) continue
        this.world.network.send<OwnerProcess>(this, home.id, 'nodeEvent', (to) => to.objects.nodeDead(id, reason ?? ''))
      }
    }
  }

  /** The dead nodes that a process which starts now has to know. */
  get deadNodes(): ReadonlySet<NodeId> {
    return this.#deadRows
  }

  /** Its end was declared: everything here ends, and the machine joins again as another node. */
  declaredDead(): void {
    this.world.killNode(this)
    this.world.network.after(this.world.head, 50, 'rejoin', () => void this.world.addNode(this.total))
  }

  /** After each event: the machine is sound, and its load and its clock are told. */
  settle(): void {
    this.grants.validate()
    this.store.settle()
    this.membership.settle()
    this.#tick?.cancel()
    const next = this.grants.nextTickAtMs()
    if (next !== undefined) {
      const delayMs = Math.max(next - this.world.clock.now(), 0.001)
      this.#tick = this.world.network.after(this, delayMs, 'node tick', () => this.grants.tick())
    }
  }

  // --- instructions of LeaseGrants

  grant(lease: Lease, others: readonly number[]): void {
    const known = this.workers.has(lease.worker)
    demand(known, 'granted-known', () => `lease ${lease.id} is on worker ${lease.worker}, whose end was told`)
    let cpuUnits = unitsOf(lease.resources, 'CPU')
    for (const other of this.#granted.values()) {
      const clash = other.lease.worker === lease.worker && !other.blocked
      demand(!clash, 'granted-once', () => `worker ${lease.worker} is granted to ${lease.id} and to ${other.lease.id}`)
      // One that was blocked is back at once, on CPUs that were given to others meanwhile.
      if (!other.wasBlocked) cpuUnits += unitsOf(other.lease.resources, 'CPU')
    }
    const hasUnits = unitsOf(this.total, 'CPU')
    demand(cpuUnits <= hasUnits, 'granted-within', () => `node ${this.id} grants ${cpuUnits} of ${hasUnits} CPU units`)
    const [owner = '', link = ''] = lease.owner.split('/')
    if (others.length > 0) this.world.count('shared worker')
    this.#granted.set(lease.id, { lease, owner: owner as ProcessId, blocked: false, wasBlocked: false })
    const { id: leaseId, requestId, epoch, job } = lease
    this.noteOwner(job, owner as ProcessId)
    this.noteOwner(job, lease.worker)
    const dead = [...this.#deadRows]
    this.world.network.send<SimWorker>(this, lease.worker, 'leaseStart', (to) => {
      to.leaseStart(epoch, job, others)
      for (const node of dead) to.objects.nodeDead(node, 'dead')
    })
    const pagePath = this.world.options.pages ? `page of ${lease.worker}` : ''
    const grant = { leaseId, epoch, node: this.id, worker: lease.worker, socketPath: '', pagePath, pid: 1 }
    this.#toOwner(owner as ProcessId, Number(link), 'leaseGranted', (to) => to.granted(requestId, grant))
  }

  redirect(owner: string, requestId: number, node: NodeId): void {
    if (!this.world.head.alive) this.world.count('redirected without head')
    const [process = '', link = ''] = owner.split('/')
    this.#toOwner(process as ProcessId, Number(link), 'redirected', (to) => to.submit.redirected(requestId, node))
  }

  refuse(owner: string, requestId: number, code: RefusalCode, text: string): void {
    const [process = '', link = ''] = owner.split('/')
    this.#toOwner(process as ProcessId, Number(link), 'refused', (to) => to.refused(requestId, code, text))
  }

  reclaim(lease: Lease, whenIdle: boolean): void {
    const asked = `${lease.id} ${whenIdle}`
    demand(!this.#reclaimed.has(asked), 'reclaimed-once', () => `lease ${lease.id} of ${this.id} is wanted back twice`)
    this.#reclaimed.add(asked)
    const [process = '', link = ''] = lease.owner.split('/')
    this.#toOwner(process as ProcessId, Number(link), 'reclaim', (to) => to.submit.reclaim(this.id, lease.id, whenIdle))
  }

  startWorker(id: ProcessId): void {
    const fails = this.world.random.next() < this.world.options.spawnFails
    this.world.network.after(this, 5 + this.world.random.next() * 60, 'worker starts', () => {
      if (fails) return this.grants.workerDied(id, 'it could not start')
      const worker = new SimWorker(this.world, id, this.id)
      this.workers.set(id, worker)
      this.world.network.processes.set(id, worker)
      this.world.network.send<SimNode>(worker, this.id, 'ready', (node) => node.grants.workerReady(id))
    })
  }

  endWorker(id: ProcessId, _reason: string, graceful: boolean): void {
    const worker = this.workers.get(id)
    if (worker === undefined) {
      // It has not started yet.
      this.world.network.after(this, 100, 'unborn', () => this.#endUnborn(id))
    } else if (graceful) this.world.network.send<SimWorker>(this, id, 'exit', (to) => to.exit())
    else this.world.network.after(this, 1, 'kill', () => this.world.kill(worker))
  }

  reportSpawnFailure(): void {
    // For the log of a driver.
  }

  reportInfeasible(): void {
    // The same.
  }

  atRest(empty: boolean): void {
    this.store.atRest(empty)
    const { leases, queued, available, workers, idle } = this.grants.stats()
    // What is idle for long is ended, but what is kept for the next request.
    const kept = this.grants.draining ? 0 : (this.world.options.leases.prestart ?? 0)
    demand(idle <= kept, 'nothing-left', () => `${idle} idle workers of node ${this.id}, which keeps ${kept}`)
    const stays = this.grants.draining && workers > 0
    demand(!stays, 'nothing-left', () => `${workers} workers of node ${this.id}, which has drained`)
    demand(leases === 0, 'nothing-left', () => `${leases} leases of node ${this.id}`)
    demand(queued === 0, 'nothing-left', () => `${queued} requests of node ${this.id}`)
    const [back, all] = [JSON.stringify(available), JSON.stringify(this.total)]
    demand(back === all, 'resources-back', () => `node ${this.id} has ${back} of ${all}`)
  }

  /** A process of this machine says that it has written an object. */
  sealed(process: ProcessId, key: string, room: Room, sizeBytes: number): void {
    this.store.change((ledger) => ledger.sealed(process, key, room, sizeBytes, true))
  }

  /** Whether it listens to that process: a driver, or a worker that has not ended. */
  serves(process: ProcessId): boolean {
    return this.workers.has(process) || this.world.drivers.some(({ id }) => id === process)
  }

  /** A task that needs it may come here. */
  prefetch([, job, key, sizeBytes, holders]: Prefetch): void {
    if (this.membership.jobs.hasEnded(job)) return
    this.noteOwner(job, parseObjectKey(key).owner)
    // Whoever needs it asks again, and is told why it cannot be had.
    this.world.background(
      this.puller.pull(key, sizeBytes, holders, true).then(
        () => this.world.count('brought ahead'),
        () => {},
      ),
    )
  }

  /** An owner has no use for an object any more. */
  free(key: string): void {
    this.store.change((ledger) => ledger.delete(key, true))
    this.puller.unwanted(key)
  }

  askToCollect(process: ProcessId): void {
    const collected = (): void => this.store.change((ledger) => ledger.collected(process))
    if (process === this.id) return void this.world.network.after(this, 1, 'collected', collected)
    this.world.network.send<OwnerProcess>(this, process, 'storeCollect', (to) => {
      to.objects.values.collect()
      this.world.network.send(to, this.id, 'storeNotes', collected)
    })
  }

  /** Something of that owner may lie here, until that job is over. */
  noteOwner(job: ProcessId | undefined, owner: ProcessId): void {
    const { nodeId } = this.world.network.processes.get(owner) ?? {}
    if (job !== undefined) this.membership.jobs.noteOwner(job, owner, nodeId)
  }

  /** Its owner is no more, or is not to be. */
  freeOf(owner: ProcessId): void {
    this.store.change((ledger) => ledger.deleteOwnedBy(owner, true))
  }

  #endUnborn(id: ProcessId): void {
    const worker = this.workers.get(id)
    if (worker !== undefined) this.world.kill(worker)
  }

  #toOwner(process: ProcessId, link: number, what: string, tell: (owner: SimOwner) => void): void {
    this.world.network.send<OwnerProcess>(this, process, what, (to, sameLink) => {
      if (link === sameLink) tell(to.objects)
    })
  }
}
