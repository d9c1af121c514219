/** Questions over links: ids, timeouts, and an answer or an error for each, whatever becomes of the link. */
import { afterFairly } from '../base/clock.ts'
import type { Clock, Timer } from '../base/clock.ts'
import { ConnectionLostError, RequestTimeoutError } from '../base/errors.ts'
import type { WireMessage } from '../protocol/frames.ts'
import { describePeer, lostText } from './link.ts'
import type { Link } from './link.ts'

interface Pending {
  readonly link: Link
  readonly what: string
  readonly timer: Timer | undefined
  readonly resolve: (fields: readonly unknown[]) => void
  readonly reject: (error: Error) => void
}

export interface RequestOptions {
  /** Milliseconds until RequestTimeoutError; Infinity waits as long as the link lives. */
  readonly timeoutMs: number
  /** What is asked, for the error: `a lease for {CPU: 1}`. */
  readonly what?: string
}

/** Ids stay in 32 bits, which encode shortest; they are reused after 4 billion requests, when the first are long over. */
const idCount = 2 ** 32

export class Requests {
  readonly #clock: Clock
  readonly #pending = new Map<number, Pending>()
  #nextId = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Requests that are not answered yet. */
  get size(): number {
    return this.#pending.size
  }

  /**
   * Sends what `build` makes of a new request id; resolves with the fields given to `settle`. Rejects with what `fail`
   * is given, RequestTimeoutError, or ConnectionLostError when `closeAll` tells that the link is gone.
   */
  request(link: Link, build: (id: number) => WireMessage, options: RequestOptions): Promise<readonly unknown[]> {
    const id = this.#nextId
    this.#nextId = (id + 1) % idCount
    const message = build(id)
    const what = options.what ?? `request ${message[0]}`
    if (link.closed)
      return Promise.reject(
        new ConnectionLostError(`${what} could not be asked: the link to ${describePeer(link.peer)} is closed`),
      )
    return new Promise((resolve, reject) => {
      const { timeoutMs } = options
      const timer = Number.isFinite(timeoutMs)
        ? afterFairly(this.#clock, timeoutMs, () => this.#expire(id, timeoutMs), true)
        : undefined
      this.#pending.set(id, { link, what, timer, resolve, reject })
      try {
        link.send(message)
      } catch (error) {
        this.fail(id, error as Error)
      }
    })
  }

  /** The answer came. False when nobody waits for it any more. */
  settle(id: number, fields: readonly unknown[]): boolean {
    const pending = this.#take(id)
    pending?.resolve(fields)
    return pending !== undefined
  }

  /** The answer is an error. False when nobody waits for it any more. */
  fail(id: number, error: Error): boolean {
    const pending = this.#take(id)
    pending?.reject(error)
    return pending !== undefined
  }

  /** The other side tells that whoever it asked in its turn has not answered in time: RequestTimeoutError. */
  unanswered(id: number, reason: string): boolean {
    const what = this.#pending.get(id)?.what ?? ''
    return this.fail(id, new RequestTimeoutError(`${what} was not answered: ${reason}`, { details: { what } }))
  }

  /** Rejects everything that was asked over this link. */
  closeAll(link: Link, reason: Error): void {
    for (const [id, { link: asked, what }] of this.#pending) {
      if (asked !== link) continue
      const text = lostText(link.peer, reason.message)
      this.fail(id, new ConnectionLostError(`${what} was not answered: ${text}`, { cause: reason }))
    }
  }

  #expire(id: number, timeoutMs: number): void {
    const pending = this.#pending.get(id)
    if (pending === undefined) return
    const text = `${pending.what} was not answered by ${describePeer(pending.link.peer)} within ${timeoutMs} ms`
    this.fail(id, new RequestTimeoutError(text, { details: { what: pending.what, timeoutMs } }))
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    pending?.timer?.cancel()
    return pending
  }
}
