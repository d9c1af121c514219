/**
 * The node's link to the head. The host makes it, again and again if need be; here it is used:
 *
 *   1. away --link--> 2. registering --registered--> 3. member --link lost--> 1.
 *   2, 3 --declared dead--> 4. dead (for good: the host joins again under a new id)
 *
 * Nothing that runs depends on it. What is said while the head is away is said once it is back, if it still matters:
 * jobs that began or ended, and this node's load as it is then.
 */
import type { Timer } from '../base/clock.ts'
import { ConnectionLostError } from '../base/errors.ts'
import type { ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Message, NodeRow } from '../protocol/messages.ts'
import { HeartbeatState } from '../transport/heartbeat-state.ts'
import type { HeartbeatOptions } from '../transport/heartbeat-state.ts'
import type { Link } from '../transport/link.ts'
import type { CallBacks } from './call-backs.ts'
import type { HeadPatience } from './head-questions.ts'
import { JobStarts, type JobStartAnswers } from './job-starts.ts'
import type { TableForwarding } from './table-forwarding.ts'

export interface ClusterLinkOptions extends HeadPatience {
  readonly heartbeat: HeartbeatOptions
  readonly loadIntervalMs: number
  readonly tables: TableForwarding
  /** This node as it is now. */
  readonly ownRow: () => NodeRow
  /** All nodes as they are known here. */
  readonly knownRows: () => readonly NodeRow[]
  /** Rows that changed; with `all`, these are the only ones. */
  readonly onView: (rows: readonly NodeRow[], all: boolean) => void
  /** Of a member: no view comes any more, until one with `all`. */
  readonly onAway?: () => void
  /** The jobs whose home this node is, and others that it knows. */
  readonly heldJobs: () => readonly [homes: readonly ProcessId[], others: readonly ProcessId[]]
  readonly onJobEnd: (job: ProcessId, reason: string) => void
  readonly onDeclaredDead: (reason: string) => void
  readonly callBacks: Pick<CallBacks, 'asked' | 'failed'>
}

type State = 'away' | 'registering' | 'member' | 'dead'

export class ClusterLink {
  readonly #options: ClusterLinkOptions
  readonly #jobStarts: JobStarts
  /** Ended while the head was away. */
  readonly #jobsEnded = new Map<ProcessId, string>()
  #state: State = 'away'
  #link: Link | undefined
  #heartbeat: HeartbeatState<'head'> | undefined
  #heartbeatTimer: Timer | undefined
  #loadTimer: Timer | undefined
  #lastLoad = ''
  /** The highest epoch of a head that was seen; an older head is one that was replaced. */
  #headEpoch = 0
  #nextId = 1
  #heardAtMs = 0

  constructor(options: ClusterLinkOptions) {
    this.#options = options
    this.#jobStarts = new JobStarts(options)
  }

  get state(): State {
    return this.#state
  }

  /** Since this node last heard of the head; undefined without a link, and where the head is in this process. */
  get silentMs(): number | undefined {
    if (this.#link === undefined || this.#link.kind === 'memory') return undefined
    return this.#options.clock.now() - this.#heardAtMs
  }

  /** Jobs whose start no head has answered yet. */
  get jobsStarting(): number {
    return this.#jobStarts.size
  }

  /** A link to the head is there. `onLost` is called once, when it is over. */
  attach(link: Link, onLost: (reason: Error) => void): void {
    if (this.#state === 'dead') return link.close(new ConnectionLostError('this node was declared dead'))
    const before = this.#link
    if (before !== undefined) this.#lost()
    this.#link = link
    before?.close(new ConnectionLostError('another link to the head took over'))
    this.#state = 'registering'
    this.#heardAtMs = this.#options.clock.now()
    link.onMessage = (message) => this.#onMessage(link, message as unknown as Message)
    link.onClose = (reason) => {
      if (this.#link === link) this.#lost()
      onLost(reason)
    }
    if (link.kind === 'memory') link.unref()
    else this.#watchHead(link)
    link.send([MessageType.nodeRegister, this.#nextId++, this.#options.ownRow()])
  }

  /** A job began here, or its driver is back. */
  jobStart(job: ProcessId, info: Readonly<Record<string, unknown>>, answers: JobStartAnswers): void {
    this.#jobsEnded.delete(job)
    this.#jobStarts.ask(job, info, answers)
  }

  jobEnd(job: ProcessId, reason: string): void {
    this.#jobStarts.ended(job)
    if (this.#state === 'member') this.#link?.send([MessageType.jobEnd, job, reason])
    else this.#jobsEnded.set(job, reason)
  }

  /** Something changed that others should know of; it is told within `loadIntervalMs`, if it is still so. */
  loadChanged(): void {
    if (this.#state !== 'member' || this.#loadTimer !== undefined) return
    this.#loadTimer = this.#options.clock.after(this.#options.loadIntervalMs, () => {
      this.#loadTimer = undefined
      this.#tellLoad()
    })
  }

  /** Tells the load now, if it differs from what was told; before a node leaves, say. */
  tellNow(): void {
    this.#loadTimer?.cancel()
    this.#loadTimer = undefined
    this.#tellLoad()
  }

  /** False where this node is no member now. */
  tell(message: Message): boolean {
    if (this.#state !== 'member') return false
    this.#link?.send(message)
    this.#link?.flush()
    return true
  }

  close(reason: string): void {
    const link = this.#link
    this.#lost()
    this.#jobStarts.close()
    link?.close(new ConnectionLostError(reason))
  }

  #tellLoad(): void {
    if (this.#state !== 'member') return
    const { available, queued, workers, state } = this.#options.ownRow()
    const text = JSON.stringify([available, queued, workers, state])
    if (text === this.#lastLoad) return
    this.#lastLoad = text
    this.#link?.send([MessageType.nodeLoad, available, queued, workers, state])
  }

  #onMessage(link: Link, message: Message): void {
    this.#heardAtMs = this.#options.clock.now()
    this.#heartbeat?.handle({ type: 'received', peer: 'head', nowMs: this.#heardAtMs })
    switch (message[0]) {
      case MessageType.ping:
        link.send([MessageType.pong])
        return link.flush()
      case MessageType.nodeRegistered:
        return this.#registered(link, message[2], message[3])
      case MessageType.clusterView:
        return this.#view(message[2], false)
      case MessageType.nodeDeclaredDead:
        if (message[1] === this.#options.ownRow().id) this.#declaredDead(message[2])
        return
      case MessageType.jobStarted:
        return this.#jobStarts.acknowledged(message[1])
      case MessageType.jobEnd:
        return this.#options.onJobEnd(message[1], message[2])
      case MessageType.nodeCall:
        return void this.#options.callBacks.asked(message[1], message[2])
      case MessageType.nodeCallFailed:
        return this.#options.callBacks.failed(message[1], message[2], message[3])
      case MessageType.tableReply:
        return this.#options.tables.onReply(message)
      case MessageType.tableEvent:
        return this.#options.tables.onEvent(message)
      default:
      // pong; and what a later head may say.
    }
  }

  #registered(link: Link, epoch: number, rows: readonly NodeRow[]): void {
    if (epoch < this.#headEpoch) {
      const text =
        `the head has epoch ${epoch}, one with epoch ${this.#headEpoch} was seen: it is an older one that was replaced, ` +
        'or one whose tables were lost and whose clock is behind; stop the older head, or start this node again'
      return link.close(new ConnectionLostError(text))
    }
    const epochBefore = this.#headEpoch
    this.#headEpoch = epoch
    if (this.#state !== 'registering') return
    this.#state = 'member'
    this.#lastLoad = ''
    const held = epochBefore === 0 ? [] : heldRows(this.#options.knownRows(), rows)
    // Whom the head does not know are as they were until it tells of them.
    this.#view([...rows, ...held.filter(({ state }) => state !== 'dead')], true)
    if (this.#link !== link) return
    if (epochBefore > 0) link.send([MessageType.nodesHeld, epochBefore, held])
    this.#jobStarts.connected(link)
    for (const [job, reason] of this.#jobsEnded) link.send([MessageType.jobEnd, job, reason])
    this.#jobsEnded.clear()
    link.send([MessageType.jobsHeld, ...this.#options.heldJobs()])
    this.#options.tables.connected(link)
    this.loadChanged()
  }

  #view(rows: readonly NodeRow[], all: boolean): void {
    const own = rows.find((row) => row.id === this.#options.ownRow().id)
    if (own?.state === 'dead') this.#declaredDead(own.reason ?? 'the head says so')
    else this.#options.onView(rows, all)
  }

  #declaredDead(reason: string): void {
    if (this.#state === 'dead') return
    this.close(`this node was declared dead: ${reason}`)
    this.#state = 'dead'
    this.#options.onDeclaredDead(reason)
  }

  #lost(): void {
    this.#link = undefined
    const wasMember = this.#state === 'member'
    if (this.#state !== 'dead') this.#state = 'away'
    this.#heartbeat = undefined
    this.#heartbeatTimer?.cancel()
    this.#loadTimer?.cancel()
    this.#loadTimer = undefined
    this.#options.tables.disconnected()
    this.#jobStarts.disconnected()
    if (wasMember) this.#options.onAway?.()
  }

  /** A head that is stopped keeps its connections open; only silence tells. */
  #watchHead(link: Link): void {
    const { clock, heartbeat } = this.#options
    this.#heartbeatTimer?.cancel()
    const state = new HeartbeatState<'head'>(heartbeat)
    this.#heartbeat = state
    state.handle({ type: 'add', peer: 'head', nowMs: clock.now() })
    const tick = (): void => {
      if (this.#link !== link) return
      this.#heartbeatTimer = clock.after(heartbeat.intervalMs, tick)
      for (const one of state.handle({ type: 'tick', nowMs: clock.now() })) {
        if (one.type === 'ping') link.send([MessageType.ping])
        else if (one.type === 'dead')
          link.close(new ConnectionLostError(`the head was silent for ${Math.round(one.silentMs)} ms`))
      }
    }
    this.#heartbeatTimer = clock.after(heartbeat.intervalMs, tick)
  }
}

/** Of `known`, those that a head does not list; and the dead that it lists as alive. */
function heldRows(known: readonly NodeRow[], listed: readonly NodeRow[]): NodeRow[] {
  const states = new Map(listed.map(({ id, state }) => [id, state]))
  return known.filter(({ id, state }) => {
    const theirs = states.get(id)
    return theirs === undefined || (state === 'dead' && theirs !== 'dead')
  })
}
