/** Connecting to another process: the handshake of the side that begins. */
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { afterFairly, longestTimerMs, systemClock } from '../base/clock.ts'
import { AuthenticationError } from '../base/errors.ts'
import { dialTimeoutMs, maxFrameBytes, maxHelloBytes } from '../base/limits.ts'
import { routesPath, subprotocol } from '../protocol/version.ts'
import type { Abandon } from './abandon.ts'
import { atAddress, otherHttp, otherWebSocket, silent } from './address-error.ts'
import { StreamBulk, WebSocketBulk } from './bulk.ts'
import type { BulkChannel } from './bulk.ts'
import { StreamLink, WebSocketLink } from './framed-link.ts'
import {
  decodeAnswer,
  encodeHello,
  helloHeader,
  helloText,
  isOwnDelay,
  isTurnedAway,
  parseRefusal,
  parseWelcome,
  peerHello,
  refusalError,
  toHeader,
  welcomeHeader,
} from './hello.ts'
import type { Channel, DialTarget, Hello, LocalHello, PeerHello } from './hello.ts'
import { Incoming } from './incoming.ts'
import type { IncomingOptions } from './incoming.ts'
import type { Link } from './link.ts'
import { madeLink } from './link-wrap.ts'
import { openRawBulk, receiveRaw } from './raw-bulk.ts'
import { readHead } from './read-head.ts'
import { setReferenced } from './sockets.ts'
import { connectTo, isSecure } from './splice.ts'
import type { ClientTls } from './splice.ts'
import { shownToken } from './tokens.ts'
import type { TokenSource } from './tokens.ts'
import { refusalOfStatus, upgradeRaw } from './upgrade.ts'

/** A unix socket on this machine, or a node's port: `ws://host:port` or `wss://host:port`. */
export type Address = { readonly unix: string } | { readonly url: string }

export interface DialOptions {
  /** `socket`: a connection that the other side opened, because it was asked to call back. */
  readonly address: Address | { readonly socket: Duplex }
  readonly to: DialTarget
  readonly from: LocalHello
  readonly token: TokenSource
  /** For connecting and for the handshake, each. Default 10,000 ms. */
  readonly timeoutMs?: number
  /** For the handshake, where that is another time; `longestTimerMs`: as long as the connection stands. */
  readonly helloTimeoutMs?: number
  /** Of a link: rejects with its reason when that is given up. A bulk channel has its time. */
  readonly abandon?: Abandon
  readonly tls?: ClientTls
}

/** So often a connection is begun on which this process, being busy, says nothing until the other side has ended it. */
const mostAttempts = 5
/** Between two attempts, where too many others wait already, in milliseconds. */
export const busyPauseMs = 300

/**
 * Opens a control link. Rejects with AuthenticationError, ProtocolVersionError or ProtocolError as the other side
 * refuses, else with ConnectionLostError naming the address and what to look at.
 */
export function dial(options: DialOptions): Promise<Link> {
  return connect<Link>(options, 'control', {
    onStream: (socket, peer) => madeLink(new StreamLink(socket, peer)),
    onWebSocket: (webSocket, socket, peer) => madeLink(new WebSocketLink(webSocket, socket, peer)),
  })
}

/**
 * Opens a bulk channel: a connection of its own for chunks, a bare byte stream where it is not encrypted. Rejects as
 * `dial` does.
 */
export function openBulk(options: DialOptions): Promise<BulkChannel> {
  const { address, to, timeoutMs = dialTimeoutMs } = options
  const token = shownToken(options.token)
  if ('url' in address && !isSecure(address.url) && token !== '') {
    const hello: Hello = { from: peerHello(options.from), to, channel: 'bulk' }
    return openRawBulk({ url: address.url, hello, token, timeoutMs })
  }
  return connect<BulkChannel>(options, 'bulk', {
    onStream: (socket, peer) => ('socket' in address ? receiveRaw(socket, peer) : new StreamBulk(socket, peer)),
    onWebSocket: (webSocket, socket, peer) => new WebSocketBulk(webSocket, socket, peer),
  })
}

export interface CallBackOptions extends Omit<DialOptions, 'to' | 'address'> {
  readonly address: Address
  readonly ticket: string
  /** How the connection is served once it is there, as if it had come in. */
  readonly incoming: Incoming | IncomingOptions
}

/**
 * A driver calls its home back, or a node another one: the connection it opens is from then on one that came in.
 * Begins anew where it is turned away, as others wait there, too. Rejects as `dial` does.
 */
export async function callBack(options: CallBackOptions): Promise<void> {
  const { incoming } = options
  const socket = await inTime(() => openBack(options), { ...options, whereBusy: true })
  const server = incoming instanceof Incoming ? incoming : new Incoming(incoming)
  server.accept(socket)
}

async function openBack(options: CallBackOptions): Promise<Duplex> {
  const { address, ticket, from, tls, timeoutMs = dialTimeoutMs } = options
  const token = shownToken(options.token)
  if ('unix' in address) {
    const hello: Hello = { from: peerHello(from), to: 'any', channel: 'back', ticket }
    return (await dialStream(address, hello, token, timeoutMs)).socket
  }
  const path = `${routesPath}/back/${encodeURIComponent(ticket)}`
  return upgradeRaw({ url: address.url, path, protocol: 'outpool-back', token, timeoutMs, ...(tls && { tls }) })
}

interface Makers<T> {
  onStream(socket: Duplex, peer: PeerHello): T
  onWebSocket(webSocket: WebSocket, socket: Duplex, peer: PeerHello): T
}

function connect<T>(options: DialOptions, channel: Channel, makers: Makers<T>): Promise<T> {
  return inTime(() => connectOnce(options, channel, makers), options)
}

/** A program that computes in between says its hello too late, and would not do so the next time. */
async function inTime<T>(
  attempt: () => Promise<T>,
  { abandon, address, whereBusy = false }: Pick<DialOptions, 'abandon' | 'address'> & { readonly whereBusy?: boolean },
): Promise<T> {
  for (let left = mostAttempts - 1; ; left--) {
    try {
      return await attempt()
    } catch (error) {
      if (abandon?.reason !== undefined) throw abandon.reason
      const isBusy = whereBusy && isTurnedAway(error)
      if (left === 0 || !(isTooLate(error) || isBusy) || 'socket' in address) throw error
      if (isBusy) await new Promise<void>((resolve) => void systemClock.after(busyPauseMs, resolve))
    }
  }
}

/** The other side has refused it for that, or has gone before the hello was written. */
function isTooLate(error: unknown): boolean {
  return isOwnDelay(error) || ((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === 'EPIPE'
}

async function connectOnce<T>(options: DialOptions, channel: Channel, makers: Makers<T>): Promise<T> {
  const { address, to, timeoutMs = dialTimeoutMs, helloTimeoutMs = timeoutMs } = options
  const token = shownToken(options.token)
  if (token === '')
    throw new AuthenticationError(
      'there is no token to show; set OUTPOOL_TOKEN or OUTPOOL_TOKEN_FILE to that of the cluster',
    )
  const hello: Hello = { from: peerHello(options.from), to, channel }
  if ('url' in address) return dialWebSocket(address.url, hello, options, makers)
  const { socket, peer } = await dialStream(address, hello, token, timeoutMs, helloTimeoutMs, options.abandon)
  const made = makers.onStream(socket, peer)
  socket.resume()
  return made
}

/** Resolves with the paused socket behind the handshake. */
async function dialStream(
  address: { readonly unix: string } | { readonly socket: Duplex },
  hello: Hello,
  token: string,
  timeoutMs: number,
  helloTimeoutMs: number = timeoutMs,
  abandon?: Abandon,
): Promise<{ socket: Duplex; peer: PeerHello }> {
  const first = encodeHello(hello, token)
  const socket = 'socket' in address ? address.socket : await connectTo(address, { timeoutMs })
  const where = 'socket' in address ? 'the connection that it opened' : address.unix
  const wait = waitForAnswer(socket, helloTimeoutMs, abandon, () => socket.destroy(silent(where, helloTimeoutMs)))
  try {
    socket.write(first)
    const { peer } = await readHead(socket, decodeAnswer)
    return { socket, peer }
  } catch (error) {
    socket.destroy()
    throw atAddress(error, where)
  } finally {
    wait.end()
  }
}

/**
 * The handshake on a connection: calls `late` when it takes too long. Where it may take as long as the connection stands,
 * that keeps no process alive.
 */
function waitForAnswer(
  socket: Duplex,
  timeoutMs: number,
  abandon: Abandon | undefined,
  late: () => void,
): { end(): void } {
  const timer = afterFairly(systemClock, timeoutMs, late, true)
  const isEndless = timeoutMs >= longestTimerMs
  if (isEndless) setReferenced(socket, false)
  const forget = abandon?.heed(() => void socket.destroy())
  return {
    end() {
      timer.cancel()
      forget?.()
      if (isEndless) setReferenced(socket, true)
    },
  }
}

async function dialWebSocket<T>(url: string, hello: Hello, options: DialOptions, makers: Makers<T>): Promise<T> {
  const { to, tls, timeoutMs = dialTimeoutMs, helloTimeoutMs = timeoutMs } = options
  const headers = { authorization: `Bearer ${shownToken(options.token)}`, [helloHeader]: toHeader(helloText(hello)) }
  // Before there is a connection: the other side does not wait long for the first word.
  const { WebSocket: Client } = await import('ws')
  const socket = await connectTo({ url }, { timeoutMs, ...(tls && { tls }) })
  const path = to === 'any' ? 'any' : `${to.node}/${to.process}`
  return new Promise<T>((resolve, reject) => {
    const webSocket = new Client(`${url.replace(/\/+$/, '')}${routesPath}/process/${path}`, subprotocol, {
      createConnection: () => socket as never,
      perMessageDeflate: false,
      maxPayload: maxFrameBytes,
      headers,
      // Masks keep scripts of a browser from feeding caches on the way what they like. There is no script here, and a
      // mask of zeros, which both ends skip, makes this direction five times as fast.
      generateMask: (mask: Buffer) => mask.fill(0),
    })
    let peer: PeerHello | undefined
    const wait = waitForAnswer(socket, helloTimeoutMs, options.abandon, () => fail(silent(url, helloTimeoutMs)))
    const fail = (error: unknown): void => {
      wait.end()
      socket.destroy()
      reject(atAddress(error, url))
    }
    webSocket.on('error', fail)
    webSocket.on('upgrade', (response: IncomingMessage) => {
      const welcome = response.headers[welcomeHeader]
      if (typeof welcome !== 'string') return fail(otherWebSocket())
      try {
        peer = parseWelcome(Buffer.from(welcome.slice(0, maxHelloBytes * 2), 'base64url').toString('utf8'))
      } catch (error) {
        fail(error)
      }
    })
    webSocket.on('unexpected-response', (_request: ClientRequest, response: IncomingMessage) => {
      readBody(response).then((body) => {
        const status = response.statusCode ?? 0
        fail(
          refusalError(parseRefusal(body, refusalOfStatus(status), otherHttp(status, response.headers.server, body))),
        )
      }, fail)
    })
    webSocket.on('open', () => {
      if (peer === undefined) return
      wait.end()
      webSocket.off('error', fail)
      resolve(makers.onWebSocket(webSocket, socket, peer))
    })
  })
}

async function readBody(response: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of response) {
    body += String(chunk)
    if (body.length > maxHelloBytes) break
  }
  return body
}

/**
 * Whether a unix socket could not be dialled because who listened on it is gone: a listener is there from its beginning
 * to its end.
 */
export function nobodyListens({ cause }: Error): boolean {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException
  return code === 'ENOENT' || code === 'ECONNREFUSED'
}
