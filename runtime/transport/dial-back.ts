/**
 * Drivers open no inbound port. Whoever wants to reach one asks its home node; the home gives out a ticket, asks the
 * driver over its control link to call back with it, and hands the connection that comes to whoever waits. Nodes that
 * cannot be dialled call back as well (node/call-backs.ts).
 */
import type { Duplex } from 'node:stream'
import { afterFairly, longestTimerMs, systemClock } from '../base/clock.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { deferred } from '../base/deferred.ts'
import type { Deferred } from '../base/deferred.ts'
import { ConnectionLostError } from '../base/errors.ts'
import { randomBytes } from '../base/random-bytes.ts'

interface Waiting<Socket> {
  readonly who: string
  readonly socket: Deferred<Socket>
  readonly timer: Timer
  readonly again: (() => void) | undefined
  asking: Timer | undefined
}

export interface Issuing {
  /** How long it may take, in milliseconds. Default: for as long as who is to call back is there. */
  readonly timeoutMs?: number
  /**
   * Asks once more with the same ticket, for as long as nobody has come with it. The connection by which it was asked may
   * have been lost, and who computes may have been too late with what it began.
   */
  readonly again?: (ticket: string) => void
}

/** Between two times that somebody is asked, in milliseconds. */
const againMs = 5_000

export class DialBackTable<Socket = Duplex> {
  readonly #clock: Clock
  readonly #newTicket: () => string
  readonly #waiting = new Map<string, Waiting<Socket>>()

  constructor(clock: Clock = systemClock, newTicket: () => string = () => randomBytes(16).toString('hex')) {
    this.#clock = clock
    this.#newTicket = newTicket
  }

  /** Tickets that nobody has come with yet. */
  get size(): number {
    return this.#waiting.size
  }

  /**
   * A ticket to send to who is to call back, and the connection it will bring; that rejects with ConnectionLostError. A
   * program that computes calls back when it is done: it is waited for as long as it is there (`gone`).
   */
  issue(
    who: string,
    { timeoutMs = longestTimerMs, again }: Issuing = {},
  ): { readonly ticket: string; readonly socket: Promise<Socket> } {
    const ticket = this.#newTicket()
    const socket = deferred<Socket>()
    const timer = afterFairly(this.#clock, timeoutMs, () => {
      this.cancel(ticket, `it did not call back within ${timeoutMs} ms`)
    })
    const waiting = { who, socket, timer, again: again && (() => again(ticket)), asking: undefined }
    this.#waiting.set(ticket, waiting)
    this.#askLater(waiting)
    // Whoever issued it may have gone; a late rejection is then nobody's.
    socket.promise.catch(() => {})
    return { ticket, socket: socket.promise }
  }

  /** Somebody came with this ticket. False for one that is unknown, late, or used already. */
  complete(ticket: string, socket: Socket): boolean {
    const waiting = this.#take(ticket)
    waiting?.socket.resolve(socket)
    return waiting !== undefined
  }

  /** Nobody will come (the link closed, say). */
  cancel(ticket: string, reason: string): void {
    this.#take(ticket)?.socket.reject(
      new ConnectionLostError(`who was asked to call back could not be reached: ${reason}`),
    )
  }

  /** Who was asked is there over a new connection: what was said over the one before may not have come. */
  back(who: string): void {
    for (const waiting of this.#waiting.values()) if (waiting.who === who) waiting.again?.()
  }

  /** Who was asked is gone. */
  gone(who: string, reason: string): void {
    for (const [ticket, waiting] of this.#waiting) if (waiting.who === who) this.cancel(ticket, reason)
  }

  closeAll(reason: string): void {
    for (const ticket of this.#waiting.keys()) this.cancel(ticket, reason)
  }

  #take(ticket: string): Waiting<Socket> | undefined {
    const waiting = this.#waiting.get(ticket)
    this.#waiting.delete(ticket)
    waiting?.timer.cancel()
    waiting?.asking?.cancel()
    return waiting
  }

  #askLater(waiting: Waiting<Socket>): void {
    if (waiting.again === undefined) return
    waiting.asking = this.#clock.after(againMs, () => {
      this.#askLater(waiting)
      waiting.again?.()
    })
  }
}
