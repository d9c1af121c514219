/** The connections of one listener that have not authenticated yet: how many there may be, and for how long. */
import type { Duplex } from 'node:stream'

export class Admission {
  readonly #limit: number
  readonly #timeoutMs: number
  /** Every connection that counts, with its timer while nothing has been said. */
  readonly #timers = new Map<Duplex, NodeJS.Timeout | undefined>()

  constructor(limit: number, timeoutMs: number) {
    this.#limit = limit
    this.#timeoutMs = timeoutMs
  }

  get size(): number {
    return this.#timers.size
  }

  /** False when too many wait already. `onTimeout` is called unless `heard` or `leave` comes first. */
  enter(socket: Duplex, onTimeout: () => void): boolean {
    if (this.#timers.size >= this.#limit) return false
    const timer = setTimeout(onTimeout, this.#timeoutMs)
    timer.unref()
    this.#timers.set(socket, timer)
    socket.once('close', () => this.leave(socket))
    return true
  }

  /** It has spoken: no timeout any more. It counts until it has authenticated, or until it is closed. */
  heard(socket: Duplex): void {
    if (!this.#timers.has(socket)) return
    clearTimeout(this.#timers.get(socket))
    this.#timers.set(socket, undefined)
  }

  /** It has authenticated. */
  leave(socket: Duplex): void {
    clearTimeout(this.#timers.get(socket))
    this.#timers.delete(socket)
  }

  destroyAll(): void {
    for (const [socket, timer] of this.#timers) {
      clearTimeout(timer)
      socket.destroy()
    }
    this.#timers.clear()
  }
}
