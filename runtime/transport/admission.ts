/** The connections of one listener that have not authenticated yet: how many there may be, and for how long. */
import type { Duplex } from 'node:stream'
import { afterFairly, systemClock, type Timer } from '../base/clock.ts'

export class Admission {
  readonly #limit: number
  readonly #timeoutMs: number
  /** Every connection that counts, with its timer while nothing has been said. */
  readonly #timers = new Map<Duplex, Timer | undefined>()

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
    this.#timers.set(socket, afterFairly(systemClock, this.#timeoutMs, onTimeout))
    socket.once('close', () => this.leave(socket))
    return true
  }

  /** It has spoken: no timeout any more. It counts until it has authenticated, or until it is closed. */
  heard(socket: Duplex): void {
    if (!this.#timers.has(socket)) return
    this.#timers.get(socket)?.cancel()
    this.#timers.set(socket, undefined)
  }

  /** It has authenticated. */
  leave(socket: Duplex): void {
    this.#timers.get(socket)?.cancel()
    this.#timers.delete(socket)
  }

  destroyAll(): void {
    for (const [socket, timer] of this.#timers) {
      timer?.cancel()
      socket.destroy()
    }
    this.#timers.clear()
  }
}
