/**
 * Connections that begin with HTTP: on a node's one port, and on the socket of a process to which a node manager has
 * replayed an upgrade. Judged before the upgrade is accepted, in this order: Origin (no browser has any business
 * here), Host (a name that was rebound to us), token, path, protocol, hello. In protocol 2:
 *
 *   GET /v2/process/<node>/<process>   a WebSocket to that process, or `any` for the one that listens
 *   GET /v2/process/any                `Upgrade: outpool-raw`: a byte stream that begins with a hello
 *   GET /v2/back/<ticket>              `Upgrade: outpool-back`: a driver calls back
 */
import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket, WebSocketServer } from 'ws'
import { isProcessId } from '../base/ids.ts'
import { directDialTimeoutMs, maxRelayHops } from '../base/limits.ts'
import { protocolVersion, subprotocol } from '../protocol/version.ts'
import { WebSocketBulk } from './bulk.ts'
import { WebSocketLink } from './framed-link.ts'
import {
  helloHeader,
  helloText,
  toHeader,
  welcomeHeader,
  parseHello,
  peerHello,
  RefusedError,
  tokenText,
  versionText,
} from './hello.ts'
import type { DialTarget, Hello, Refusal } from './hello.ts'
import type { HttpRules, Incoming } from './incoming.ts'
import { endGently, ignore } from './sockets.ts'
import { connectTo } from './splice.ts'
import { tokenMatches } from './token-digest.ts'
import { httpStatus } from './upgrade.ts'

const hopsHeader = 'outpool-hops'

/** Plain requests are small; a peer that dribbles one is cut off. */
const requestTimeoutMs = 30_000

export interface HttpIncoming {
  readonly server: Server
  /** Serves a connection that was accepted elsewhere, from its first byte. */
  handOver(socket: Duplex): void
}

type Route = { readonly kind: 'process'; readonly to: DialTarget } | { readonly kind: 'back'; readonly ticket: string }

/**
 * `makeServer` makes the server that listens with TLS. Everything of HTTP is loaded here, on first need: most workers
 * never see a request.
 */
export async function createHttpIncoming(
  incoming: Incoming,
  rules: HttpRules,
  makeServer?: (options: ServerOptions) => Server,
): Promise<HttpIncoming> {
  const { createServer } = await import('node:http')
  const server = (makeServer ?? createServer)({
    headersTimeout: incoming.limits.helloTimeoutMs,
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1_000, incoming.limits.helloTimeoutMs),
  })
  const upgrades = new Upgrades(incoming, rules)
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    void upgrades.take(request, socket, head)
  })
  server.on('request', (request: IncomingMessage, response: ServerResponse) => {
    incoming.admission.heard(request.socket)
    const refusal = judgeSource(request, rules) ?? serveRequest(request, response, rules)
    if (refusal === undefined) return
    incoming.refused(refusal, request.socket)
    response.shouldKeepAlive = false
    response.writeHead(httpStatus[refusal.code], { 'content-type': 'application/json' }).end(JSON.stringify(refusal))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Duplex) => {
    if (socket.destroyed || socket.writableEnded) return
    incoming.admission.heard(socket)
    refuseHttp(incoming, socket, clientRefusal(error))
  })
  return {
    server,
    handOver(socket) {
      server.emit('connection', socket)
      socket.resume()
    },
  }
}

function serveRequest(request: IncomingMessage, response: ServerResponse, rules: HttpRules): Refusal | undefined {
  if (rules.onRequest === undefined) return notFound(request.url)
  rules.onRequest(request, response)
  return undefined
}

function clientRefusal(error: NodeJS.ErrnoException): Refusal {
  if (error.code === 'HPE_HEADER_OVERFLOW') return { code: 'too-large', reason: 'the request has too many headers' }
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') return { code: 'timeout', reason: 'the request took too long' }
  return { code: 'malformed', reason: `what came is not HTTP: ${error.message}` }
}

function judgeSource(request: IncomingMessage, rules: HttpRules): Refusal | undefined {
  const { origin, host } = request.headers
  if (origin !== undefined)
    return { code: 'origin', reason: `requests with an Origin (${origin}) come from browsers, which may not connect` }
  if (rules.hostAllowed !== undefined && !rules.hostAllowed(host ?? '')) {
    const reason = `the Host ${JSON.stringify(host ?? '')} is not one of this node; start it with that name as its advertised host`
    return { code: 'host', reason }
  }
  return undefined
}

function notFound(url: string | undefined): Refusal {
  return { code: 'not-found', reason: `there is nothing at ${url ?? '/'}` }
}

function parseRoute(url: string | undefined): Route {
  const parts = /^\/v(\d+)\/(process|back)\/([^/]+)(?:\/([^/]+))?$/.exec(url ?? '')
  if (parts === null) throw refused(notFound(url))
  const [, version, kind, first, second] = parts
  if (Number(version) !== protocolVersion)
    throw new RefusedError('protocol-version', versionText(version ?? '', protocolVersion))
  if (kind === 'back' && first !== undefined && second === undefined) return { kind, ticket: first }
  if (kind === 'process' && first === 'any' && second === undefined) return { kind, to: 'any' }
  if (kind === 'process' && isProcessId(first) && isProcessId(second))
    return { kind, to: { node: first, process: second } }
  throw refused(notFound(url))
}

function refused(refusal: Refusal): RefusedError {
  return new RefusedError(refusal.code, refusal.reason)
}

function refuseHttp(incoming: Incoming, socket: Duplex, refusal: Refusal): void {
  incoming.refused(refusal, socket)
  answerRefusal(socket, refusal)
}

/** Answers on a bare connection. */
export function answerRefusal(socket: Duplex, refusal: Refusal): void {
  if (socket.destroyed || socket.writableEnded) return
  const body = Buffer.from(JSON.stringify(refusal))
  const version =
    refusal.code === 'protocol-version' ? `Upgrade: websocket\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n` : ''
  socket.write(
    `HTTP/1.1 ${httpStatus[refusal.code]} ${refusal.code}\r\nConnection: close\r\n${version}` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
  )
  socket.write(body)
  endGently(socket)
}

class Upgrades {
  readonly #incoming: Incoming
  readonly #rules: HttpRules
  #webSockets: Promise<WebSocketServer> | undefined

  constructor(incoming: Incoming, rules: HttpRules) {
    this.#incoming = incoming
    this.#rules = rules
  }

  async take(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', ignore)
    // The timeout may have answered in the meantime.
    if (socket.writableEnded || socket.destroyed) return
    this.#incoming.admission.heard(socket)
    try {
      await this.#route(request, socket, head)
    } catch (error) {
      if (error instanceof RefusedError) refuseHttp(this.#incoming, socket, error.refusal)
      else
        refuseHttp(this.#incoming, socket, { code: 'rejected', reason: `the node failed: ${(error as Error).message}` })
    }
  }

  async #route(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const refusal = judgeSource(request, this.#rules)
    if (refusal !== undefined) throw refused(refusal)
    const shown = /^Bearer +(.+)$/i.exec(request.headers.authorization ?? '')?.[1] ?? ''
    if (!tokenMatches(shown, this.#incoming.options.token)) throw new RefusedError('authentication', tokenText)
    this.#incoming.admission.leave(socket)
    const route = parseRoute(request.url)
    const protocol = (request.headers.upgrade ?? '').toLowerCase()
    if (route.kind === 'back') return this.#takeBack(route.ticket, protocol, socket, head)
    if (protocol === 'outpool-raw') return this.#takeRaw(socket, head)
    if (protocol !== 'websocket') throw new RefusedError('malformed', `unknown upgrade ${JSON.stringify(protocol)}`)
    const offered = request.headers['sec-websocket-protocol'] ?? ''
    if (!offered.split(/\s*,\s*/).includes(subprotocol))
      throw new RefusedError(
        'protocol-version',
        versionText(offered.replace(/^outpool\.v/, '') || 'none', protocolVersion),
      )
    if (this.#incoming.isSelf(route.to)) return this.#takeWebSocket(request, socket, head)
    const first = Buffer.concat([replay(request), head])
    await this.#incoming.forward(socket, route.to, first, (url) => this.#relay(request, url, head))
  }

  #takeRaw(socket: Duplex, head: Buffer): void {
    switchProtocols(socket, 'outpool-raw', head)
    this.#incoming.accept(socket)
  }

  #takeBack(ticket: string, protocol: string, socket: Duplex, head: Buffer): void {
    const { dialBack } = this.#incoming.options
    if (protocol !== 'outpool-back' || dialBack === undefined)
      throw new RefusedError('not-found', 'nobody calls back here')
    switchProtocols(socket, 'outpool-back', head)
    if (!dialBack.complete(ticket, socket)) socket.destroy()
  }

  async #takeWebSocket(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const hello = parseHeader(request.headers[helloHeader], this.#incoming.limits.maxHelloBytes)
    if (hello.channel === 'back') throw new RefusedError('malformed', 'a WebSocket cannot call back')
    this.#incoming.judge(hello)
    const server = await (this.#webSockets ??= this.#makeWebSocketServer())
    server.handleUpgrade(request, socket, head, (webSocket: WebSocket) => {
      const { from, channel } = hello
      const Made = channel === 'bulk' ? WebSocketBulk : WebSocketLink
      this.#incoming.take(new Made(webSocket, socket, from), socket)
    })
  }

  async #makeWebSocketServer(): Promise<WebSocketServer> {
    const { WebSocketServer: Server } = await import('ws')
    const { limits, options } = this.#incoming
    const server = new Server({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: limits.maxFrameBytes,
      handleProtocols: () => subprotocol,
    })
    server.on('headers', (headers: string[]) => {
      headers.push(`${welcomeHeader}: ${toHeader(helloText({ from: peerHello(options.self) }))}`)
    })
    server.on('wsClientError', (error: Error, socket: Duplex) => {
      refuseHttp(this.#incoming, socket, { code: 'malformed', reason: error.message })
    })
    return server
  }

  async #relay(request: IncomingMessage, url: string, head: Buffer): Promise<{ socket: Duplex; first: Buffer }> {
    const hops = Number(request.headers[hopsHeader] ?? 0) + 1
    if (!(hops >= 1 && hops <= maxRelayHops))
      throw new RefusedError('not-found', 'the connection was relayed too often')
    const { relayTls } = this.#incoming.options
    const socket = await connectTo({ url }, { timeoutMs: directDialTimeoutMs, ...(relayTls && { tls: relayTls }) })
    return {
      socket,
      first: Buffer.concat([replay(request, { host: new URL(url).host, [hopsHeader]: String(hops) }), head]),
    }
  }
}

function switchProtocols(socket: Duplex, protocol: string, head: Buffer): void {
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`)
  if (head.length > 0) socket.unshift(head)
}

/** The request as it came, with some headers replaced. */
function replay(request: IncomingMessage, replaced: Readonly<Record<string, string>> = {}): Buffer {
  let text = `${request.method ?? 'GET'} ${request.url ?? '/'} HTTP/1.1\r\n`
  const { rawHeaders } = request
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    if (!((rawHeaders[i] as string).toLowerCase() in replaced)) text += `${rawHeaders[i]}: ${rawHeaders[i + 1]}\r\n`
  for (const [name, value] of Object.entries(replaced)) text += `${name}: ${value}\r\n`
  return Buffer.from(`${text}\r\n`, 'latin1')
}

function parseHeader(header: string | string[] | undefined, limitBytes: number): Hello {
  if (typeof header !== 'string') throw new RefusedError('malformed', `the upgrade has no ${helloHeader} header`)
  const text = Buffer.from(header, 'base64url')
  if (text.length > limitBytes)
    throw new RefusedError('too-large', `the hello takes ${text.length} bytes, the limit is ${limitBytes}`)
  return parseHello(text.toString('utf8'))
}
