/**
 * A link that is made again whenever it is lost (node to head, driver to home).
 *
 *   idle ── start ──► dialling ── made ──► connected ── lost ──► waiting ── delay ──► dialling
 *                        └── failed ──► waiting, or given up
 *   any ── stop ──► stopped
 */
import type { Clock, Timer } from '../base/clock.ts'
import { AuthenticationError, ConnectionLostError, ProtocolVersionError } from '../base/errors.ts'
import type { Random } from '../base/random.ts'
import type { Link } from './link.ts'

export interface Backoff {
  /** Before the first repetition. Default 50. */
  readonly firstMs: number
  /** Never more than this. Default 5,000. */
  readonly mostMs: number
  /** Growth per attempt. Default 2. */
  readonly factor: number
}

export const defaultBackoff: Backoff = { firstMs: 50, mostMs: 5_000, factor: 2 }

/** Between half and all of the exponential delay, so that many who lost the same peer do not come back at once. */
export function backoffDelayMs(attempt: number, random: Random, backoff: Backoff = defaultBackoff): number {
  const fullMs = Math.min(backoff.mostMs, backoff.firstMs * backoff.factor ** attempt)
  return fullMs / 2 + (fullMs / 2) * random.next()
}

export type ReconnectMode = 'idle' | 'dialling' | 'connected' | 'waiting' | 'given-up' | 'stopped'

export interface ReconnectOptions {
  readonly dial: () => Promise<Link>
  /** Called with every link that was made. Its user calls `lost` from `onClose`. */
  readonly onLink: (link: Link) => void
  /** Called once when no further attempt will be made: the error is permanent, or `giveUpAfterMs` is over. */
  readonly onGiveUp: (error: Error) => void
  readonly clock: Clock
  readonly random: Random
  readonly backoff?: Backoff
  /** Whether no attempt can succeed after this error either. Default `isRefusedForGood`. */
  readonly isFinal?: (error: Error) => boolean
  /** Time without a link until it gives up. Default Infinity. */
  readonly giveUpAfterMs?: number
}

/** A link that was lost within so many milliseconds counts as an attempt that failed: it is not made again and again. */
const briefMs = 500

/** Refused for a wrong token or another version: that does not change by itself. */
export function isRefusedForGood(error: Error): boolean {
  return error instanceof AuthenticationError || error instanceof ProtocolVersionError
}

export class Reconnect {
  readonly #options: ReconnectOptions
  #mode: ReconnectMode = 'idle'
  #attempt = 0
  #timer: Timer | undefined
  /** Since when there has been no link. */
  #withoutSinceMs = 0
  #linkedAtMs = 0

  constructor(options: ReconnectOptions) {
    this.#options = options
  }

  get mode(): ReconnectMode {
    return this.#mode
  }

  start(): void {
    if (this.#mode !== 'idle') throw new Error(`start: the link is ${this.#mode} already`)
    this.#withoutSinceMs = this.#options.clock.now()
    this.#dial()
  }

  /** The link that was given to `onLink` closed. */
  lost(): void {
    if (this.#mode !== 'connected') return
    this.#withoutSinceMs = this.#options.clock.now()
    if (this.#withoutSinceMs - this.#linkedAtMs >= briefMs) this.#attempt = 0
    this.#wait()
  }

  /** No further attempts; a link that is there stays its user's. */
  stop(): void {
    this.#mode = 'stopped'
    this.#timer?.cancel()
  }

  #dial(): void {
    this.#mode = 'dialling'
    this.#options.dial().then(
      (link) => this.#made(link),
      (error: unknown) => this.#failed(error as Error),
    )
  }

  #made(link: Link): void {
    if (this.#mode !== 'dialling') return link.close()
    this.#mode = 'connected'
    this.#linkedAtMs = this.#options.clock.now()
    this.#options.onLink(link)
  }

  #failed(error: Error): void {
    if (this.#mode !== 'dialling') return
    const { clock, giveUpAfterMs = Infinity, onGiveUp, isFinal = isRefusedForGood } = this.#options
    const permanent = isFinal(error)
    if (!permanent && clock.now() - this.#withoutSinceMs < giveUpAfterMs) return this.#wait()
    this.#mode = 'given-up'
    if (permanent) return onGiveUp(error)
    onGiveUp(
      new ConnectionLostError(`no attempt succeeded for ${giveUpAfterMs} ms: ${error.message}`, { cause: error }),
    )
  }

  #wait(): void {
    this.#mode = 'waiting'
    const { clock, random, backoff } = this.#options
    const delayMs = backoffDelayMs(this.#attempt++, random, backoff)
    this.#timer = clock.after(delayMs, () => this.#dial(), true)
  }
}
