/**
 * The node manager: one per machine, runs no user code. This file wires its parts together.
 *
 *     processes ── connections.ts ──┬── lease-grants-state.ts ── worker-pool.ts ── processes, guardian.ts
 *                                   ├── transfer.ts ── ObjectStore
 *     head ─────── cluster-link.ts ─┴── table-forwarding.ts, jobs.ts, log-tail.ts ── log-router.ts
 *
 * The host makes the run folder, the listeners and the link to the head, and hands them over: `attach`, `attachBulk` and
 * `resolveTarget` are what its listeners call, `attachHead` takes every link to the head that it makes.
 */
import type { Timer } from '../base/clock.ts'
import { ConnectionLostError } from '../base/errors.ts'
import { newProcessId, type NodeId, type ProcessAddress, type ProcessId } from '../base/ids.ts'
import { nextTick, setImmediate } from '../base/timers.ts'
import { createClaimPageFile, openClaimPage } from '../objects/claim-page.ts'
import { Serving } from '../objects/serving.ts'
import { serveObjects } from '../objects/transfer.ts'
import { MessageType } from '../protocol/messages.ts'
import type { ExitReport, LogLine, Message, NodeRow } from '../protocol/messages.ts'
import type { BulkChannel } from '../transport/bulk.ts'
import type { DialBackTable } from '../transport/dial-back.ts'
import { openBulk } from '../transport/dial.ts'
import type { LocalHello } from '../transport/hello.ts'
import type { Link } from '../transport/link.ts'
import type { SpliceTarget } from '../transport/splice.ts'
import { NodeChaos } from './chaos.ts'
import { childExecArgv, workerEnvironment } from './child-settings.ts'
import { ClusterLink } from './cluster-link.ts'
import type { CodeStats } from './code-cache.ts'
import { openCodeCache } from './code-effects.ts'
import { Connections } from './connections.ts'
import { Counting, countTables, type NodeTables } from './counting.ts'
import { connectionHandlers } from './connection-handlers.ts'
import { Guardian } from './guardian.ts'
import { Jobs } from './jobs.ts'
import { leaseEffects } from './lease-effects.ts'
import { LeaseGrants } from './lease-grants-state.ts'
import type { LeaseStats } from './lease-grants-state.ts'
import { LogRouter } from './log-router.ts'
import { LogTail } from './log-tail.ts'
import { compileNodeOptions } from './node-options.ts'
import type { CompiledNodeOptions, NodeManagerOptions, NodeManagerPorts } from './node-options.ts'
import type { NodeParts } from './node-parts.ts'
import { ObjectSites } from './object-sites.ts'
import { askStatusOf } from './process-questions.ts'
import { dialDriver, reach, resolveTarget } from './routes.ts'
import { arenaTells, freeOwnedBy } from './store-handlers.ts'
import { TableForwarding } from './table-forwarding.ts'
import { ObjectPuller } from './transfer.ts'
import { openWays } from './ways.ts'
import { WorkerPool } from './worker-pool.ts'
import { WorkerDeaths } from './worker-deaths.ts'
import { describeExit, endedByOthers } from './worker-process.ts'

export type { NodeManagerEvents, NodeManagerOptions, NodeManagerPorts } from './node-options.ts'

export interface NodeStats extends LeaseStats {
  readonly connections: number
  readonly processes: number
  readonly pulls: number
  /** Packed code that was sent here: see code-cache.ts. */
  readonly code: CodeStats
  /** Programs whose home is this node. */
  readonly jobs: number
  readonly head: ClusterLink['state']
  /** Since the head was last heard of; undefined without a link to it, and in its own process. */
  readonly headSilentMs: number | undefined
}

export class NodeManager {
  readonly id: NodeId
  /** Which lines of programs made the objects here. */
  readonly sites: ObjectSites = new ObjectSites()
  readonly #options: CompiledNodeOptions
  readonly #ports: NodeManagerPorts
  /** From the start on. */
  #guardian: Guardian | undefined
  readonly #tail: LogTail
  readonly #parts: NodeParts
  readonly #serving = new Serving()
  /** Whether no process of a worker is there, or comes. */
  readonly isOver: (worker: ProcessId) => boolean = (worker) => this.#parts.pool.isOver(worker)
  #tickTimer: Timer | undefined
  #tickStale = false
  #mode: 'new' | 'running' | 'dead' | 'stopping' | 'stopped' = 'new'
  /** Called after every change of the lease machine. */
  readonly #drainWaiters: Set<() => void> = new Set()

  constructor(options: NodeManagerOptions, ports: NodeManagerPorts) {
    this.#options = compileNodeOptions(options)
    this.#ports = ports
    this.id = options.id
    this.#tail = new LogTail({ clock: ports.clock, onLines: (...told) => this.#onLines(...told) })
    this.#parts = this.#assemble()
    arenaTells(this.#parts)
  }

  #assemble(): NodeParts {
    const { clock, random, store, claimPages, events } = this.#ports
    const options = this.#options
    const { id, headName, headTimeoutMs: timeoutMs, driverGraceMs, heartbeat, loadIntervalMs } = options
    const tables = new TableForwarding({ clock, timeoutMs, headName })
    const ways = openWays({ clock, options, parts: () => this.#parts, node: this })
    const pool = new WorkerPool({
      ...{ runFolder: options.runFolder, entry: options.workerEntry, clock, events, guardian: () => this.#guardian },
      execArgv: childExecArgv(),
      childEnvironment: workerEnvironment(process.env, options.environment),
      ...(options.earlyWorker && { early: options.earlyWorker }),
      claimPages: claimPages ?? { create: createClaimPageFile, open: openClaimPage },
      sayExit: (worker, reason) => this.#sayExit(worker, reason),
      onStarted: (worker) => this.#tail.follow(worker, pool.logPath(worker, 'out'), pool.logPath(worker, 'err')),
      onExit: (worker, report) => this.#onWorkerExit(worker, report),
    })
    const parts: NodeParts = {
      ...{ options, ports: this.#ports, pool, tables, ways, sites: this.sites },
      grants: new LeaseGrants({
        ...{ clock, random, node: id, total: options.total, options: options.leases },
        newWorkerId: () => pool.earlyWorker ?? newProcessId(),
        ownRow: () => this.#staticRow(),
        effects: leaseEffects(() => this.#parts),
      }),
      connections: new Connections(
        id,
        connectionHandlers(() => this.#parts),
      ),
      cluster: new ClusterLink({
        ...{ clock, heartbeat, loadIntervalMs, tables, timeoutMs, headName, callBacks: ways.callBacks },
        ...{ ownRow: () => this.row(), knownRows: () => this.nodes() },
        onView: (rows, all) => this.#onView(rows, all),
        ...{ onAway: () => this.#change(() => parts.grants.headAway()), heldJobs: () => parts.jobs.held() },
        onJobEnd: (job, reason) => parts.jobs.end(job, reason),
        onDeclaredDead: (reason) => this.#declaredDead(reason),
      }),
      jobs: new Jobs({
        ...{ clock, self: id, driverGraceMs, isLinked: (process) => parts.connections.find(process) !== undefined },
        ask: (node, processes) => askStatusOf(parts, node, processes),
        onOwnerDead: (owner) => freeOwnedBy(parts, owner),
        onEnd: (...end) => this.#onJobEnd(...end),
      }),
      logs: new LogRouter({
        find: (job) => parts.connections.find(job),
        dial: async (job, abandon) => parts.connections.attach(await dialDriver(parts, job, abandon)),
        ...{ clock, isOver: (job) => parts.jobs.hasEnded(job) },
      }),
      puller: new ObjectPuller({
        ...{ store, clock, self: id, events },
        open: ([node, process]) => reach(parts, { node, process }, openBulk),
      }),
      chaos: new NodeChaos(clock, {
        pids: () => pool.pids(),
        links: () => parts.connections.all().flatMap(({ link, ownWorker }) => (ownWorker ? [link] : [])),
      }),
      ...{ counting: new Counting(clock), deaths: new WorkerDeaths(options.url, events) },
      code: openCodeCache(() => this.#parts),
      change: (event) => this.#change(event),
      hello: this.hello,
    }
    return parts
  }

  /** To every driver whose home this is. */
  tellDrivers(message: Message): void {
    for (const { link } of this.#parts.connections.all())
      if (link.peer.kind === 'driver' && link.peer.node === this.id) link.send(message)
  }

  /** What this process says of itself in a hello. */
  get hello(): LocalHello {
    return { kind: 'node', node: this.id, process: this.id }
  }

  /** For the listeners: drivers that call back. */
  get dialBacks(): DialBackTable {
    return this.#parts.ways.dialBacks
  }

  /** Starts the workers that are to be there ahead of requests. */
  start(): void {
    if (this.#mode !== 'new') throw new Error(`start: the node manager is ${this.#mode} already`)
    this.#mode = 'running'
    const { id, runFolder } = this.#options
    // Not before: to start a process takes some milliseconds, and the first worker waits until this node can be reached.
    this.#guardian = new Guardian(runFolder, (error) => {
      this.#ports.events.warn(`the guardian of node ${id} is gone, its workers are unguarded: ${error.message}`)
    })
    this.#change(() => this.#parts.grants.start())
  }

  /** Takes over a control link that came in, or one end of a memory pair for the driver in this process. */
  attach(link: Link): void {
    this.#parts.connections.attach(link)
  }

  /** Serves the objects of the local store over a bulk channel that came in. */
  attachBulk(channel: BulkChannel): void {
    serveObjects(channel, this.#ports.store, this.#serving)
  }

  /** Takes over a link to the head; `onLost` is called once, when it is over, so that the host makes another. */
  attachHead(link: Link, onLost: (reason: Error) => void = () => {}): void {
    this.#parts.cluster.attach(link, onLost)
  }

  /** The way to another process, for connections that come in for somebody else. */
  resolveTarget(to: ProcessAddress): Promise<SpliceTarget> {
    return resolveTarget(this.#parts, to)
  }

  /** This node as others see it. */
  row(): NodeRow {
    const { available, queued, workers } = this.#parts.grants.stats()
    const state = this.#parts.grants.draining ? 'draining' : 'alive'
    return { ...this.#staticRow(), available, queued, workers, state }
  }

  #staticRow(): NodeRow {
    const { id, url, hostname, total, labels, head } = this.#options
    const load = { state: 'alive', available: total, queued: 0, workers: 0 } as const
    return { id, url, hostname, pid: process.pid, total, labels, head, ...load }
  }

  stats(): NodeStats {
    const { grants, connections, pool, puller, cluster, jobs, code } = this.#parts
    const counts = {
      connections: connections.size,
      processes: pool.size,
      pulls: puller.size,
      jobs: jobs.homes,
      code: code.stats,
    }
    return { ...grants.stats(), ...counts, head: cluster.state, headSilentMs: cluster.silentMs }
  }

  /** Entries of every table of this process and of its workers, which are asked. */
  tables(): Promise<NodeTables> {
    return countTables(this.#parts)
  }

  /** All nodes as this one sees them, itself included. */
  nodes(): readonly NodeRow[] {
    return this.#parts.grants.rows()
  }

  /** Why this node takes no work now; '' when it does. */
  notReady(): string {
    const { cluster, grants } = this.#parts
    if (this.#mode !== 'running') return `the node is ${this.#mode}`
    if (grants.draining) return 'the node is draining'
    return cluster.state === 'member' ? '' : `the node is not registered with the head (${cluster.state})`
  }

  /** Throws when an invariant of the lease machine is broken. */
  validate(): void {
    this.#parts.grants.validate()
  }

  /**
   * Takes nothing new, sends away what waits, and asks for every lease back. Resolves with true when all are returned and
   * the workers are gone (with `untilHomeless` also the programs whose home this is), with false after `deadlineMs`.
   */
  drain(deadlineMs: number, untilHomeless = false): Promise<boolean> {
    this.#change(() => this.#parts.grants.drain())
    this.#parts.cluster.tellNow()
    return new Promise((resolve) => {
      const finish = (done: boolean): void => {
        timer.cancel()
        this.#drainWaiters.delete(check)
        resolve(done)
      }
      const check = (): void => {
        const { grants, pool, jobs } = this.#parts
        if (grants.stats().leases > 0 || pool.size > 0 || (untilHomeless && jobs.homes > 0)) return
        finish(true)
      }
      const timer = this.#ports.clock.after(deadlineMs, () => finish(false), true)
      this.#drainWaiters.add(check)
      check()
    })
  }

  /** Ends the workers, tells their last lines, closes every link and removes the run folder. Resolves when all is gone. */
  async stop(reason: string): Promise<void> {
    if (this.#mode === 'stopped') return
    this.#mode = 'stopping'
    const { pool, connections, cluster, tables, jobs, logs, puller, ways } = this.#parts
    this.#tickTimer?.cancel()
    this.#tail.poll()
    this.killNow(reason)
    const killing = pool.empty()
    // The wait for processes is one that should keep this one alive.
    const patience = this.#ports.clock.after(60_000, () => {}, true)
    await killing
    patience.cancel()
    this.#tail.close()
    for (const part of [jobs, logs, puller, tables]) part.close()
    ways.close(reason)
    connections.close(`node ${this.id} stops: ${reason}`)
    cluster.close(`node ${this.id} stops: ${reason}`)
    await this.#guardian?.close()
    this.#mode = 'stopped'
  }

  /** Kills every worker, synchronously: for an `exit` handler. The guardian does the rest. */
  killNow(reason = 'its node ends'): void {
    this.#parts.pool.killAll(reason)
  }

  #change(event: () => void): void {
    if (this.#mode !== 'new' && this.#mode !== 'running') return
    event()
    // Owners ask for many leases at once, and return many: one look ahead is enough for all of them.
    if (!this.#tickStale) nextTick(() => this.#setTick())
    this.#tickStale = true
    this.#parts.cluster.loadChanged()
    for (const check of this.#drainWaiters) check()
  }

  #setTick(): void {
    this.#tickStale = false
    this.#tickTimer?.cancel()
    if (this.#mode !== 'new' && this.#mode !== 'running') return
    const atMs = this.#parts.grants.nextTickAtMs()
    if (atMs === undefined) return
    // A timer may fire a little before its time; a millisecond more costs nobody anything.
    const delayMs = Math.max(1, Math.ceil(atMs - this.#ports.clock.now()))
    this.#tickTimer = this.#ports.clock.after(delayMs, () => this.#change(() => this.#parts.grants.tick()))
  }

  #sayExit(worker: ProcessId, reason: string): boolean {
    const link = this.#parts.connections.find(worker)
    link?.send([MessageType.workerExit, reason])
    link?.flush()
    return link !== undefined
  }

  #onWorkerExit(worker: ProcessId, report: ExitReport): void {
    // Its last lines are still its job's.
    this.#tail.finish(worker)
    this.#parts.code.workerGone(worker)
    const job = this.#parts.grants.jobOf(worker)
    this.#parts.deaths.note(worker, report, job)
    this.#change(() => this.#parts.grants.workerDied(worker, describeExit(report), endedByOthers(report)))
    const reason = new ConnectionLostError(`worker ${worker} ${describeExit(report)}`)
    // What it wrote before its end is read first: it may have told somebody of an object whose seal lies unread here.
    setImmediate(() => setImmediate(() => this.#processGone(worker, reason, job !== undefined)))
  }

  #onLines(worker: ProcessId, stream: LogLine[0], lines: readonly { name: string; text: string }[]): void {
    const { grants, pool, logs } = this.#parts
    const job = grants.jobOf(worker)
    if (job === undefined) return
    const pid = pool.pidOf(worker)
    const named = lines.map(({ name, text }) => [stream, pid, this.id, name, text] as const)
    logs.send(job, named)
  }

  #onJobEnd(job: ProcessId, reason: string, owners: readonly ProcessId[], home: boolean): void {
    const { grants, cluster, logs } = this.#parts
    this.#change(() => grants.jobEnded(job, `job ${job} is over: ${reason}`))
    if (home) cluster.jobEnd(job, reason)
    logs.jobEnded(job)
    for (const owner of owners) freeOwnedBy(this.#parts, owner)
  }

  /** A worker has ended: its objects go, and what it held of the store. */
  #processGone(worker: ProcessId, reason: Error, hadJob: boolean): void {
    this.#parts.connections.find(worker)?.close(reason)
    this.#ports.arena?.processGone(worker)
    this.#parts.jobs.ownerGone(worker)
    if (hadJob) freeOwnedBy(this.#parts, worker)
  }

  #onView(rows: readonly NodeRow[], all: boolean): void {
    const { grants, connections, ways } = this.#parts
    const before = new Map(grants.rows().map((row) => [row.id, row.state]))
    this.#change(() => grants.viewChanged(rows, all))
    for (const row of rows) {
      if (row.id === this.id) continue
      const wasUp = (before.get(row.id) ?? 'dead') !== 'dead'
      const isUp = row.state !== 'dead'
      if (wasUp === isUp) continue
      const reason = row.reason ?? ''
      connections.broadcast([MessageType.nodeEvent, row.id, isUp ? 'up' : 'down', reason])
      if (!isUp) for (const part of [ways.callBacks, connections]) part.nodeDown(row.id, reason)
    }
  }

  #declaredDead(reason: string): void {
    // A node that leaves in order said so itself.
    if (this.#mode !== 'running') return
    this.#mode = 'dead'
    this.killNow(`the node was declared dead: ${reason}`)
    this.#parts.connections.close(`node ${this.id} was declared dead: ${reason}`)
    this.#ports.events.declaredDead(reason)
  }
}
