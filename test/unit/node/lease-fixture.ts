import type { Clock } from '../../../runtime/base/clock.ts'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { seededRandom } from '../../../runtime/base/random.ts'
import type { NodeRow, ResourceUnits } from '../../../runtime/protocol/messages.ts'
import { LeaseGrants } from '../../../runtime/node/lease-grants-state.ts'
import { defaultLeaseOptions } from '../../../runtime/node/lease-types.ts'
import type { Lease, LeaseAsk, LeaseEffects, LeaseOptions } from '../../../runtime/node/lease-types.ts'
import { parseResources } from '../../../runtime/scheduler/resources.ts'

export const nodeId = (n: number): NodeId => n.toString(16).padStart(16, '0') as NodeId
export const jobA: ProcessId = nodeId(0xa)
export const jobB: ProcessId = nodeId(0xb)

export function nodeRow(n: number, total: ResourceUnits, over: Partial<NodeRow> = {}): NodeRow {
  return {
    ...{ id: nodeId(n), url: `ws://host${n}`, hostname: `host${n}`, pid: n, state: 'alive', total, available: total },
    ...{ labels: {}, queued: 0, workers: 0, head: false },
    ...over,
  }
}

/** A clock that only the test moves; the lease machine has no timers of its own. */
export class ManualClock implements Clock {
  nowMs = 0
  now(): number {
    return this.nowMs
  }
  after(): never {
    throw new Error('the lease machine sets no timers')
  }
}

/** A lease machine whose instructions are written down; processes are what the test says they are. */
export class LeaseFixture implements LeaseEffects {
  readonly clock: ManualClock = new ManualClock()
  readonly log: string[] = []
  /** Leases that were asked for in case that they are idle. */
  readonly wanted: string[] = []
  readonly granted: Lease[] = []
  readonly started: ProcessId[] = []
  /** What people are told. */
  readonly told: string[] = []
  readonly ended: ProcessId[] = []
  readonly grants: LeaseGrants
  #nextWorker = 1
  #nextRequest = 1

  constructor(total: Parameters<typeof parseResources>[0], options: Partial<LeaseOptions> = {}) {
    const units = parseResources(total)
    this.grants = new LeaseGrants({
      clock: this.clock,
      random: seededRandom(1),
      effects: this,
      newWorkerId: () => nodeId(0x1000 + this.#nextWorker++),
      node: nodeId(1),
      total: units,
      ownRow: () => nodeRow(1, units),
      options: { ...defaultLeaseOptions, ...options },
    })
  }

  grant(lease: Lease): void {
    this.granted.push(lease)
    this.log.push(`grant ${lease.owner} ${lease.requestId}`)
  }
  redirect(owner: string, requestId: number, node: NodeId): void {
    this.log.push(`redirect ${owner} ${requestId} ${Number.parseInt(node, 16)}`)
  }
  refuse(owner: string, requestId: number, code: string, text: string): void {
    this.log.push(`refuse ${owner} ${requestId} ${code}: ${text}`)
  }
  reclaim(lease: Lease, whenIdle: boolean): void {
    if (whenIdle) this.wanted.push(`${lease.owner} ${lease.requestId}`)
    else this.log.push(`reclaim ${lease.owner} ${lease.requestId}`)
  }
  startWorker(worker: ProcessId): void {
    this.started.push(worker)
  }
  endWorker(worker: ProcessId, reason: string): void {
    this.ended.push(worker)
    this.log.push(`end ${reason}`)
  }
  reportSpawnFailure(environment: string, text: string): void {
    this.log.push(`spawn failure ${environment}: ${text}`)
  }
  reportInfeasible(job: ProcessId, text: string): void {
    this.told.push(`${job}: ${text}`)
  }

  /** Asks for one lease; returns the request id. */
  ask(owner: string, numCpus: number, over: Partial<LeaseAsk> = {}, home: boolean = true): number {
    const requestId = over.requestId ?? this.#nextRequest++
    this.grants.request(
      owner,
      jobA,
      {
        ...{ requestId, job: jobA, kind: 'task', resources: parseResources({ numCpus }), strategy: null },
        ...{ priority: 0, environment: '', visited: [] },
        ...over,
      },
      home,
    )
    this.grants.validate()
    return requestId
  }

  /** Every started worker becomes ready, those that this starts included. */
  ready(): void {
    for (let worker = this.started.shift(); worker !== undefined; worker = this.started.shift()) {
      this.grants.workerReady(worker)
      this.grants.validate()
    }
  }

  /** Every worker that was told to end is gone. */
  bury(): void {
    for (let worker = this.ended.shift(); worker !== undefined; worker = this.ended.shift()) {
      this.grants.workerDied(worker, 'ended')
      this.grants.validate()
    }
  }

  advance(ms: number): void {
    this.clock.nowMs += ms
    this.grants.tick()
    this.grants.validate()
  }

  lease(requestId: number, owner?: string): Lease {
    const lease = this.granted.find((entry) => entry.requestId === requestId && (owner ?? entry.owner) === entry.owner)
    if (lease === undefined) throw new Error(`request ${requestId} was not granted; ${this.log.join(', ')}`)
    return lease
  }

  giveBack(requestId: number, endWorker: boolean = false): boolean {
    const lease = this.lease(requestId)
    const done = this.grants.return(lease.owner, lease.id, endWorker)
    this.grants.validate()
    return done
  }

  /** The instructions since the last call. */
  take(): string[] {
    return this.log.splice(0)
  }
}
