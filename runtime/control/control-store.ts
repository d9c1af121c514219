/**
 * The control store: nodes, jobs, and versioned tables with watches, on the head. It is never on the path of a task:
 * while it is away, what runs goes on.
 *
 *      link ──▶ message ──▶ MembershipState ┐                 ┌▶ persist ─(awaited)─▶ replies, events, views ──▶ links
 *                           JobsState       ├─ instructions ──┤
 *                           TablesState     ┘                 └▶ timers, heartbeats
 *
 * What the instructions let out waits, in order, for every write that came before it: nobody is ever told something
 * that a restart of the head would take back. While a batch is being written the next one gathers.
 *
 * A node manager, a driver's home or a tool attaches a link; which of them it is shows in what it says: a link that
 * registers a node is that node's until it ends.
 */
import { afterFairly } from '../base/clock.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { ConnectionLostError, ProtocolError } from '../base/errors.ts'
import { isProcessId } from '../base/ids.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Message, NodeCall, NodeCallFailed, NodeRow, TableRequest, TableRow } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { Heartbeats } from './heartbeats.ts'
import { JobsState } from './jobs-state.ts'
import type { JobRow, JobsInstruction } from './jobs-state.ts'
import { MembershipState } from './membership-state.ts'
import type { LinkId, MembershipInstruction, MembershipOptions, MembershipTimer } from './membership-state.ts'
import type { Persistence } from './persistence.ts'
import { jsonBytes, TablesState } from './tables-state.ts'
import type { TableLimits, TablesInstruction, TableWrite } from './tables-state.ts'

export interface ControlStoreOptions {
  readonly clock: Clock
  readonly persistence: Persistence
  /** How often a linked node is pinged, in milliseconds. Default 1,000. */
  readonly heartbeatIntervalMs?: number
  /** So many intervals without a word of it, and a node is dead. Default 5. */
  readonly heartbeatMisses?: number
  readonly membership?: Partial<MembershipOptions>
  readonly tables?: Partial<TableLimits>
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly wallNow?: () => number
  /** Persistence failed: nothing can be acknowledged any more, and all links were closed. The head must be started again. */
  readonly onFailure?: (error: Error) => void
}

/** A node and how long ago the head last heard of it. Null for a node that is not linked now. */
export interface NodeStatus extends NodeRow {
  readonly heartbeatAgeMs: number | null
}

interface DoubtfulJobs {
  readonly askers: (readonly [asker: Attached, jobs: readonly ProcessId[]])[]
  readonly timer: Timer
}

interface Attached {
  readonly id: LinkId
  readonly link: Link
  heardAtMs: number
}

/** Writes that are persisted together, and what may be said once they are. */
interface Batch {
  readonly writes: TableWrite[]
  readonly said: (() => void)[]
}

const decoder = new TextDecoder()

export class ControlStore {
  /** Rises with every start of a head. */
  readonly epoch: number
  /** Of the head whose tables these are. */
  readonly #epochBefore: number
  /** Jobs of which nodes ask whether they are over, in the time in which homes that a head has forgotten come back. */
  #doubtful: DoubtfulJobs | undefined
  readonly #options: ControlStoreOptions
  readonly #clock: Clock
  readonly #membership: MembershipState
  readonly #tables: TablesState
  readonly #jobs: JobsState
  readonly #attached: Map<LinkId, Attached> = new Map()
  readonly #timers: Map<MembershipTimer, Timer> = new Map()
  readonly #heartbeats: Heartbeats
  #nextLink: LinkId = 1
  #batch: Batch = { writes: [], said: [] }
  /** The write under way; undefined between batches. */
  #writing: Promise<void> | undefined
  #stopped = false

  /**
   * Loads what was persisted and takes the next epoch. Rejects when persistence does. The epoch follows the wall clock:
   * a head whose tables were lost, or replaced by older ones, is newer than the one before all the same.
   */
  static async open(options: ControlStoreOptions): Promise<ControlStore> {
    const { epoch: before, writes } = await options.persistence.load()
    const epoch = Math.max(before + 1, (options.wallNow ?? Date.now)())
    await options.persistence.saveEpoch(epoch)
    return new ControlStore(options, { before, epoch }, writes)
  }

  private constructor(
    options: ControlStoreOptions,
    { before, epoch }: { readonly before: number; readonly epoch: number },
    saved: readonly TableWrite[],
  ) {
    this.epoch = epoch
    this.#epochBefore = before
    this.#options = options
    this.#clock = options.clock
    this.#tables = new TablesState(saved, options.tables)
    this.#jobs = new JobsState(parseRows<JobRow>(this.#tables.list('jobs')))
    this.#membership = new MembershipState(options.membership)
    this.#heartbeats = new Heartbeats(options, {
      ping: (link) => this.#attached.get(link)?.link.send([MessageType.ping]),
      silent: (node, silentMs) => this.#follow(this.#membership.handle({ kind: 'silent', node, silentMs })),
    })
    this.#follow(this.#membership.restore(parseRows<NodeRow>(this.#tables.list('nodes'))))
  }

  /** Serves a link until it ends: of a node manager, or of whoever may use the tables. */
  attach(link: Link): void {
    if (this.#stopped) return link.close(new ConnectionLostError('the control store has stopped'))
    const attached: Attached = { id: this.#nextLink++, link, heardAtMs: this.#clock.now() }
    this.#attached.set(attached.id, attached)
    link.onMessage = (message) => this.#onMessage(attached, message as unknown as Message)
    link.onClose = (reason) => {
      this.#attached.delete(attached.id)
      if (this.#stopped) return
      this.#emit(this.#tables.handle({ kind: 'clientGone', client: attached.id }))
      this.#follow(this.#membership.handle({ kind: 'linkLost', link: attached.id, reason: reason.message }))
    }
  }

  /** Every node that is known, dead ones last. */
  nodes(): NodeStatus[] {
    const ages = new Map<NodeId, number>()
    for (const { id, heardAtMs } of this.#attached.values()) {
      const node = this.#membership.nodeOf(id)
      if (node !== undefined) ages.set(node, this.#clock.now() - heardAtMs)
    }
    return this.#membership.rows().map((row) => ({ ...row, heartbeatAgeMs: ages.get(row.id) ?? null }))
  }

  /** Ends in order: what was said is persisted, then the links are closed. */
  async stop(): Promise<void> {
    this.#silence()
    while (this.#writing) await this.#writing
    this.close()
    await this.#options.persistence.close()
  }

  /** Closes every link now, synchronously; what is being persisted may be lost, and was acknowledged to nobody. */
  close(): void {
    this.#silence()
    for (const { link } of this.#attached.values()) link.close(new ConnectionLostError('the control store has stopped'))
    this.#attached.clear()
  }

  #silence(): void {
    this.#stopped = true
    this.#heartbeats.stop()
    for (const timer of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    this.#doubtful?.timer.cancel()
  }

  #onMessage(attached: Attached, message: Message): void {
    if (this.#stopped) return
    const { id, link } = attached
    attached.heardAtMs = this.#clock.now()
    this.#heartbeats.heard(id)
    switch (message[0]) {
      case MessageType.ping:
        return link.send([MessageType.pong])
      case MessageType.nodeRegister:
        return this.#register(attached, message[1], message[2])
      case MessageType.nodeLoad: {
        const [, available, queued, workers, state] = message
        const report = { available, queued, workers, state }
        return this.#follow(this.#membership.handle({ kind: 'load', link: id, report }))
      }
      case MessageType.nodesRequest:
        return link.send([MessageType.nodes, message[1], this.nodes()])
      case MessageType.jobStart:
        return this.#startJob(attached, message[1], message[2], message[3])
      case MessageType.jobEnd:
        return this.#followJobs(this.#jobs.end(message[1], message[2], this.#membership.nodeOf(id)))
      case MessageType.jobsHeld:
        return this.#jobsHeld(attached, message[1], message[2])
      case MessageType.nodesHeld:
        return this.#nodesHeld(attached, message[1], message[2])
      case MessageType.nodeCall:
      case MessageType.nodeCallFailed:
        return this.#passCall(attached, message)
      case MessageType.tableRequest:
        return this.#tableRequest(id, link, message)
      default:
      // pong; and what a later version may say: a control store that does not know it leaves it.
    }
  }

  #register({ id, link }: Attached, requestId: number, row: NodeRow): void {
    if (link.peer.kind !== 'node' || row.id !== link.peer.process || !Array.isArray(row.total)) {
      const who = `${link.peer.kind} ${link.peer.process}`
      return link.close(new ProtocolError(`${who} cannot register node ${String(row.id)}`))
    }
    this.#follow(this.#membership.handle({ kind: 'register', link: id, requestId, row }))
  }

  #startJob({ id, link }: Attached, requestId: number, job: unknown, info: JobRow['info']): void {
    const node = this.#membership.nodeOf(id)
    if (node === undefined || !isProcessId(job))
      return link.close(new ProtocolError('a job is started over the link of a registered node'))
    this.#followJobs(this.#jobs.start({ job, node, info }))
    this.#say(() => link.send([MessageType.jobStarted, requestId]))
  }

  #nodesHeld({ id }: Attached, headEpoch: number, rows: readonly NodeRow[]): void {
    if (this.#membership.nodeOf(id) === undefined) return
    const areTablesOld = headEpoch > this.#epochBefore && headEpoch !== this.epoch
    if (areTablesOld) this.#doubtJobs()
    // Else this head knows better who is dead: it has forgotten those that a node remembers and it does not.
    const news = areTablesOld ? rows : rows.filter(({ state }) => state !== 'dead')
    this.#follow(this.#membership.handle({ kind: 'remembered', link: id, rows: news }))
  }

  /** These tables are older than what the nodes have seen: jobs that are not in them may be running. */
  #doubtJobs(): void {
    this.#doubtful ??= {
      askers: [],
      timer: this.#clock.after(this.#membership.options.unconfirmedMs, () => {
        const askers = this.#doubtful?.askers ?? []
        this.#doubtful = undefined
        for (const [asker, jobs] of askers) this.#tellOver(asker, jobs)
      }),
    }
  }

  #jobsHeld(attached: Attached, homes: readonly ProcessId[], others: readonly ProcessId[]): void {
    const node = this.#membership.nodeOf(attached.id)
    if (node === undefined) return
    this.#followJobs(this.#jobs.homesHeld(node, homes))
    if (this.#doubtful === undefined) this.#tellOver(attached, others)
    else this.#doubtful.askers.push([attached, others])
  }

  #tellOver({ link }: Attached, jobs: readonly ProcessId[]): void {
    for (const job of this.#jobs.overOf(jobs))
      this.#say(() => link.send([MessageType.jobEnd, job, 'it ended while this node was not linked to the head']))
  }

  /** A node asks that another one dials it, or cannot dial who asked. */
  #passCall({ id, link }: Attached, message: NodeCall | NodeCallFailed): void {
    const [type, node, ticket] = message
    const from = this.#membership.nodeOf(id)
    if (from === undefined) return
    const to = this.#membership.links().find((other) => this.#membership.nodeOf(other) === node)
    const other = to === undefined ? undefined : this.#attached.get(to)?.link
    if (other !== undefined)
      other.send(type === MessageType.nodeCall ? [type, from, ticket] : [type, from, ticket, message[3]])
    else if (type === MessageType.nodeCall)
      link.send([MessageType.nodeCallFailed, node, ticket, `node ${node} has no link to the head now`])
  }

  /** Reads of `nodes` show them as they are now; the rows of that table hold what is persisted. */
  #tableRequest(client: LinkId, link: Link, message: TableRequest): void {
    const [, requestId, table, operation] = message
    const reads = operation[0] === 'get' || operation[0] === 'list'
    if (table !== 'nodes' || !reads || typeof operation[1] !== 'string')
      return this.#emit(this.#tables.handle({ kind: 'request', client, requestId, table, operation }))
    const [how, key] = operation
    const versions = new Map(this.#tables.list('nodes').map(([name, version]) => [name, version]))
    const wanted = this.nodes().filter(({ id }) => (how === 'get' ? id === key : id.startsWith(key)))
    const rows = wanted.map((row): TableRow => [row.id, versions.get(row.id) ?? 0, jsonBytes(row)])
    this.#say(() => link.send([MessageType.tableReply, requestId, '', rows]))
  }

  #follow(instructions: readonly MembershipInstruction[]): void {
    for (const one of instructions) this.#followOne(one)
  }

  #followOne(one: MembershipInstruction): void {
    switch (one.kind) {
      case 'registered':
        return this.#sayTo(one.link, [MessageType.nodeRegistered, one.requestId, this.epoch, one.rows])
      case 'declaredDead':
        this.#sayTo(one.link, [MessageType.nodeDeclaredDead, one.node, one.reason])
        return this.#closeLink(one.link, `node ${one.node} was declared dead: ${one.reason}`)
      case 'closeLink':
        return this.#closeLink(one.link, one.reason)
      case 'save':
        return this.#emit(
          this.#tables.handle({ kind: 'write', table: 'nodes', key: one.row.id, value: jsonBytes(one.row) }),
        )
      case 'forget':
        return this.#emit(this.#tables.handle({ kind: 'write', table: 'nodes', key: one.node, value: undefined }))
      case 'view':
        for (const link of one.links) this.#sayTo(link, [MessageType.clusterView, one.version, one.rows])
        return
      case 'watchHeartbeat':
        // A node manager in this very process is as alive as we are.
        if (this.#attached.get(one.link)?.link.kind !== 'memory') this.#heartbeats.watch(one.node, one.link)
        return
      case 'unwatchHeartbeat':
        return this.#heartbeats.unwatch(one.node)
      case 'setTimer':
        this.#timers.get(one.timer)?.cancel()
        this.#timers.set(
          one.timer,
          afterFairly(this.#clock, one.delayMs, () => this.#fire(one.timer)),
        )
        return
      case 'clearTimer':
        this.#timers.get(one.timer)?.cancel()
        this.#timers.delete(one.timer)
        return
      case 'nodeDown':
        return this.#followJobs(this.#jobs.nodeDown(one.node, one.reason))
    }
  }

  #fire(timer: MembershipTimer): void {
    this.#timers.delete(timer)
    this.#follow(this.#membership.handle({ kind: 'timer', timer }))
  }

  #followJobs(instructions: readonly JobsInstruction[]): void {
    for (const one of instructions) {
      if (one.kind === 'save')
        this.#emit(this.#tables.handle({ kind: 'write', table: 'jobs', key: one.row.job, value: jsonBytes(one.row) }))
      else if (one.kind === 'forget')
        this.#emit(this.#tables.handle({ kind: 'write', table: 'jobs', key: one.job, value: undefined }))
      else
        for (const link of this.#membership.links())
          if (this.#membership.nodeOf(link) !== one.except) this.#sayTo(link, [MessageType.jobEnd, one.job, one.reason])
    }
  }

  #emit(instructions: readonly TablesInstruction[]): void {
    for (const one of instructions) {
      if (one.kind === 'persist') {
        this.#batch.writes.push(...one.writes)
        this.#pump()
      } else if (one.kind === 'reply')
        this.#sayTo(one.client, [MessageType.tableReply, one.requestId, one.error, one.rows])
      else this.#sayTo(one.client, [MessageType.tableEvent, one.watchId, one.rows, one.deleted])
    }
  }

  #sayTo(id: LinkId, message: Message): void {
    this.#say(() => this.#attached.get(id)?.link.send(message))
  }

  #closeLink(id: LinkId, reason: string): void {
    this.#say(() => this.#attached.get(id)?.link.close(new ConnectionLostError(reason)))
  }

  /** Now, when nothing is waiting to be persisted; otherwise in its place behind that. */
  #say(action: () => void): void {
    if (this.#writing === undefined && this.#batch.writes.length === 0) action()
    else this.#batch.said.push(action)
  }

  /** Starts to persist in a microtask, so that all writes of one message make one batch. */
  #pump(): void {
    this.#writing ??= Promise.resolve()
      .then(() => this.#writeAll())
      .catch((error: unknown) => this.#fail(error))
  }

  async #writeAll(): Promise<void> {
    do {
      const { writes, said } = this.#batch
      // What is said from here on may depend on writes of the next batch, and waits for them.
      this.#batch = { writes: [], said: [] }
      if (writes.length > 0) await this.#options.persistence.write(writes)
      for (const action of said) action()
    } while (this.#batch.writes.length > 0 || this.#batch.said.length > 0)
    this.#writing = undefined
  }

  #fail(error: unknown): void {
    const cause = error instanceof Error ? error : new Error(String(error))
    this.#batch = { writes: [], said: [] }
    this.#writing = undefined
    this.close()
    this.#options.onFailure?.(cause)
  }
}

function parseRows<Row>(rows: readonly TableRow[]): Row[] {
  return rows.map(([, , value]) => JSON.parse(decoder.decode(value)) as Row)
}
