/**
 * Reaching another process of the cluster, named by (node, process). The ways, best first:
 *
 *     it has a link to us already, or one is being dialled      that one, shared
 *     it is our home node manager                               the home link
 *     it is a worker of our home, on this machine               its unix socket
 *     it is of another node                                     that node's url, naming the process
 *     else, or when that way failed, or says nothing for 3 s    our home, which relays (first-way.ts)
 *
 * A node whose url did not answer is not tried again for a while: from behind a firewall every try would cost a
 * timeout. Links that came in (a worker dialled us, a driver called back) are adopted and serve both directions. Which of
 * them belong together: peer-sessions.ts.
 *
 * A driver or a worker answers when it does not compute. It is alive as long as the connection to it stands, and is waited
 * for: of a dead one the kernel, its node or the head tells. Only node managers, which compute nothing, have to answer in
 * time.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Clock, longestTimerMs } from '../base/clock.ts'
import { AuthenticationError, ConnectionLostError, NodeDiedError, ProtocolVersionError } from '../base/errors.ts'
import type { NodeId, ProcessAddress, ProcessId } from '../base/ids.ts'
import { dialTimeoutMs, directDialTimeoutMs, unreachableMs } from '../base/limits.ts'
import { Abandon } from '../transport/abandon.ts'
import { isNotConnected } from '../transport/address-error.ts'
import { dial, openBulk } from '../transport/dial.ts'
import type { Address, DialOptions } from '../transport/dial.ts'
import type { BulkChannel } from '../transport/bulk.ts'
import { isGone, isRefusal, type LocalHello } from '../transport/hello.ts'
import type { Link } from '../transport/link.ts'
import type { TokenSource } from '../transport/tokens.ts'
import { firstWay } from './first-way.ts'
import { PeerSessions, type Told } from './peer-sessions.ts'

/** What a node is known to be right now. `url` '' is a node without a port (local mode). */
export interface KnownNode {
  readonly url: string
  readonly dead: boolean
  readonly reason: string
}

export interface ProcessDialerOptions {
  readonly self: LocalHello
  readonly token: TokenSource
  readonly clock: Clock
  /** Default: that of transport/dial.ts. */
  readonly dial?: (options: DialOptions) => Promise<Link>
  /** Our home, for relays: its unix socket when it is on this machine, else its url. */
  readonly home: () => Address
  readonly homeLink: () => Promise<Link>
  /** The run folder of our home, when it is on this machine. */
  readonly runFolder: string | undefined
  /** undefined for a node that nobody knows. */
  readonly findNode: (node: NodeId) => Promise<KnownNode | undefined>
  /**
   * Told of every link to another process but the home, dialled or adopted, before anybody gets it: set `onMessage`
   * here. What it returns is called once when the link is over. `onClose` of the link belongs to the dialler.
   */
  readonly onLink: (link: Link) => ((reason: Error) => void) | void
  /** The other process has lost this one, to which it had no link; what either has said of the other holds no more. */
  readonly onParted?: ((process: ProcessId, reason: Error) => void) | undefined
}

export class ProcessDialer {
  readonly #options: ProcessDialerOptions
  /** The one of each peer that is used; others are served. */
  readonly #links: Map<ProcessId, Link> = new Map()
  readonly #sessions: PeerSessions<Link> = new PeerSessions()
  /** Every link that has not ended, with what ends it. */
  readonly #ends: Map<Link, (reason: Error) => void> = new Map()
  readonly #dialling: Map<ProcessId, Promise<Link>> = new Map()
  /** What is under way to other processes, and to which node. */
  readonly #tried: Map<Abandon, NodeId> = new Map()
  /** Node -> when its own port may be tried again. */
  readonly #unreachable: Map<NodeId, number> = new Map()
  #closed: Error | undefined

  constructor(options: ProcessDialerOptions) {
    this.#options = options
  }

  /** Peers with an open link. */
  get size(): number {
    return this.#links.size
  }

  /**
   * The one shared link to a process. Rejects with NodeDiedError when its node is known to be dead, with
   * AuthenticationError or ProtocolVersionError as it refuses, else with ConnectionLostError naming what was tried.
   */
  link(address: ProcessAddress): Promise<Link> {
    if (this.#closed) return Promise.reject(this.#closed)
    if (address.process === this.#options.self.node) return this.#options.homeLink()
    const open = this.#links.get(address.process)
    if (open && !open.closed) return Promise.resolve(open)
    let dialling = this.#dialling.get(address.process)
    if (!dialling) {
      dialling = this.#dial(address).finally(() => this.#dialling.delete(address.process))
      this.#dialling.set(address.process, dialling)
    }
    return dialling
  }

  /** Where sessions end meanwhile, because the other side has lost this one, it calls for the next one. */
  async #dial(to: ProcessAddress): Promise<Link> {
    const { self, dial: open = dial } = this.#options
    for (let left = mostSessions; left > 0; left--) {
      if (this.#closed) throw this.#closed
      const ended = this.#sessions.ended(to.process)
      const from = ended === 0 ? self : { ...self, info: { ...self.info, [endedSessions]: ended } }
      const late = (reached: Link): void => void this.#take(reached, ended)
      let link: Link
      try {
        link = await this.#reach({ to, from, open, late, ...patienceWith(to) })
      } catch (error) {
        return this.#instead(to.process, error)
      }
      const taken = this.#take(link, ended) ?? this.#links.get(to.process)
      if (taken !== undefined && !taken.closed) return taken
    }
    return this.#instead(
      to.process,
      new ConnectionLostError(`the link to process ${to.process} is lost again and again`),
    )
  }

  /** A bulk channel to a process, never shared: chunks of objects. Rejects as `link` does. */
  bulk(address: ProcessAddress): Promise<BulkChannel> {
    if (this.#closed) return Promise.reject(this.#closed)
    const { self } = this.#options
    return this.#reach({ to: address, from: self, open: openBulk, late: (channel) => channel.close() })
  }

  /** A link that came in is as good as one that was dialled. */
  adopt(link: Link): void {
    if (this.#closed) return link.close(this.#closed)
    const { process, info, kind } = link.peer
    // Node managers do not count: what they say is taken whenever it comes.
    const ended = kind === 'node' ? this.#sessions.ended(process) : countOf(info[endedSessions])
    const told = this.#sessions.came(process, ended, link)
    if (told.stale)
      return link.close(
        new ConnectionLostError(`the link before to process ${process} is lost, which it has not noticed yet`),
      )
    this.#part(process, told)
    this.#register(link)
  }

  /** How many sessions with that process have ended, as this one sees it. */
  endedSessions(process: ProcessId): number {
    return this.#sessions.ended(process)
  }

  /**
   * Somebody tells what that process had said when it had seen so many sessions with this one end. False: it was in one
   * that is over, and has no meaning any more. Of one that is not known here to be over the end is told first.
   */
  isCurrent(process: ProcessId, ended: number): boolean {
    const told = this.#sessions.told(process, ended)
    this.#part(process, told)
    return !told.stale
  }

  /** What a session ended that the other side has seen end is told here, before anything of a later one. */
  #part(process: ProcessId, { over, parted }: Told<Link>): void {
    if (!parted) return
    const reason = new ConnectionLostError(`process ${process} has lost this one, and goes on without what it said`)
    for (const old of over) this.#ends.get(old)?.(reason)
    if (over.length === 0) this.#options.onParted?.(process, reason)
  }

  /** The node is dead: what it has of links to us is over, whatever TCP says. */
  nodeDown(node: NodeId, reason: string): void {
    this.#unreachable.delete(node)
    const died = new NodeDiedError(`node ${node} is dead: ${reason}`, { details: { node } })
    for (const [abandon, to] of this.#tried) if (to === node) abandon.now(died)
    for (const link of this.#ends.keys()) if (link.peer.node === node) link.close(died)
  }

  /** Closes every link; later calls reject with `reason`. */
  close(reason: Error): void {
    this.#closed ??= reason
    for (const abandon of this.#tried.keys()) abandon.now(reason)
    for (const link of this.#ends.keys()) link.close(reason)
    this.#links.clear()
  }

  /** A link may have come in while the dial failed. */
  #instead(process: ProcessId, error: unknown): Link {
    const open = this.#links.get(process)
    if (open !== undefined && !open.closed) return open
    this.#sessions.unreachable(process)
    throw error
  }

  /** Undefined, and closed, where the session for which it was made is over. */
  #take(link: Link, ended: number): Link | undefined {
    const { process } = link.peer
    if (this.#closed || !this.#sessions.dialled(process, ended, link)) {
      link.close(this.#closed ?? new ConnectionLostError(`process ${process} was lost while a link to it was made`))
      return undefined
    }
    // Both may have dialled each other at once. Neither is closed: to its other side that would look like a death.
    this.#register(link)
    return this.#links.get(link.peer.process) ?? link
  }

  #register(link: Link): void {
    const { process } = link.peer
    const known = this.#links.get(process)
    // A second link of a peer is served as well, and used once the first is gone.
    if (!known || known.closed) this.#links.set(process, link)
    const onClose = this.#options.onLink(link)
    const end = (reason: Error): void => {
      if (!this.#ends.delete(link)) return
      // Nothing more of it is heard, and nothing of the other links of its session.
      const others = this.#sessions.over(process, link) ?? []
      link.onMessage = ignore
      link.close(reason)
      if (this.#links.get(process) === link) this.#links.delete(process)
      onClose?.(reason)
      for (const other of others) this.#ends.get(other)?.(reason)
    }
    this.#ends.set(link, end)
    link.onClose = end
  }

  async #reach<Reached>(reach: Reach<Reached>): Promise<Reached> {
    const { self, home, clock } = this.#options
    const { to, late } = reach
    const socket = this.#unixSocketOf(to)
    if (socket !== undefined) return this.#by({ unix: socket }, reach)
    const failure = (direct: Error | undefined, error: Error): Error => notThroughHome(to, self.node, error, direct)
    const url = to.node === self.node ? '' : await this.#urlOf(to.node)
    if (url === '') return this.#by(home(), reach).catch((error: Error) => Promise.reject(failure(undefined, error)))
    // A node manager has to answer in time. Of others the port is not what is in the way, where somebody took the connection.
    const isToNode = to.process === to.node
    let isSilent = true
    const tried = [new Abandon(), new Abandon()] as const
    return firstWay({
      first: () =>
        this.#by({ url }, reach, directDialTimeoutMs, tried[0])
          .catch((error: unknown) => {
            if (isNotConnected(error) || (isToNode && !isRefusal(error))) this.#notReachable(to.node)
            throw error
          })
          .finally(() => (isSilent = false)),
      second: async () => {
        const reached = await this.#by(home(), reach, dialTimeoutMs, tried[1])
        if (isSilent && isToNode) this.#notReachable(to.node)
        return reached
      },
      ...{ clock, patienceMs: directDialTimeoutMs, failure, late },
      knows: (error, way) => isFinal(error) || (way === 'second' && isGone(error)),
    }).catch((error: Error) => {
      // Nobody waits any more for what the other way would have said.
      for (const abandon of tried) abandon.now(error)
      throw error
    })
  }

  async #by<Reached>(
    address: Address,
    reach: Reach<Reached>,
    timeoutMs: number = dialTimeoutMs,
    abandon: Abandon = new Abandon(),
  ): Promise<Reached> {
    if (this.#closed) throw this.#closed
    const { to, from, open, helloTimeoutMs = timeoutMs } = reach
    this.#tried.set(abandon, to.node)
    try {
      return await open({ address, to, from, token: this.#options.token, timeoutMs, helloTimeoutMs, abandon })
    } finally {
      this.#tried.delete(abandon)
    }
  }

  /** '' where only our home knows a way. Rejects for a node that is dead. */
  async #urlOf(id: NodeId): Promise<string> {
    const node = await this.#options.findNode(id)
    if (node?.dead) throw new NodeDiedError(`node ${id} is dead: ${node.reason}`, { details: { node: id } })
    return node !== undefined && this.#maybeReachable(id) ? node.url : ''
  }

  /** Only workers listen on sockets of their own; the drivers of our home are reached through it. */
  #unixSocketOf(to: ProcessAddress): string | undefined {
    const { runFolder, self } = this.#options
    if (runFolder === undefined || to.node !== self.node) return undefined
    const path = join(runFolder, `${to.process}.sock`)
    return existsSync(path) ? path : undefined
  }

  #notReachable(node: NodeId): void {
    this.#unreachable.set(node, this.#options.clock.now() + unreachableMs)
  }

  #maybeReachable(node: NodeId): boolean {
    const againAtMs = this.#unreachable.get(node)
    if (againAtMs === undefined) return true
    if (this.#options.clock.now() < againAtMs) return false
    this.#unreachable.delete(node)
    return true
  }
}

/** So often a dial begins anew. */
const mostSessions = 5

/** A way to a process, and what comes by another one later. */
interface Reach<Reached> {
  readonly to: ProcessAddress
  readonly from: LocalHello
  readonly open: (options: DialOptions) => Promise<Reached>
  readonly late: (reached: Reached) => void
  /** Default: that of the way. */
  readonly helloTimeoutMs?: number
}

function patienceWith({ node, process }: ProcessAddress): { readonly helloTimeoutMs?: number } {
  return process === node ? {} : { helloTimeoutMs: longestTimerMs }
}

/** In the info of a hello: how many sessions with the one that is dialled have ended, as the dialler sees it. */
const endedSessions = 'ended'

function countOf(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0
}

function ignore(): void {}

/** Trying another way would end the same. */
function isFinal(error: unknown): boolean {
  return [AuthenticationError, ProtocolVersionError, NodeDiedError].some((known) => error instanceof known)
}

function notThroughHome(to: ProcessAddress, home: NodeId, error: Error, direct?: Error): Error {
  if (isFinal(error)) return error
  const what = `process ${to.process} of node ${to.node} cannot be reached through home node ${home}`
  const directly = direct === undefined ? '' : ` (directly: ${direct.message})`
  return new ConnectionLostError(`${what}: ${error.message}${directly}`, {
    cause: error,
    details: { node: to.node, process: to.process },
  })
}
