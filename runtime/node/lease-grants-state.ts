/**
 * The node's side of leases, as a pure machine: events in, instructions out through `LeaseEffects`.
 *
 *                      refuse, redirect, cancel, owner gone
 *                   +--------------------------------------> (gone)
 *                   |
 *   request --> 1. waiting --resources--> 2. allocated --process--> 3. granted --somebody waits--> 4. reclaiming
 *                   ^                          |                        |                               |
 *                   +-------- drain -----------+                        +---------- return -------------+--> (gone)
 *                                                                       |                               |
 *                                        pinned, endWorker, owner gone  +--> 5. ending <----------------+
 *                                                                                |
 *                                                                                +--worker died--> (gone)
 *
 * 1 -> 2 books resources in the ledger under the id of the coming lease (lease-queue.ts: order and reservation);
 * 2 -> 3 needs a process (lease-workers.ts: reuse, start, failures); 3 -> 4 is asked once (lease-reclaim.ts).
 * 5 keeps its resources until the process is gone, so that the machine is never used twice. A worker that dies takes
 * all of its leases from any state. Whatever comes for a lease or a request that is gone is ignored: a second return, a
 * cancel that crosses the grant (the owner then returns the lease), a late word of a dead worker.
 *
 * After every event the machine runs to a fixed point. It has no timers: `nextTickAtMs` says when `tick` has something
 * to do. Every instruction goes out before the event returns; none may call back.
 */
import type { NodeId, ProcessId } from '../base/ids.ts'
import type { NodeRow, ResourceUnits } from '../protocol/messages.ts'
import { place } from '../scheduler/policy.ts'
import {
  allocateWaiting,
  infeasibleDueMs,
  mayWaitAtHome,
  placeWaiting,
  rowsOf,
  sendToArguments,
  settleInfeasible,
} from './lease-queue.ts'
import { reclaimAll, reclaimForWaiting, turnBefore } from './lease-reclaim.ts'
import { classKeyOf, LeaseTables, waitingKey } from './lease-tables.ts'
import type { Lease, LeaseAsk, LeaseDependencies, OwnerKey, WaitingRequest, WorkerEntry } from './lease-types.ts'
import { validateLeases } from './lease-validate.ts'
import { assignWorkers, isWornOut, killLate, markDied, markReady, reapIdle, startWorkers } from './lease-workers.ts'

export interface LeaseStats {
  readonly available: ResourceUnits
  /** Requests that wait, those for a process included. */
  readonly queued: number
  readonly leases: number
  readonly workers: number
  readonly starting: number
  readonly idle: number
  readonly blocked: number
}

export class LeaseGrants {
  readonly #tables: LeaseTables
  /** What fell due by then has been done; what is due since then has not, however late it is asked for. */
  #lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(deps: LeaseDependencies) {
    this.#tables = new LeaseTables(deps)
  }

  /** Starts the workers that are to be there ahead of requests. */
  start(): void {
    this.#run()
  }

  /**
   * An owner asks. `ownerIsHome`: this node is the one its process belongs to. A request that was not yet here and has
   * visited another node is a redirected one, unless its owner is at home here.
   */
  request(owner: OwnerKey, process: ProcessId, ask: LeaseAsk, ownerIsHome: boolean): void {
    const tables = this.#tables
    if (tables.waiting.has(waitingKey(owner, ask.requestId))) return
    const classKey = classKeyOf(owner, ask)
    const { resources, strategy, visited } = ask
    const home = ownerIsHome || visited.length === 0 || visited.includes(tables.deps.node)
    // An empty node of this size decides whether it may ever run here; no other node has a say in that.
    const view = { self: tables.deps.node, rows: [], freeHere: tables.ledger.feasible(resources) }
    const request: WaitingRequest = {
      ...ask,
      owner,
      process,
      home,
      sequence: tables.nextSequence(),
      waitsSinceMs: tables.now(),
      classKey,
      isFirst: !tables.hasAny(classKey),
      visitedNow: visited,
      mayRunHere: place({ resources, strategy, visited: [] }, view).kind === 'here',
      placed: false,
      awaitsReturns: false,
      lease: 0,
      infeasibleSinceMs: undefined,
      infeasibleTold: false,
    }
    const located = (ask.argumentBytes?.length ?? 0) > 0
    tables.addWaiting(request)
    const refusing = home ? visited.at(-1) : undefined
    if (refusing !== undefined) tables.view.refused(refusing, resources, tables.now())
    // What is free here is given before others are looked at: not where its arguments are elsewhere.
    if (home && located) sendToArguments(tables, request)
    const failed = tables.spawnClasses.get(ask.environment)
    if (failed !== undefined) failed.givenUp = false
    // An owner with a long queue asks for many leases at once; only the first of those that wait has to be looked at.
    const twin = failed === undefined && !located ? tables.twinBefore(request) : undefined
    if (twin === undefined) return this.#run()
    request.placed = true
    request.infeasibleSinceMs = twin.infeasibleSinceMs
    request.infeasibleTold = twin.infeasibleTold
  }

  /** The owner no longer wants it. If it was granted meanwhile, the owner returns the lease. */
  cancel(owner: OwnerKey, requestId: number): void {
    const request = this.#tables.waiting.get(waitingKey(owner, requestId))
    if (request === undefined) return
    const twin = this.#tables.twinBefore(request)
    this.#tables.dropWaiting(request)
    if (twin === undefined) this.#run()
  }

  /** False when there is no such lease of this owner (any more). */
  return(owner: OwnerKey, leaseId: number, endWorker: boolean): boolean {
    const tables = this.#tables
    const lease = tables.leases.get(leaseId)
    if (lease === undefined || lease.owner !== owner || lease.state === 'ending') return false
    const worker = this.#workerOf(lease)
    if (endWorker || lease.kind === 'pinned') {
      tables.endWorker(worker, 'its lease was returned', !endWorker)
    } else {
      tables.dropLease(lease)
      if (lease.state === 'reclaiming') tables.toTheEnd(lease.classKey)
      if (worker.leases.size === 0) this.#toIdle(worker)
    }
    this.#run()
    return true
  }

  #toIdle(worker: WorkerEntry): void {
    const tables = this.#tables
    worker.state = 'idle'
    worker.idleSinceMs = tables.now()
    if (tables.draining) tables.endWorker(worker, 'the node is draining', true)
    else this.#endIfWornOut(worker)
  }

  #endIfWornOut(worker: WorkerEntry): void {
    const isUnused = worker.state === 'idle' && !worker.holds
    if (isUnused && isWornOut(this.#tables, worker)) this.#tables.endWorker(worker, 'it served its last lease', true)
  }

  /** The link of an owner is gone, and with it all that it asked for and held. */
  ownerGone(owner: OwnerKey): void {
    const tables = this.#tables
    for (const request of [...tables.waiting.values()]) if (request.owner === owner) tables.dropWaiting(request)
    for (const lease of [...tables.leases.values()])
      if (lease.owner === owner) tables.endWorker(this.#workerOf(lease), 'the owner of its lease is gone', false)
    this.#run()
  }

  /** The job is over: nothing of it waits or runs here from now on. */
  jobEnded(job: ProcessId, reason: string): void {
    const tables = this.#tables
    for (const request of [...tables.waiting.values()]) if (request.job === job) tables.dropWaiting(request)
    for (const worker of [...tables.workers.values()]) if (worker.job === job) tables.endWorker(worker, reason, false)
    this.#run()
  }

  workerReady(worker: ProcessId): void {
    const entry = this.#tables.workers.get(worker)
    if (entry !== undefined && markReady(this.#tables, entry)) this.#run()
  }

  /** The process is gone, whatever its state; `text` says how, with its last lines; `killed`: by somebody else's signal. */
  workerDied(worker: ProcessId, text: string, killed: boolean = false): void {
    const entry = this.#tables.workers.get(worker)
    if (entry === undefined) return
    markDied(this.#tables, entry, text, killed)
    this.#run()
  }

  /** Somebody is ending this process; nothing is granted on it any more. */
  workerEnding(worker: ProcessId): void {
    const entry = this.#tables.workers.get(worker)
    if (entry === undefined || entry.state === 'ending') return
    this.#tables.markEnding(entry)
    this.#run()
  }

  /** The worker owns objects that others may ask for, or does so no longer. */
  workerHolds(worker: ProcessId, holds: boolean): void {
    const entry = this.#tables.workers.get(worker)
    if (entry === undefined) return
    entry.holds = holds
    this.#endIfWornOut(entry)
    this.#run()
  }

  workerBlocked(worker: ProcessId, epoch: number): void {
    const lease = this.#leaseOf(worker, epoch)
    if (lease === undefined || lease.blocked) return
    lease.blocked = true
    this.#tables.ledger.blocked(lease.id)
    this.#run()
  }

  workerResumed(worker: ProcessId, epoch: number): void {
    const lease = this.#leaseOf(worker, epoch)
    if (lease === undefined || !lease.blocked) return
    lease.blocked = false
    this.#tables.ledger.resumed(lease.id)
    this.#run()
  }

  /** Rows that changed; with `all`, these are the only ones. Whatever waits is looked at again. */
  viewChanged(rows: readonly NodeRow[], all: boolean = false): void {
    const tables = this.#tables
    if (all) tables.view.replace(rows)
    else tables.view.update(rows)
    this.#lookAgain()
    this.#run()
  }

  /** Nobody tells of other nodes any more, until `viewChanged` with `all`. */
  headAway(): void {
    this.#tables.view.untold(this.#tables.now())
  }

  /** Other nodes may have something free, those that were asked before included. */
  #lookAgain(): void {
    for (const request of this.#tables.waiting.values()) {
      // Where its home can run it, that looks elsewhere for it.
      if (!request.home && mayWaitAtHome(this.#tables, request)) continue
      request.visitedNow = []
      request.placed = false
    }
  }

  /** Nothing new runs here: what waits is sent on or refused, all leases are asked back, idle workers leave. */
  drain(): void {
    const tables = this.#tables
    if (tables.draining) return
    tables.draining = true
    for (const request of tables.waiting.values()) {
      tables.unallocate(request)
      request.placed = false
    }
    reclaimAll(tables)
    for (const worker of [...tables.workers.values()])
      if (worker.state === 'idle' || worker.state === 'starting') tables.endWorker(worker, 'the node is draining', true)
    this.#run()
  }

  /** Does what has become due. Harmless when nothing has. */
  tick(): void {
    settleInfeasible(this.#tables)
    reapIdle(this.#tables)
    killLate(this.#tables)
    if (this.#tables.view.expire(this.#tables.now())) this.#lookAgain()
    this.#run()
  }

  /** When `tick` has something to do next, on the injected clock; undefined when only events can change anything. */
  nextTickAtMs(): number | undefined {
    const { options } = this.#tables.deps
    let next = this.#tables.view.nextExpiryAtMs()
    const consider = (atMs: number): void => {
      if (atMs > this.#lookedAtMs) next = Math.min(next, atMs)
    }
    const turns = new Set<number>()
    for (const request of this.#tables.waiting.values()) {
      next = Math.min(next, infeasibleDueMs(request, options))
      if (request.lease !== 0) continue
      const turnMs = turnBefore(this.#tables, request)
      turns.add(turnMs)
      consider(request.waitsSinceMs + turnMs)
      consider(request.waitsSinceMs + options.reserveAfterMs)
    }
    for (const turnMs of turns) for (const lease of this.#tables.leases.values()) consider(lease.grantedAtMs + turnMs)
    for (const entry of this.#tables.spawnClasses.values()) consider(entry.notBeforeMs)
    for (const worker of this.#tables.workers.values())
      if (worker.state === 'starting' && !worker.late)
        next = Math.min(next, worker.idleSinceMs + options.startTimeoutMs)
    const idle = [...this.#tables.workers.values()].filter((worker) => worker.state === 'idle' && !worker.holds)
    if (idle.length > options.prestart)
      next = Math.min(next, Math.min(...idle.map((worker) => worker.idleSinceMs)) + options.idleReapMs)
    return Number.isFinite(next) ? next : undefined
  }

  stats(): LeaseStats {
    const tables = this.#tables
    return {
      available: tables.ledger.available(),
      queued: tables.waiting.size,
      leases: tables.leases.size,
      workers: tables.countWorkers((worker) => worker.state !== 'ending'),
      starting: tables.countWorkers((worker) => worker.state === 'starting'),
      idle: tables.countWorkers((worker) => worker.state === 'idle'),
      blocked: tables.countWorkers((worker) => tables.allBlocked(worker)),
    }
  }

  /** Entries of its tables; all 0 when nothing is asked for and nothing is held. */
  sizes(): { waiting: number; leases: number; booked: number; shares: number } {
    const { waiting, leases, ledger, shares } = this.#tables
    return { waiting: waiting.size, leases: leases.size, booked: ledger.size, shares: shares.size }
  }

  /** The job that a worker serves; undefined for a fresh or an unknown one. */
  jobOf(worker: ProcessId): ProcessId | undefined {
    return this.#tables.workers.get(worker)?.job
  }

  /** Whether that lease of a worker is still held, be it ending. */
  holdsLease(worker: ProcessId, epoch: number): boolean {
    return this.#leaseOf(worker, epoch) !== undefined
  }

  /** All nodes as this one sees them, itself included. */
  rows(): NodeRow[] {
    return rowsOf(this.#tables)
  }

  row(node: NodeId): NodeRow | undefined {
    return this.#tables.view.row(node)
  }

  get draining(): boolean {
    return this.#tables.draining
  }

  validate(): void {
    validateLeases(this.#tables)
  }

  #run(): void {
    const tables = this.#tables
    this.#lookedAtMs = tables.now()
    allocateWaiting(tables)
    assignWorkers(tables)
    placeWaiting(tables)
    startWorkers(tables)
    reclaimForWaiting(tables)
  }

  #workerOf(lease: Lease): WorkerEntry {
    const worker = this.#tables.workers.get(lease.worker)
    if (worker === undefined) throw new Error(`leases: lease ${lease.id} is on a worker that is gone`)
    return worker
  }

  #leaseOf(worker: ProcessId, epoch: number): Lease | undefined {
    for (const id of this.#tables.workers.get(worker)?.leases ?? []) {
      const lease = this.#tables.leases.get(id)
      if (lease !== undefined && lease.epoch === epoch) return lease
    }
    return undefined
  }
}
