/**
 * Reaching another process of the cluster, named by (node, process). The ways, best first:
 *
 *     it has a link to us already, or one is being dialled      that one, shared
 *     it is our home node manager                               the home link
 *     it is a worker of our home, on this machine               its unix socket
 *     it is of another node                                     that node's url, naming the process
 *     else, or when that way failed                             our home, which relays
 *
 * A node whose url did not answer is not tried again for a while: from behind a firewall every try would cost a
 * timeout. Links that came in (a worker dialled us, a driver called back) are adopted and serve both directions. Which of
 * them belong together: peer-sessions.ts.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { AuthenticationError, ConnectionLostError, NodeDiedError, ProtocolVersionError } from '../base/errors.ts'
import type { NodeId, ProcessAddress, ProcessId } from '../base/ids.ts'
import { directDialTimeoutMs, unreachableMs } from '../base/limits.ts'
import { dial, openBulk } from '../transport/dial.ts'
import type { Address, DialOptions } from '../transport/dial.ts'
import type { BulkChannel } from '../transport/bulk.ts'
import { isRefusal, type LocalHello } from '../transport/hello.ts'
import type { Link } from '../transport/link.ts'
import type { TokenSource } from '../transport/tokens.ts'
import { PeerSessions } from './peer-sessions.ts'

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
}

export class ProcessDialer {
  readonly #options: ProcessDialerOptions
  /** The one of each peer that is used; others are served. */
  readonly #links: Map<ProcessId, Link> = new Map()
  readonly #sessions: PeerSessions<Link> = new PeerSessions()
  /** Every link that has not ended, with what ends it. */
  readonly #ends: Map<Link, (reason: Error) => void> = new Map()
  readonly #dialling: Map<ProcessId, Promise<Link>> = new Map()
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
      const { self } = this.#options
      const ended = this.#sessions.ended(address.process)
      const from = ended === 0 ? self : { ...self, info: { ...self.info, [endedSessions]: ended } }
      dialling = this.#reach(address, this.#options.dial ?? dial, from)
        .then(
          (link) => this.#take(link, ended),
          (error: unknown) => this.#instead(address.process, error),
        )
        .finally(() => this.#dialling.delete(address.process))
      this.#dialling.set(address.process, dialling)
    }
    return dialling
  }

  /** A bulk channel to a process, never shared: chunks of objects. Rejects as `link` does. */
  bulk(address: ProcessAddress): Promise<BulkChannel> {
    if (this.#closed) return Promise.reject(this.#closed)
    return this.#reach(address, openBulk)
  }

  /** A link that came in is as good as one that was dialled. */
  adopt(link: Link): void {
    if (this.#closed) return link.close(this.#closed)
    const { process, info, kind } = link.peer
    // Node managers do not count: what they say is taken whenever it comes.
    const ended = kind === 'node' ? this.#sessions.ended(process) : countOf(info[endedSessions])
    const { stale, over } = this.#sessions.came(process, ended, link)
    if (stale)
      return link.close(
        new ConnectionLostError(`the link before to process ${process} is lost, which it has not noticed yet`),
      )
    this.#endAll(process, over)
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
    const { stale, over } = this.#sessions.told(process, ended)
    this.#endAll(process, over)
    return !stale
  }

  #endAll(process: ProcessId, over: readonly Link[]): void {
    for (const old of over)
      this.#ends.get(old)?.(new ConnectionLostError(`process ${process} has lost this link, and goes on without it`))
  }

  /** The node is dead: what it has of links to us is over, whatever TCP says. */
  nodeDown(node: NodeId, reason: string): void {
    this.#unreachable.delete(node)
    for (const link of this.#ends.keys())
      if (link.peer.node === node)
        link.close(new NodeDiedError(`node ${node} is dead: ${reason}`, { details: { node } }))
  }

  /** Closes every link; later calls reject with `reason`. */
  close(reason: Error): void {
    this.#closed ??= reason
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

  #take(link: Link, ended: number): Link {
    if (this.#closed) {
      link.close(this.#closed)
      throw this.#closed
    }
    const { process } = link.peer
    if (!this.#sessions.dialled(process, ended, link)) {
      const lost = new ConnectionLostError(`the link to process ${process} was lost while another one was made`)
      link.close(lost)
      throw lost
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

  async #reach<Reached>(
    to: ProcessAddress,
    open: (options: DialOptions) => Promise<Reached>,
    from: LocalHello = this.#options.self,
  ): Promise<Reached> {
    const { self, token, home } = this.#options
    const socket = this.#unixSocketOf(to)
    if (socket !== undefined) return open({ address: { unix: socket }, to, from, token })
    let failure = ''
    if (to.node !== self.node) {
      const node = await this.#options.findNode(to.node)
      if (node?.dead) throw new NodeDiedError(`node ${to.node} is dead: ${node.reason}`, { details: { node: to.node } })
      if (node && node.url !== '' && this.#maybeReachable(to.node)) {
        try {
          return await open({ address: { url: node.url }, to, from, token, timeoutMs: directDialTimeoutMs })
        } catch (error) {
          if (isFinal(error)) throw error
          failure = ` (directly: ${(error as Error).message})`
          // A refusal came from a node: somebody is there, so the port is not what is in the way.
          if (!isRefusal(error)) this.#unreachable.set(to.node, this.#options.clock.now() + unreachableMs)
        }
      }
    }
    try {
      return await open({ address: home(), to, from, token })
    } catch (error) {
      if (isFinal(error)) throw error
      const what = `process ${to.process} of node ${to.node} cannot be reached through home node ${self.node}`
      throw new ConnectionLostError(`${what}: ${(error as Error).message}${failure}`, {
        cause: error,
        details: { node: to.node, process: to.process },
      })
    }
  }

  /** Only workers listen on sockets of their own; the drivers of our home are reached through it. */
  #unixSocketOf(to: ProcessAddress): string | undefined {
    const { runFolder, self } = this.#options
    if (runFolder === undefined || to.node !== self.node) return undefined
    const path = join(runFolder, `${to.process}.sock`)
    return existsSync(path) ? path : undefined
  }

  #maybeReachable(node: NodeId): boolean {
    const againAtMs = this.#unreachable.get(node)
    if (againAtMs === undefined) return true
    if (this.#options.clock.now() < againAtMs) return false
    this.#unreachable.delete(node)
    return true
  }
}

/** In the info of a hello: how many sessions with the one that is dialled have ended, as the dialler sees it. */
const endedSessions = 'ended'

function countOf(value: unknown): number {
  return Number.isSafeInteger(value) && (value as number) > 0 ? (value as number) : 0
}

function ignore(): void {}

/** Trying another way would end the same. */
function isFinal(error: unknown): boolean {
  return error instanceof AuthenticationError || error instanceof ProtocolVersionError
}
