/** What every connection needs of its socket, TCP or unix or TLS, without asking which it is. */
import type { Duplex } from 'node:stream'
import { lingerMs } from '../base/limits.ts'

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

export function setReferenced(socket: Duplex, referenced: boolean): void {
  const handle = socket as Duplex & MaybeTcp
  if (referenced) handle.ref?.()
  else handle.unref?.()
}

/**
 * Ends a socket so that what was written arrives: a TCP socket that is destroyed with unread input answers with a
 * reset, which may overtake the last bytes. Input is discarded; a peer that never ends is cut off after a while.
 */
export function endGently(socket: Duplex): void {
  if (socket.destroyed) return
  socket.removeAllListeners('data')
  socket.on('error', ignore)
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  timer.unref()
  socket.once('close', () => clearTimeout(timer))
  socket.once('end', () => socket.destroy())
  if (socket.readableEnded) socket.once('finish', () => socket.destroy())
  socket.end()
  socket.resume()
}

export function ignore(): void {}
