/** Joining two connections: bytes go through undecoded, with back-pressure and half-close, until either side is gone. */
import type { Duplex } from 'node:stream'
import { connect as connectNet, isIP } from 'node:net'
import type { Socket } from 'node:net'
import { afterFairly, systemClock } from '../base/clock.ts'
import type { Timer } from '../base/clock.ts'
import { dialTimeoutMs, lastBytesMs } from '../base/limits.ts'
import { notConnected } from './address-error.ts'
import type { DialTarget, Refusal } from './hello.ts'
import { ignore, setKeepAlive } from './sockets.ts'
import { environmentTls } from './tls-environment.ts'

/** Where a connection that is meant for another process goes on. */
export type SpliceTarget =
  | { readonly kind: 'unix'; readonly path: string }
  /** A connection that the target opens itself: who was asked to call back. `cancel`: nobody waits for it any more. */
  | {
      readonly kind: 'socket'
      readonly socket: Duplex | Promise<Duplex>
      readonly cancel?: (reason: string) => void
    }
  /** The port of another node, which knows the way; and where to go when that cannot be dialled. */
  | { readonly kind: 'relay'; readonly url: string; readonly instead?: () => Promise<SpliceTarget> }
  | ({ readonly kind: 'refuse' } & Refusal)

export type ResolveTarget = (to: Exclude<DialTarget, 'any'>) => SpliceTarget | Promise<SpliceTarget>

/** Trust settings for `wss://` addresses, see `tls.connect`; where they are left out, `tls-environment.ts` says. */
export interface ClientTls {
  readonly ca?: string | Buffer
  readonly servername?: string
  readonly rejectUnauthorized?: boolean
}

/** Forwards both ways until both ends are closed; a break of one side breaks the other. */
export function splice(a: Duplex, b: Duplex): void {
  setKeepAlive(a)
  setKeepAlive(b)
  watch(a, b)
  watch(b, a)
  // pipe() passes an end on as a half-close: both sockets allow half-open.
  a.pipe(b)
  b.pipe(a)
}

/**
 * Calls `ended` when the other side of a paused connection goes, which says nothing else until it is answered. Returns what
 * stops looking.
 */
export function onceEnded(socket: Duplex, ended: () => void): () => void {
  const look = (): void => {
    const chunk = socket.read() as Buffer | null
    if (chunk === null) return
    stop()
    socket.unshift(chunk)
  }
  const stop = (): void => void socket.off('readable', look).off('end', ended).off('close', ended)
  socket.on('readable', look).once('end', ended).once('close', ended)
  return stop
}

function watch(socket: Duplex, other: Duplex): void {
  const broken = (): void => void other.destroy()
  socket.on('error', broken)
  socket.on('close', () => {
    // After an end in order the other side may still be writing what came before; anything else is a break.
    if (!socket.readableEnded || !other.writableEnded) return broken()
    const timer = afterFairly(systemClock, lastBytesMs, broken)
    if (other.closed) timer.cancel()
    else other.once('close', () => timer.cancel())
  })
  if (socket.destroyed) broken()
}

/** Where a name server is gone, the system asks the next one after five seconds: that is no fault of who is dialled. */
const lookupMs = 15_000

function isByName(address: { readonly unix: string } | { readonly url: string }): boolean {
  return 'url' in address && isIP(hostAndPort(address.url).host) === 0
}

/** A TCP, TLS or unix connection, half-open allowed. Rejects with ConnectionLostError naming the address. */
export async function connectTo(
  address: { readonly unix: string } | { readonly url: string },
  options: { readonly tls?: ClientTls; readonly timeoutMs?: number } = {},
): Promise<Duplex> {
  const socket =
    'unix' in address
      ? connectNet({ path: address.unix, allowHalfOpen: true })
      : await connectUrl(address.url, options.tls)
  const where = 'unix' in address ? address.unix : address.url
  const timeoutMs = options.timeoutMs ?? dialTimeoutMs
  const readyEvent = 'unix' in address || !isSecure(address.url) ? 'connect' : 'secureConnect'
  await new Promise<void>((resolve, reject) => {
    const endAfter = (delayMs: number, what: string): Timer =>
      afterFairly(systemClock, delayMs, () => void socket.destroy(new Error(`${what} within ${delayMs} ms`)), true)
    const connecting = (): Timer => endAfter(timeoutMs, 'no connection')
    let timer = isByName(address) ? endAfter(Math.max(timeoutMs, lookupMs), 'no name server answered') : connecting()
    socket.once('lookup', () => {
      timer.cancel()
      if (!socket.destroyed) timer = connecting()
    })
    const failed = (cause: Error): void => {
      timer.cancel()
      reject(notConnected(where, cause))
    }
    socket.once('error', failed)
    socket.once(readyEvent, () => {
      timer.cancel()
      socket.off('error', failed)
      resolve()
    })
  })
  socket.on('error', ignore)
  if ('url' in address) setKeepAlive(socket)
  return socket
}

export function isSecure(url: string): boolean {
  const { protocol } = new URL(url)
  return protocol === 'wss:' || protocol === 'https:'
}

/** Host and port of a node's address; an IPv6 host without its brackets. */
export function hostAndPort(url: string): { readonly host: string; readonly port: number } {
  const parsed = new URL(url)
  const port = parsed.port === '' ? (isSecure(url) ? 443 : 80) : Number(parsed.port)
  return { host: parsed.hostname.replace(/^\[(.*)\]$/, '$1'), port }
}

async function connectUrl(url: string, tls: ClientTls | undefined): Promise<Socket> {
  const { host, port } = hostAndPort(url)
  const trusted = tls ?? environmentTls(url)
  if (!isSecure(url)) return connectNet({ host, port, allowHalfOpen: true, noDelay: true })
  const { connect } = await import('node:tls')
  return connect({ host, port, ...trusted, ALPNProtocols: ['http/1.1'] })
}
