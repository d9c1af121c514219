/**
 * A process's place in the cluster: its link to its home node manager, and through it everybody else. Drivers and
 * workers use the same code; they differ in how the link is made (`connect`) and in whether it is made again.
 *
 *      connected ── link lost ──▶ reconnecting ── made again ──▶ connected
 *          │                          └── not within 10 s, or refused for good ──▶ closed (onClosed)
 *          └── close() ─────────────────────────────────────────────────────────▶ closed
 *
 * What dies with a link stays dead: leases that were granted over it are gone (`onLost`), requests reject. The job of a
 * driver goes on when the link is there again in time; it is announced again before `onRestored`.
 *
 * Answered here: `nodes`, `nodeEvent`, `jobStarted`, `tableReply`, `tableEvent`, `headAway`, `dialBack`, `tokens`, `ping`.
 * Everything else that the home says goes to `onMessage`.
 */
import { join } from 'node:path'
import { type Clock, systemClock } from '../base/clock.ts'
import { deferred, type Deferred } from '../base/deferred.ts'
import { ConnectionLostError } from '../base/errors.ts'
import type { NodeId, ProcessAddress, ProcessId } from '../base/ids.ts'
import { type Random, systemRandom } from '../base/random.ts'
import { MessageType } from '../protocol/messages.ts'
import type { Message, NodeRow, TableOperation, TableRow } from '../protocol/messages.ts'
import type { BulkChannel } from '../transport/bulk.ts'
import { type Address, callBack, dial, nobodyListens } from '../transport/dial.ts'
import type { LocalHello } from '../transport/hello.ts'
import { Incoming, type IncomingOptions } from '../transport/incoming.ts'
import type { Link } from '../transport/link.ts'
import { listenUnix, type UnixListener } from '../transport/listen.ts'
import { dialPatiently } from '../transport/patient.ts'
import { defaultBackoff, isRefusedForGood, Reconnect } from '../transport/reconnect.ts'
import { Requests } from '../transport/rpc.ts'
import { LearnedTokens, type TokenSource } from '../transport/tokens.ts'
import { homeGone } from './failures.ts'
import { KnownNodes } from './known-nodes.ts'
import { ProcessDialer } from './dial-process.ts'
import { type TableAnswer, TableWatches } from './table-watches.ts'
import { Tickets } from './tickets.ts'

export interface HomeHandlers {
  /** What the home says and this module does not answer: leases, pulls, logs. */
  readonly onMessage: (message: Message) => void
  /**
   * Every link to another process but the home, dialled, called back or adopted, before anybody gets it: set
   * `onMessage` here. What it returns is called once when that link is over. `onClose` belongs to the home.
   */
  readonly onLink: (link: Link) => ((reason: Error) => void) | void
  /** Another process has lost this one, to which it had no link; what either has said of the other holds no more. */
  readonly onParted?: (process: ProcessId, reason: Error) => void
  /** A bulk channel that another process opened to this one. Refused where this is absent. */
  readonly onBulk?: (channel: BulkChannel) => void
  /** Links to a node that is down have been closed already. */
  readonly onNodeEvent?: (node: NodeId, state: 'up' | 'down', reason: string) => void
  /** The home link is lost: every lease of the home, and every request to it, is over. It is being made again. */
  readonly onLost?: (reason: Error) => void
  /** The home link is there again; the job is announced already. */
  readonly onRestored?: (link: Link) => void
  /** The home is gone for good. Not called after `close()`. */
  readonly onClosed?: (reason: Error) => void
}

export interface HomeOptions extends HomeHandlers {
  readonly kind: 'driver' | 'worker'
  readonly process: ProcessId
  /** The home's incarnation. */
  readonly node: NodeId
  /** Where the home listens: relays and calls back go there, and the home link unless `connect` makes it. */
  readonly address: Address
  /** What the home tells of tokens later counts from then on. */
  readonly token: TokenSource
  /** The home's run folder, when it is on this machine: then its store and its unix sockets are used. */
  readonly runFolder?: string
  /** Said in the hello: a few hundred bytes of plain data. */
  readonly info?: Readonly<Record<string, unknown>>
  /**
   * How long the home may take to be connected to, and then to answer the hello. Default 5,000 ms; at the first time it
   * may take longer over the hello (see patient.ts).
   */
  readonly connectTimeoutMs?: number
  /** Told, in words, where the home takes long to answer at the first time. */
  readonly onSlow?: (text: string) => void
  /** Default: dial `address`. */
  readonly connect?: () => Promise<Link>
  /** How long a lost link is dialled again before the home is gone, in milliseconds. 0: never. */
  readonly reconnectMs: number
  readonly clock?: Clock
  readonly random?: Random
}

export interface Home {
  /** This process; `self.node` is the home. */
  readonly self: ProcessAddress
  readonly node: NodeId
  readonly mode: 'connected' | 'reconnecting' | 'closed'
  /** The current link to the home; a closed one while reconnecting. */
  readonly link: Link
  readonly sameMachine: boolean
  /** The home's run folder; undefined when it is on another machine. */
  readonly runFolder: string | undefined
  /** For the process's own listener (a worker's socket): the same welcome, links and bulk channels as a call back. */
  readonly incoming: IncomingOptions
  /** All nodes that the home knows, dead ones included. Rejects with RequestTimeoutError after `timeoutMs`; default 10 s. */
  nodes(timeoutMs?: number): Promise<readonly NodeRow[]>
  /** Where a node's one port is; undefined for a node that is dead, unknown, or without a port. */
  url(node: NodeId): Promise<string | undefined>
  /** The one shared link to a process, by the best way; the home's own link for the home. See `ProcessDialer.link`. */
  dial(address: ProcessAddress): Promise<Link>
  /** See `ProcessDialer.endedSessions` and `isCurrent`. */
  readonly sessions: Pick<ProcessDialer, 'endedSessions' | 'isCurrent'>
  /** A bulk channel of your own to a process. */
  bulk(address: ProcessAddress): Promise<BulkChannel>
  /** The home link, as soon as there is one. */
  connected(): Promise<Link>
  /** Announces the job of this driver. Rejects with RequestTimeoutError when no head is there to know it, for 10 s. */
  startJob(info: Readonly<Record<string, unknown>>): Promise<void>
  /** The driver leaves in order: nobody waits for it to come back, and what it owns goes at once. Before `close`. */
  endJob(reason: string): void
  /** Asks the head, by way of the home. Rejects with RequestTimeoutError when no head is there to answer, for 10 s. */
  table(table: string, operation: TableOperation, timeoutMs?: number): Promise<TableAnswer>
  /** Tells of changes in the head's tables, also of those that may have been while a link was broken. */
  readonly watches: Pick<TableWatches, 'watch'>
  /** Whether the home link keeps this process alive. It does not at first. */
  ref(): void
  unref(): void
  /** Closes the home link and all links to other processes. */
  close(reason?: Error): void
}

/** How long the home may take to answer, in milliseconds. */
const answerTimeoutMs = 10_000
/**
 * How long it may take where it asks the head, in milliseconds. It tells itself that no head has been there for 10 s;
 * heads that come and go, and die before they answer, have this long.
 */
const headAnswerTimeoutMs = 30_000
const usualConnectTimeoutMs = 5_000
/** The longest pause between two attempts to reach a lost home, in milliseconds. */
const mostBackoffMs = 1_000

/**
 * Rejects as `dial` does when the home cannot be reached now: only a link that stood is made again. A driver whose home
 * is in its own process listens on a socket in the home's run folder: its workers then need no relay to reach it.
 */
export async function openHome(options: HomeOptions): Promise<Home> {
  const { kind, process, node, info = {}, address, connectTimeoutMs: timeoutMs = usualConnectTimeoutMs } = options
  const token = new LearnedTokens(options.token)
  const self: LocalHello = { kind, node, process, info }
  const wanted = { address, to: { node, process: node }, from: self, token, timeoutMs }
  const connect = options.connect ?? (() => dial(wanted))
  const first = await (options.connect?.() ?? dialPatiently(wanted, options.onSlow))
  const home = new HomeConnection({ ...options, token }, self, connect, first)
  if (first.kind === 'memory' && options.runFolder !== undefined) await home.listen(options.runFolder)
  return home
}

/** Where a node manager of this machine listens. */
export function nodeSocketOf(runFolder: string): string {
  return join(runFolder, 'node.sock')
}

type ConnectionOptions = HomeOptions & { readonly token: LearnedTokens }

class HomeConnection implements Home {
  readonly self: ProcessAddress
  readonly incoming: IncomingOptions
  readonly watches: TableWatches
  readonly #options: ConnectionOptions
  readonly #requests: Requests
  readonly #dialer: ProcessDialer
  readonly #nodes: KnownNodes
  /** Serves connections that this process opened to call back. */
  readonly #called: Incoming
  readonly #tickets: Tickets
  readonly #reconnect: Reconnect
  #listener: UnixListener | undefined
  #link: Link
  #mode: Home['mode'] = 'connected'
  #waiting: Deferred<Link> | undefined
  #closed: Error | undefined
  #refed = false
  #job: Readonly<Record<string, unknown>> | undefined

  constructor(options: ConnectionOptions, hello: LocalHello, connect: () => Promise<Link>, first: Link) {
    const { clock = systemClock, random = systemRandom, node, process, token, onBulk } = options
    this.#options = options
    this.self = { node, process }
    this.#requests = new Requests(clock)
    this.#nodes = new KnownNodes(clock, () => this.nodes())
    this.watches = new TableWatches(this)
    this.#dialer = new ProcessDialer({
      self: hello,
      token,
      clock,
      home: () => options.address,
      homeLink: () => this.connected(),
      runFolder: options.runFolder,
      findNode: (wanted) => this.#nodes.find(wanted),
      ...{ onLink: (link) => options.onLink(link), onParted: options.onParted },
    })
    this.incoming = { self: hello, token, onLink: (link) => this.#dialer.adopt(link), ...(onBulk && { onBulk }) }
    this.#called = new Incoming(this.incoming)
    const called = { address: options.address, token, from: hello, incoming: this.#called }
    this.#tickets = new Tickets((ticket, abandon) => callBack({ ...called, ticket, abandon }))
    this.#link = first
    let given: Link | undefined = first
    this.#reconnect = new Reconnect({
      dial: () => {
        const link = given
        given = undefined
        return link ? Promise.resolve(link) : connect()
      },
      onLink: (link) => void this.#linked(link),
      onGiveUp: (error) => this.#giveUp(error),
      isFinal: (error) => isRefusedForGood(error) || ('unix' in options.address && nobodyListens(error)),
      clock,
      random,
      backoff: { ...defaultBackoff, mostMs: mostBackoffMs },
      giveUpAfterMs: options.reconnectMs,
    })
    this.#reconnect.start()
  }

  async listen(runFolder: string): Promise<void> {
    const listener = await listenUnix({ ...this.incoming, path: join(runFolder, `${this.self.process}.sock`) })
    listener.unref()
    this.#listener = listener
    if (this.#closed) await listener.close()
  }

  get node(): NodeId {
    return this.self.node
  }

  get link(): Link {
    return this.#link
  }

  get mode(): Home['mode'] {
    return this.#mode
  }

  get runFolder(): string | undefined {
    return this.#options.runFolder
  }

  get sameMachine(): boolean {
    return this.#options.runFolder !== undefined
  }

  connected(): Promise<Link> {
    if (this.#closed) return Promise.reject(this.#closed)
    if (this.#mode === 'connected') return Promise.resolve(this.#link)
    this.#waiting ??= deferred<Link>()
    return this.#waiting.promise
  }

  async nodes(timeoutMs?: number): Promise<readonly NodeRow[]> {
    const [rows] = await this.#ask('the list of nodes', (id) => [MessageType.nodesRequest, id], timeoutMs)
    return rows as readonly NodeRow[]
  }

  async url(node: NodeId): Promise<string | undefined> {
    const known = await this.#nodes.find(node)
    return known === undefined || known.dead || known.url === '' ? undefined : known.url
  }

  get sessions(): Home['sessions'] {
    return this.#dialer
  }

  dial(address: ProcessAddress): Promise<Link> {
    return this.#dialer.link(address)
  }

  bulk(address: ProcessAddress): Promise<BulkChannel> {
    return this.#dialer.bulk(address)
  }

  async startJob(info: Readonly<Record<string, unknown>>): Promise<void> {
    this.#job = info
    const link = await this.connected()
    await this.#announce(link).catch((error: Error) => {
      if (!link.closed) throw error
      // Announced again over the next link, before anybody gets that; without one this rejects with why.
      return this.connected()
    })
  }

  endJob(reason: string): void {
    if (this.#job === undefined || this.#mode !== 'connected') return
    this.#job = undefined
    this.#link.send([MessageType.jobEnd, this.self.process, reason])
  }

  async table(table: string, operation: TableOperation, timeoutMs: number = headAnswerTimeoutMs): Promise<TableAnswer> {
    const what = `${operation[0]} in the table ${table} of the head`
    const build = (id: number): Message => [MessageType.tableRequest, id, table, operation]
    const [error, rows] = await this.#ask(what, build, timeoutMs)
    return { error: error as string, rows: rows as readonly TableRow[] }
  }

  ref(): void {
    this.#refed = true
    this.#link.ref()
  }

  unref(): void {
    this.#refed = false
    this.#link.unref()
  }

  close(reason: Error = new ConnectionLostError('this process left the cluster')): void {
    if (this.#closed) return
    this.#end(reason)
    this.#link.close(reason)
  }

  /** Asked of the home once it is there. */
  async #ask(what: string, build: (id: number) => Message, timeoutMs = answerTimeoutMs): Promise<readonly unknown[]> {
    return this.#requests.request(await this.connected(), build, { what, timeoutMs })
  }

  async #announce(link: Link): Promise<void> {
    const info = this.#job
    if (info === undefined) return
    const build = (id: number): Message => [MessageType.jobStart, id, this.self.process, info]
    const what = 'the start of the job, of which the head must know,'
    await this.#requests.request(link, build, { what, timeoutMs: headAnswerTimeoutMs })
  }

  async #linked(link: Link): Promise<void> {
    const again = link !== this.#link
    this.#link = link
    if (this.#refed) link.ref()
    else link.unref()
    link.onMessage = (message) => this.#onMessage(link, message as unknown as Message)
    link.onClose = (reason) => this.#lost(link, reason)
    if (again) {
      try {
        await this.#announce(link)
      } catch (error) {
        // Its own loss is told by onClose; an announcement that is not answered makes the link worthless.
        return link.close(error as Error)
      }
      if (link.closed || this.#closed) return
    }
    this.#mode = 'connected'
    this.#waiting?.resolve(link)
    this.#waiting = undefined
    if (!again) return
    this.watches.renew()
    this.#options.onRestored?.(link)
  }

  #lost(link: Link, reason: Error): void {
    this.#requests.closeAll(link, reason)
    if (this.#closed) return
    const wasConnected = this.#mode === 'connected'
    this.#mode = 'reconnecting'
    if (this.#options.reconnectMs === 0) return this.#giveUp(reason)
    if (wasConnected) this.#options.onLost?.(reason)
    this.#reconnect.lost()
  }

  #giveUp(cause: Error): void {
    if (this.#closed) return
    const reason = homeGone(this.node, this.#options.address, cause)
    this.#end(reason)
    this.#options.onClosed?.(reason)
  }

  #end(reason: Error): void {
    this.#closed = reason
    this.#mode = 'closed'
    this.#reconnect.stop()
    this.watches.close()
    this.#dialer.close(reason)
    this.#tickets.close(reason)
    this.#called.close()
    void this.#listener?.close()
    this.#waiting?.reject(reason)
    this.#waiting?.promise.catch(() => {})
    this.#waiting = undefined
  }

  #onMessage(link: Link, message: Message): void {
    switch (message[0]) {
      case MessageType.ping:
        return link.send([MessageType.pong])
      case MessageType.nodes:
        this.#nodes.learn(message[2])
        this.#requests.settle(message[1], [message[2]])
        return
      case MessageType.jobStarted:
        this.#requests.settle(message[1], [])
        return
      case MessageType.tableReply:
        this.#requests.settle(message[1], [message[2], message[3]])
        return
      case MessageType.tableEvent:
        return this.watches.received(message)
      case MessageType.headAway:
        this.#requests.unanswered(message[1], message[2])
        return
      case MessageType.dialBack:
        return this.#tickets.asked(message[1])
      case MessageType.tokens:
        return this.#options.token.learn({ shown: message[1], accepted: message[2] })
      case MessageType.nodeEvent:
        return this.#nodeEvent(message[1], message[2], message[3])
      default:
        return this.#options.onMessage(message)
    }
  }

  #nodeEvent(node: NodeId, state: 'up' | 'down', reason: string): void {
    if (state === 'down') {
      this.#nodes.down(node, reason)
      this.#dialer.nodeDown(node, reason)
    }
    this.#options.onNodeEvent?.(node, state, reason)
  }
}
