/**
 * What a process does with a connection that comes in, however it came: judge its hello, then serve it here, hand it
 * to a waiting caller, or splice it to the process it is meant for. A connection that begins with `GET ` is an HTTP
 * upgrade, replayed by a node manager.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { ProcessAddress } from '../base/ids.ts'
import {
  directDialTimeoutMs,
  helloTimeoutMs,
  maxFrameBytes,
  maxHelloBytes,
  maxRelayHops,
  maxUnauthenticated,
} from '../base/limits.ts'
import { routesPath } from '../protocol/version.ts'
import { Admission } from './admission.ts'
import { StreamBulk } from './bulk.ts'
import type { BulkChannel, BulkCore } from './bulk.ts'
import type { DialBackTable } from './dial-back.ts'
import { StreamLink } from './framed-link.ts'
import { decodeHello, encodeHello, encodeRefusal, encodeWelcome, isGone, isRefusal, RefusedError } from './hello.ts'
import type { DialTarget, Hello, LocalHello, Refusal } from './hello.ts'
import { answerRefusal, createHttpIncoming } from './http-incoming.ts'
import type { HttpIncoming } from './http-incoming.ts'
import { LinkCore } from './link.ts'
import type { Link } from './link.ts'
import { madeLink } from './link-wrap.ts'
import { readHead } from './read-head.ts'
import { endGently, ignore, peerAddress } from './sockets.ts'
import { connectTo, onceEnded, splice } from './splice.ts'
import type { ClientTls, ResolveTarget, SpliceTarget } from './splice.ts'
import { shownToken } from './tokens.ts'
import type { TokenSource } from './tokens.ts'
import { upgradeRaw } from './upgrade.ts'

export interface IncomingLimits {
  readonly maxHelloBytes: number
  readonly helloTimeoutMs: number
  readonly maxUnauthenticated: number
  readonly maxFrameBytes: number
}

export interface IncomingOptions {
  readonly self: LocalHello
  /** The token of the cluster; an empty one admits nobody. */
  readonly token: TokenSource
  readonly onLink: (link: Link) => void
  /** Bulk channels are refused where this is absent. */
  readonly onBulk?: (channel: BulkChannel) => void
  /** Told of every connection that was turned away; `from` is its address, '' where it has none. */
  readonly onRefused?: (refusal: Refusal, from: string) => void
  /** Told of every link and bulk channel that is ended here for what came by it; `from` as above. */
  readonly onFault?: (error: Error, from: string) => void
  /** Turns a peer away after its token was right: another job, a version that cannot work with this one. */
  readonly admit?: (hello: Hello) => Refusal | undefined
  /** The way to another process (node managers only). */
  readonly resolveTarget?: ResolveTarget
  /** Drivers that call back (node managers only). */
  readonly dialBack?: DialBackTable
  /** For relays to nodes with `wss://` addresses. */
  readonly relayTls?: ClientTls
  /** Defaults: runtime/base/limits.ts. */
  readonly limits?: Partial<IncomingLimits>
}

/** Extra rules of a network port. Behind a node manager there are none: the node manager has applied them. */
export interface HttpRules {
  /** Whether a request with this `Host` header was meant for us. */
  readonly hostAllowed?: (host: string) => boolean
  readonly onRequest?: (request: IncomingMessage, response: ServerResponse) => void
}

export class Incoming {
  readonly options: IncomingOptions
  readonly limits: IncomingLimits
  readonly admission: Admission
  #http: Promise<HttpIncoming> | undefined
  readonly #spliced = new Set<Duplex>()
  /** Connections that are being told that there are too many. */
  #turnedAway = 0

  constructor(options: IncomingOptions) {
    this.options = options
    this.limits = { maxHelloBytes, helloTimeoutMs, maxUnauthenticated, maxFrameBytes, ...options.limits }
    this.admission = new Admission(this.limits.maxUnauthenticated, this.limits.helloTimeoutMs)
  }

  /** Takes a connection over, from its first byte. */
  accept(socket: Duplex): void {
    socket.on('error', ignore)
    // Refusals are in the language in which the other side began.
    const speech = { refuse: refuseRaw }
    if (!this.enter(socket, (refusal) => speech.refuse(socket, refusal))) return
    void this.#handshake(socket, speech)
  }

  /** Counts a connection that has yet to authenticate; false when it was turned away. */
  enter(socket: Duplex, refuse: (refusal: Refusal) => void): boolean {
    const turnAway = (refusal: Refusal): void => {
      this.refused(refusal, socket)
      refuse(refusal)
    }
    const { helloTimeoutMs: timeoutMs, maxUnauthenticated: limit } = this.limits
    const onTimeout = (): void => turnAway({ code: 'timeout', reason: `no hello came within ${timeoutMs} ms` })
    if (this.admission.enter(socket, onTimeout)) return true
    const reason = `${limit} connections are waiting to authenticate already; try again later`
    // An answer takes its time, and so memory: above a bound nobody is answered.
    if (this.#turnedAway >= limit) {
      this.refused({ code: 'busy', reason }, socket)
      socket.destroy()
      return false
    }
    this.#turnedAway++
    socket.once('close', () => this.#turnedAway--)
    turnAway({ code: 'busy', reason })
    return false
  }

  refused(refusal: Refusal, socket: Duplex): void {
    this.options.onRefused?.(refusal, peerAddress(socket))
  }

  /** Hands a link or a bulk channel to its user. */
  take(made: LinkCore | BulkCore, socket: Duplex): void {
    const { onLink, onBulk, onFault } = this.options
    if (onFault !== undefined) made.onFault = (error) => onFault(error, peerAddress(socket))
    // Asked this way round, what bulk channels take is not loaded for links.
    if (made instanceof LinkCore) onLink(madeLink(made))
    else onBulk?.(made)
  }

  isSelf(to: DialTarget): boolean {
    return to === 'any' || to.process === this.options.self.process
  }

  /** Drops what has not authenticated and what is only passing through. Links are their users' to close. */
  close(): void {
    this.admission.destroyAll()
    for (const socket of this.#spliced) socket.destroy()
    this.options.dialBack?.closeAll('the node is stopping')
  }

  /** Throws RefusedError unless this hello may be served here. */
  judge(hello: Hello): void {
    if (hello.channel === 'bulk' && this.options.onBulk === undefined)
      throw new RefusedError('not-found', `this ${this.options.self.kind} serves no bulk channel`)
    const refusal = this.options.admit?.(hello)
    if (refusal !== undefined) throw new RefusedError(refusal.code, refusal.reason)
  }

  /**
   * Splices to the process that `to` names, beginning with `first`. `relay` is how the next node is asked, where the
   * way leads through one. Throws RefusedError.
   */
  async forward(socket: Duplex, to: DialTarget, first: Buffer, relay: (url: string) => Promise<Way>): Promise<void> {
    const { resolveTarget } = this.options
    if (to === 'any' || resolveTarget === undefined)
      throw new RefusedError('gone', `process ${targetText(to)} is not here; this is ${this.options.self.process}`)
    const target = await resolveTarget(to)
    const { cancel } = target.kind === 'socket' ? target : {}
    const stop = cancel && onceEnded(socket, () => cancel('who asked for it is gone'))
    const way = await openWay(to, target, first, relay).finally(stop)
    way.socket.write(way.first)
    for (const end of [socket, way.socket]) {
      this.#spliced.add(end)
      end.once('close', () => this.#spliced.delete(end))
    }
    splice(socket, way.socket)
  }

  async #handshake(socket: Duplex, speech: { refuse: typeof refuseRaw }): Promise<void> {
    try {
      const first = await readHead(socket, (bytes) => this.#parseFirst(bytes))
      // The HTTP side keeps the admission entry until it has seen the token.
      if (first.hello === undefined) {
        speech.refuse = answerRefusal
        return (await this.#httpSide()).handOver(socket)
      }
      this.admission.leave(socket)
      await this.#route(socket, first.hello, first.bytes)
    } catch (error) {
      if (!(error instanceof RefusedError)) return void socket.destroy()
      // The timeout has told already.
      if (socket.writableEnded || socket.destroyed) return
      this.admission.heard(socket)
      this.refused(error.refusal, socket)
      refuseRaw(socket, error.refusal)
    }
  }

  #parseFirst(bytes: Buffer): { used: number; bytes: Buffer; hello?: Hello } | undefined {
    const start = bytes.toString('latin1', 0, 4)
    if (start === 'GET ') return { used: 0, bytes }
    if ('GET '.startsWith(start)) return undefined
    const head = decodeHello(bytes, this.options.token, this.limits.maxHelloBytes)
    return head === undefined ? undefined : { ...head, bytes: bytes.subarray(0, head.used) }
  }

  async #route(socket: Duplex, hello: Hello, bytes: Buffer): Promise<void> {
    const { dialBack, self } = this.options
    if (hello.channel === 'back') {
      socket.write(encodeWelcome(self))
      if (dialBack?.complete(hello.ticket ?? '', socket) !== true) socket.destroy()
      return
    }
    if (!this.isSelf(hello.to)) return this.forward(socket, hello.to, bytes, (url) => this.#relay(url, hello))
    this.judge(hello)
    socket.write(encodeWelcome(self))
    const { from, channel } = hello
    this.take(
      channel === 'bulk' ? new StreamBulk(socket, from) : new StreamLink(socket, from, this.limits.maxFrameBytes),
      socket,
    )
    socket.resume()
  }

  async #relay(url: string, hello: Hello): Promise<Way> {
    const { relayTls } = this.options
    const token = shownToken(this.options.token)
    const hops = (hello.hops ?? 0) + 1
    if (hops > maxRelayHops) throw new RefusedError('not-found', 'the connection was relayed too often')
    const path = `${routesPath}/process/any`
    const tls = relayTls && { tls: relayTls }
    const socket = await upgradeRaw({
      ...{ url, path, protocol: 'outpool-raw', token, timeoutMs: directDialTimeoutMs },
      ...tls,
    })
    return { socket, first: encodeHello({ ...hello, hops }, token) }
  }

  #httpSide(): Promise<HttpIncoming> {
    this.#http ??= createHttpIncoming(this, {})
    return this.#http
  }
}

/** The connection by which it goes on, and what is said there first. */
interface Way {
  readonly socket: Duplex
  readonly first: Buffer
}

/** Throws RefusedError. */
async function openWay(
  to: ProcessAddress,
  target: SpliceTarget,
  first: Buffer,
  relay: (url: string) => Promise<Way>,
): Promise<Way> {
  if (target.kind === 'refuse') throw new RefusedError(target.code, target.reason)
  try {
    return target.kind === 'relay' ? await relay(target.url) : { socket: await openTarget(target), first }
  } catch (error) {
    if (error instanceof RefusedError) throw error
    if (target.kind === 'relay' && target.instead !== undefined && !isRefusal(error))
      return openWay(to, await target.instead(), first, relay)
    // A process that is not there any more, or a node that may be.
    const code = target.kind !== 'relay' || isGone(error) ? 'gone' : 'unreachable'
    throw new RefusedError(code, `process ${targetText(to)} cannot be reached: ${(error as Error).message}`)
  }
}

async function openTarget(target: Exclude<SpliceTarget, { kind: 'relay' | 'refuse' }>): Promise<Duplex> {
  return target.kind === 'socket' ? target.socket : connectTo({ unix: target.path })
}

export function targetText(to: DialTarget): string {
  return to === 'any' ? 'any' : `${to.process} of node ${to.node}`
}

function refuseRaw(socket: Duplex, refusal: Refusal): void {
  if (socket.destroyed) return
  socket.write(encodeRefusal(refusal))
  endGently(socket)
}
