/** What every connection needs of its socket, TCP or unix or TLS, without asking which it is. */
import { readSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { afterFairly, systemClock } from '../base/clock.ts'
import { lastBytesMs, lingerMs } from '../base/limits.ts'

/** Idle time before the kernel probes a silent TCP peer. */
const keepAliveDelayMs = 10_000

interface MaybeTcp {
  setNoDelay?(on: boolean): unknown
  setKeepAlive?(on: boolean, delayMs: number): unknown
  ref?(): unknown
  unref?(): unknown
}

/** Small frames leave at once, and a machine that vanished is noticed by the kernel. No effect on a unix socket. */
export function setKeepAlive(socket: Duplex): void {
  const tcp = socket as Duplex & MaybeTcp
  tcp.setNoDelay?.(true)
  tcp.setKeepAlive?.(true, keepAliveDelayMs)
}

/** Where a connection comes from, as `address:port`; '' for a unix socket. */
export function peerAddress(socket: Duplex): string {
  const { remoteAddress, remotePort } = socket as Duplex & { remoteAddress?: string; remotePort?: number }
  return remoteAddress === undefined ? '' : `${remoteAddress}:${remotePort ?? ''}`
}

export function setReferenced(socket: Duplex, referenced: boolean): void {
  const handle = socket as Duplex & MaybeTcp
  if (referenced) handle.ref?.()
  else handle.unref?.()
}

/**
 * Ends a socket so that what was written arrives: a TCP socket that is destroyed with unread input answers with a
 * reset, which may overtake the last bytes. Input is discarded. A peer that does not end too, or does not read what is
 * still to be written, is cut off after a while.
 */
export function endGently(socket: Duplex): void {
  if (socket.destroyed) return
  socket.removeAllListeners('data')
  socket.on('error', ignore)
  let timer = afterFairly(systemClock, lastBytesMs, () => socket.destroy())
  socket.once('close', () => timer.cancel())
  socket.once('end', () => socket.end(() => socket.destroy()))
  socket.once('finish', () => {
    if (socket.readableEnded) return socket.destroy()
    timer.cancel()
    timer = afterFairly(systemClock, lingerMs, () => socket.destroy())
  })
  socket.end()
  socket.resume()
}

/** More than the system keeps for a socket of ours. */
const restBytes = 65_536

/**
 * What has arrived on a socket and was not read, for the callback of a write that failed: the other side is gone, the last
 * that it said is here, and Node throws that away with the socket as soon as the callback returns. Empty where the system
 * does not give it out (TLS, Windows).
 */
export function* restOf(socket: Duplex): Generator<Buffer> {
  for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) yield chunk
  const { _handle: handle, encrypted } = socket as Duplex & { _handle?: { fd?: number } | null; encrypted?: boolean }
  const fd = handle?.fd ?? -1
  if (fd < 0 || encrypted === true) return
  for (;;) {
    const chunk = Buffer.allocUnsafe(restBytes)
    let length: number
    try {
      length = readSync(fd, chunk)
    } catch {
      // Nothing more is there, or the connection was reset.
      return
    }
    if (length === 0) return
    yield chunk.subarray(0, length)
  }
}

export function ignore(): void {}

/**
 * What is used of a WebSocket of `ws`. That package has no types of its own: in our declarations its name would be an
 * error for every program without @types/ws.
 */
export interface MessageSocket {
  readonly bufferedAmount: number
  on(event: 'message', listener: (data: Buffer, isBinary: boolean) => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  on(event: 'close', listener: (code: number) => void): unknown
  send(data: Uint8Array, options: { binary: boolean; compress: boolean }, written?: (error?: Error) => void): void
  ping(): void
  close(code: number): void
  terminate(): void
  pause(): void
  resume(): void
}

/** The same for a WebSocket, whose close frame was sent: `socket` is the one below it. */
export function cutOffLater(webSocket: Pick<MessageSocket, 'bufferedAmount' | 'terminate'>, socket: Duplex): void {
  const waitMs = webSocket.bufferedAmount === 0 ? lingerMs : lastBytesMs
  const timer = afterFairly(systemClock, waitMs, () => webSocket.terminate())
  socket.once('close', () => timer.cancel())
}
