/**
 * The tables behind the lease machine and the small moves that keep them consistent; the decisions are in the files
 * beside it. Maps iterate in order of insertion, so equal events give equal instructions.
 */
import type { ProcessId } from '../base/ids.ts'
import { leasesPerPage } from '../objects/claim-page.ts'
import type { ResourceUnits } from '../protocol/messages.ts'
import { Ledger } from '../scheduler/ledger-state.ts'
import { cpuName, resourceKey, unitsOf, unitsPerOne } from '../scheduler/resources.ts'
import { ClusterViewState } from '../scheduler/view-state.ts'
import type {
  Lease,
  LeaseAsk,
  LeaseDependencies,
  OwnerKey,
  SpawnClass,
  WaitingRequest,
  WorkerEntry,
} from './lease-types.ts'
import { LeaseUse } from './lease-use.ts'

export class LeaseTables {
  readonly deps: LeaseDependencies
  readonly ledger: Ledger
  readonly view: ClusterViewState = new ClusterViewState()
  /** By `waitingKey`, in order of arrival. */
  readonly waiting: Map<string, WaitingRequest> = new Map()
  readonly #waitingByClass = new Map<string, Set<WaitingRequest>>()
  readonly leases: Map<number, Lease> = new Map()
  readonly workers: Map<ProcessId, WorkerEntry> = new Map()
  /** By environment. */
  readonly spawnClasses: Map<string, SpawnClass> = new Map()
  /** Leases and allocations by class that are not ending: how much of the node a class has. */
  readonly shares: Map<string, number> = new Map()
  readonly #use = new LeaseUse()
  /** CPUs of the node, rounded up, at least one. */
  readonly cpus: number
  draining = false
  #nextLease = 1
  #nextSequence = 1

  constructor(deps: LeaseDependencies) {
    this.deps = deps
    this.ledger = new Ledger(deps.total)
    this.cpus = Math.max(1, Math.ceil(unitsOf(deps.total, cpuName) / unitsPerOne))
  }

  now(): number {
    return this.deps.clock.now()
  }

  nextSequence(): number {
    return this.#nextSequence++
  }

  share(classKey: string): number {
    return this.shares.get(classKey) ?? 0
  }

  /** Whether a class has leases here, or waits for some. */
  hasAny(classKey: string): boolean {
    return this.shares.has(classKey) || this.#waitingByClass.has(classKey)
  }

  /**
   * Whether the class of a request has lately had less than its part, if all that want something here had equal ones. What
   * it has of the node is what it has of the resource of which it has most (dominant resource fairness: Ghodsi et al.,
   * NSDI 2011).
   */
  hadLittle({ classKey, resources }: WaitingRequest): boolean {
    let classes = this.shares.size
    for (const waiting of this.#waitingByClass.keys()) if (!this.shares.has(waiting)) classes++
    const leases = this.#use.average(classKey, this.share(classKey), this.now())
    return resources.every(([name, units]) => leases * units * classes < unitsOf(this.ledger.total, name))
  }

  #addShare(classKey: string, change: 1 | -1): void {
    this.#use.held(classKey, this.share(classKey), this.now())
    const share = this.share(classKey) + change
    if (share === 0) this.shares.delete(classKey)
    else this.shares.set(classKey, share)
  }

  /** Books the resources of a waiting request; false when they are not free. */
  allocate(request: WaitingRequest): boolean {
    if (!this.ledger.acquire(this.#nextLease, request.resources)) return false
    request.lease = this.#nextLease++
    this.#addShare(request.classKey, 1)
    return true
  }

  /** Gives the booking of a waiting request back. */
  unallocate(request: WaitingRequest): void {
    if (request.lease === 0) return
    this.ledger.release(request.lease)
    request.lease = 0
    this.#addShare(request.classKey, -1)
  }

  addWaiting(request: WaitingRequest): void {
    this.waiting.set(waitingKey(request.owner, request.requestId), request)
    const others = this.#waitingByClass.get(request.classKey)
    if (others === undefined) this.#waitingByClass.set(request.classKey, new Set([request]))
    else others.add(request)
  }

  dropWaiting(request: WaitingRequest): void {
    this.unallocate(request)
    this.#forgetWaiting(request)
  }

  #forgetWaiting(request: WaitingRequest): void {
    this.waiting.delete(waitingKey(request.owner, request.requestId))
    const others = this.#waitingByClass.get(request.classKey)
    others?.delete(request)
    if (others?.size === 0) this.#waitingByClass.delete(request.classKey)
  }

  /** A class has had its turn: what it has waiting is behind everybody who waits by now. */
  toTheEnd(classKey: string): void {
    for (const request of this.#waitingByClass.get(classKey) ?? []) {
      request.sequence = this.nextSequence()
      request.waitsSinceMs = this.now()
      request.isFirst = false
    }
  }

  /**
   * Whoever waits here in front of a request that is as good as it: nothing can be done for the second that was not
   * done for the first, and while the first waits it makes no difference whether the second does.
   */
  twinBefore(request: WaitingRequest): WaitingRequest | undefined {
    const first = this.#waitingByClass.get(request.classKey)?.values().next().value
    if (first === undefined || first === request) return undefined
    for (const each of [first, request]) {
      const settled = each.lease === 0 && each.mayRunHere && each.home && !each.awaitsReturns
      if (!settled || each.strategy !== null || each.visitedNow.length > 0) return undefined
    }
    return first.placed ? first : undefined
  }

  /** A request that holds resources gets its worker: from here on it is a lease. */
  grant(request: WaitingRequest, worker: WorkerEntry): Lease {
    if (request.lease === 0) throw new Error(`leases: request ${request.requestId} is granted without resources`)
    this.#forgetWaiting(request)
    worker.state = 'leased'
    worker.job = request.job
    worker.epoch = this.#nextEpoch(worker)
    const { lease: id, owner, process, requestId, job, kind, resources, priority, classKey } = request
    const lease: Lease = {
      ...{ id, owner, process, requestId, job, kind, resources, priority, classKey },
      worker: worker.id,
      epoch: worker.epoch,
      grantedAtMs: this.now(),
      state: 'granted',
      wanted: false,
      blocked: false,
    }
    const others = this.#epochsOf(worker)
    worker.leases.add(lease.id)
    this.leases.set(lease.id, lease)
    this.deps.effects.grant(lease, others)
    return lease
  }

  #epochsOf(worker: WorkerEntry): number[] {
    return [...worker.leases].map((id) => this.leases.get(id)?.epoch ?? 0)
  }

  /** The next epoch that shares no words of the claim page with a lease that the worker still serves. */
  #nextEpoch(worker: WorkerEntry): number {
    const regions = new Set(this.#epochsOf(worker).map((epoch) => epoch % leasesPerPage))
    let epoch = worker.epoch + 1
    while (regions.has(epoch % leasesPerPage)) epoch++
    return epoch
  }

  /** The lease is over and its resources are free. */
  dropLease(lease: Lease): void {
    if (lease.state !== 'ending') this.#addShare(lease.classKey, -1)
    this.leases.delete(lease.id)
    this.ledger.release(lease.id)
    this.workers.get(lease.worker)?.leases.delete(lease.id)
  }

  /** Ends a worker with everything on it; its leases keep their resources until `workerDied`. */
  endWorker(worker: WorkerEntry, reason: string, graceful: boolean): void {
    if (worker.state === 'ending') return
    this.markEnding(worker)
    this.deps.effects.endWorker(worker.id, reason, graceful)
  }

  /** As `endWorker`, where somebody else has told the process already. */
  markEnding(worker: WorkerEntry): void {
    worker.state = 'ending'
    for (const id of worker.leases) {
      const lease = this.leases.get(id)
      if (lease === undefined || lease.state === 'ending') continue
      lease.state = 'ending'
      this.#addShare(lease.classKey, -1)
    }
  }

  /** The streak of failed starts of an environment, begun when there is none. */
  failedSpawns(environment: string): SpawnClass {
    let entry = this.spawnClasses.get(environment)
    if (entry === undefined) {
      entry = { failures: 0, killed: 0, notBeforeMs: 0, givenUp: false }
      this.spawnClasses.set(environment, entry)
    }
    return entry
  }

  /** Units that come back when the lease does: a blocked one has given its CPU back already. */
  heldBy(lease: Lease): ResourceUnits {
    return lease.blocked ? lease.resources.filter(([name]) => name !== cpuName) : lease.resources
  }

  /** Whether every lease of this worker awaits something. */
  allBlocked(worker: WorkerEntry): boolean {
    if (worker.state !== 'leased') return false
    for (const id of worker.leases) if (this.leases.get(id)?.blocked !== true) return false
    return true
  }

  countWorkers(test: (worker: WorkerEntry) => boolean): number {
    let count = 0
    for (const worker of this.workers.values()) if (test(worker)) count++
    return count
  }

  /** Waiting requests that hold resources, in the order in which they got them. */
  allocated(): WaitingRequest[] {
    return [...this.waiting.values()].filter((request) => request.lease !== 0).sort((a, b) => a.lease - b.lease)
  }
}

export function waitingKey(owner: OwnerKey, requestId: number): string {
  return `${owner} ${requestId}`
}

export function classKeyOf(owner: OwnerKey, ask: LeaseAsk): string {
  return [owner, ask.job, ask.kind, ask.priority, resourceKey(ask.resources), ask.environment].join('|')
}
