/**
 * One direction of a link under faults. Nothing is held, and no timer set, while nothing goes wrong.
 *
 *   passing ── delay ──▶ holding ── its time has come, in order ──▶ passing
 *      └─── cut ──▶ cut ── over ──▶ holding, or broken        any ── tear ──▶ broken (nothing passes any more)
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { WireMessage } from '../protocol/frames.ts'

interface Held {
  readonly message: WireMessage
  readonly atMs: number
}

export class ChaosLane {
  readonly #clock: Clock
  readonly #pass: (message: WireMessage) => void
  #queue: Held[] = []
  /** Overtaken by others. */
  readonly #aside = new Set<{ readonly message: WireMessage; readonly timer: Timer }>()
  #timer: Timer | undefined
  #cutUntilMs = 0
  #broken = false
  #waiting: (() => void)[] = []

  constructor(clock: Clock, pass: (message: WireMessage) => void) {
    this.#clock = clock
    this.#pass = pass
  }

  get held(): number {
    return this.#queue.length
  }

  put(message: WireMessage, delayMs: number): void {
    if (this.#broken) return
    if (delayMs === 0 && this.#queue.length === 0 && this.#cutUntilMs === 0) return this.#pass(message)
    this.#queue.push({ message, atMs: this.#clock.now() + delayMs })
    this.#schedule()
  }

  /** Passes after a while, whatever passes before it meanwhile. */
  putAside(message: WireMessage, delayMs: number): void {
    if (this.#broken) return
    const timer = this.#clock.after(delayMs, () => {
      this.#aside.delete(entry)
      if (this.#cutUntilMs > 0) this.put(message, 0)
      else if (!this.#broken) this.#pass(message)
    })
    const entry = { message, timer }
    this.#aside.add(entry)
  }

  /** Nothing passes for so long; with Infinity, until it is broken. */
  cut(forMs: number): void {
    this.#cutUntilMs = Math.max(this.#cutUntilMs, this.#clock.now() + forMs)
    this.#schedule()
  }

  /** What is held is lost, and so is what comes. */
  break(): void {
    this.#broken = true
    this.#drop()
  }

  /** The link ends: what is held passes now, unless it is cut; then it is lost. */
  end(): void {
    if (this.#broken) return
    if (this.#cutUntilMs === 0) {
      for (const { message } of this.#aside) this.#pass(message)
      for (const { message } of this.#queue.splice(0)) this.#pass(message)
    }
    this.break()
  }

  /** Resolves when nothing is held. */
  async empty(): Promise<void> {
    while (this.#queue.length > 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#broken) return
    const firstMs = Math.max(this.#cutUntilMs, this.#queue[0]?.atMs ?? 0)
    if (firstMs === Infinity) return
    this.#timer = this.#clock.after(Math.max(0, firstMs - this.#clock.now()), () => this.#release())
  }

  #release(): void {
    this.#timer = undefined
    const now = this.#clock.now()
    // A timer may fire a little before its time.
    if (this.#cutUntilMs <= now + 1) this.#cutUntilMs = 0
    // One by one: what comes while a message is passed goes behind those that wait.
    while (this.#cutUntilMs === 0 && !this.#broken && this.#queue[0] !== undefined && this.#queue[0].atMs <= now + 1)
      this.#pass((this.#queue.shift() as Held).message)
    if (this.#broken) return
    if (this.#queue.length > 0 || this.#cutUntilMs > 0) return this.#schedule()
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  #drop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#queue = []
    for (const { timer } of this.#aside) timer.cancel()
    this.#aside.clear()
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}
