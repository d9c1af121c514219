/** Where connections come in: the unix socket of a process, and the one port of a node. */
import { chmodSync, lstatSync, mkdirSync, rmSync } from 'node:fs'
import { createServer as createNetServer } from 'node:net'
import type { AddressInfo, Server as NetServer, Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { dirname } from 'node:path'
import type { Duplex } from 'node:stream'
import { ConnectionLostError } from '../base/errors.ts'
import { withAdvice } from '../base/system-advice.ts'
import { setImmediate } from '../base/timers.ts'
import { answerRefusal, createHttpIncoming } from './http-incoming.ts'
import { Incoming } from './incoming.ts'
import type { HttpRules, IncomingOptions } from './incoming.ts'
import { peerAddress } from './sockets.ts'

/** The longest path of a unix socket on every platform (104 bytes on macOS, with its final zero). */
const maxSocketPathBytes = 103
/** The mode of a folder that is closed to others, with its type. */
const privateFolder = 0o040700

export interface UnixListener {
  readonly path: string
  readonly incoming: Incoming
  /** The listener alone does not keep this process alive from now on. */
  unref(): void
  /** Stops listening, drops what has not authenticated or is only passing through, and removes the socket file. */
  close(): Promise<void>
}

/** Listens on a socket file; its folder is made where missing, and closed to other users. Rejects when it cannot. */
export async function listenUnix(options: IncomingOptions & { readonly path: string }): Promise<UnixListener> {
  const { path } = options
  if (Buffer.byteLength(path) > maxSocketPathBytes)
    throw new ConnectionLostError(
      `the socket path ${path} is longer than ${maxSocketPathBytes} bytes; use a shorter folder`,
    )
  const folder = dirname(path)
  // At once: `node:fs/promises` is more to load than all of this takes. So is what `rmSync` loads, where nothing is there.
  if (lstatSync(folder, { throwIfNoEntry: false })?.mode !== privateFolder) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
  }
  if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) rmSync(path, { force: true })
  const incoming = new Incoming(options)
  const server = createNetServer({ allowHalfOpen: true }, (socket) => incoming.accept(socket))
  await listening(server, () => listenOn(server, path), path)
  return { path, incoming, unref: () => void server.unref(), close: () => closeServer(server, incoming) }
}

/** What `net.Server` calls in the end. Not documented; there since Node 0.8. */
interface Listening {
  _pipeName?: string
  _listen2?(path: string, port: -1, addressType: -1, backlog: number): void
}

/** As Node's own. */
const backlog = 511

/**
 * `listen` asks `node:cluster` whether a primary listens for this process, and to load that, with `node:child_process`
 * and `node:dgram`, takes a worker 3 ms and half a MiB. A socket of ours is its process's own in any case.
 */
function listenOn(server: NetServer, path: string): void {
  const inner = server as NetServer & Listening
  if (inner._listen2 === undefined || process.platform === 'win32') return void server.listen({ path })
  inner._pipeName = path
  inner._listen2(path, -1, -1, backlog)
}

export interface WebSocketListenerOptions extends IncomingOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string
  /** Default 0: any free port. */
  readonly port?: number
  /** Host names under which this node is reached, beside its listening addresses and `localhost`. */
  readonly allowedHosts?: readonly string[]
  /** Plain requests; without it they get 404. */
  readonly onRequest?: NonNullable<HttpRules['onRequest']>
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer; readonly ca?: string | Buffer }
}

export interface WebSocketListener {
  readonly host: string
  readonly port: number
  /** `ws://host:port`, or `wss://` with TLS. */
  readonly url: string
  readonly incoming: Incoming
  close(): Promise<void>
}

/** Listens on the one port of a node. Rejects when the address cannot be had. */
export async function listenWebSocket(options: WebSocketListenerOptions): Promise<WebSocketListener> {
  const { host = '127.0.0.1', port = 0, tls, onRequest } = options
  const https = tls === undefined ? undefined : await import('node:https')
  const incoming = new Incoming(options)
  const rules: HttpRules = {
    hostAllowed: (header) => hostAllowed(header, host, options.allowedHosts ?? []),
    ...(onRequest && { onRequest }),
  }
  const handshakeTimeout = incoming.limits.helloTimeoutMs
  const makeServer = https && ((settings: object) => https.createServer({ ...settings, ...tls, handshakeTimeout }))
  const { server } = await createHttpIncoming(incoming, rules, makeServer)
  server.on(tls === undefined ? 'connection' : 'secureConnection', (socket: Duplex) => {
    incoming.enter(socket, (refusal) => answerRefusal(socket, refusal))
  })
  if (tls !== undefined) limitTlsHandshakes(server, incoming)
  await listening(server, () => server.listen({ host, port }), `${host}:${port}`)
  const address = server.address() as AddressInfo
  const scheme = tls === undefined ? 'ws' : 'wss'
  const shownHost = host.includes(':') ? `[${host}]` : host
  return {
    host,
    port: address.port,
    url: `${scheme}://${shownHost}:${address.port}`,
    incoming,
    close() {
      server.closeIdleConnections()
      return closeServer(server, incoming)
    },
  }
}

/** What has not finished its TLS handshake holds keys and buffers already: there are as many of them at most. */
function limitTlsHandshakes(server: NetServer, incoming: Incoming): void {
  const { maxUnauthenticated: limit } = incoming.limits
  const pending = new Set<string>()
  server.on('connection', (socket: Socket) => {
    const address = peerAddress(socket)
    if (pending.size >= limit) {
      incoming.refused({ code: 'busy', reason: `${limit} TLS handshakes are under way already` }, socket)
      socket.destroy()
      return
    }
    pending.add(address)
    socket.once('close', () => pending.delete(address))
  })
  server.on('secureConnection', (socket: Socket) => pending.delete(peerAddress(socket)))
  server.on('tlsClientError', (error: Error, socket: Socket) => {
    const reason = `the TLS handshake failed: ${error.message}`
    incoming.refused({ code: 'malformed', reason }, socket)
    socket.destroy()
  })
}

const listenHints: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use; stop what listens there or choose another port',
  EADDRNOTAVAIL: 'this machine has no such address; 0.0.0.0 is all that it has',
  ENOTFOUND: 'the host name is unknown; name an address of this machine, or 0.0.0.0 for all of them',
  EACCES: 'this user may not; it takes a port above 1023, or a folder that this user may write to',
}

function listening(server: NetServer, listen: () => void, where: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const hint = listenHints[cause.code ?? ''] ?? withAdvice(cause)
      reject(new ConnectionLostError(`cannot listen on ${where}: ${hint}`, { cause, details: { address: where } }))
    })
    server.once('listening', resolve)
    listen()
  })
}

function closeServer(server: NetServer, incoming: Incoming): Promise<void> {
  incoming.close()
  // `close` waits for links, which are their users' to end: what counts here is that nobody new comes in.
  return new Promise((resolve) => {
    server.close()
    setImmediate(resolve)
  })
}

/** Guards against DNS rebinding: only names that are known to be ours. */
function hostAllowed(header: string, boundHost: string, allowed: readonly string[]): boolean {
  const name = /^\[([^\]]+)\](?::\d+)?$/.exec(header)?.[1] ?? header.replace(/:\d+$/, '')
  const lower = name.toLowerCase()
  if (lower === '') return false
  if (lower === 'localhost' || lower === boundHost.toLowerCase()) return true
  if (allowed.some((candidate) => candidate.toLowerCase() === lower)) return true
  if (boundHost !== '0.0.0.0' && boundHost !== '::') return lower === '127.0.0.1' && boundHost === 'localhost'
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return addresses.some((address) => address.address === lower)
}
