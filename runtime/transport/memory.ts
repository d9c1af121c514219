/** A pair of links within one process: nothing is encoded, order is kept, delivery is never inside `send`. */
import { ConnectionLostError } from '../base/errors.ts'
import { linkHighWaterBytes } from '../base/limits.ts'
import { setImmediate } from '../base/timers.ts'
import type { WireMessage } from '../protocol/frames.ts'
import type { PeerHello } from './hello.ts'
import { LinkCore, lostText } from './link.ts'
import type { Link } from './link.ts'

/** What a queued message is taken to weigh; only its order of magnitude matters, for back-pressure. */
const messageWeightBytes = 64

class MemoryLink extends LinkCore {
  readonly kind = 'memory'
  /** Set right after construction. */
  other!: MemoryLink
  #queue: WireMessage[] = []
  #scheduled = false
  #paused = false
  #waiting: (() => void)[] = []

  get bufferedBytes(): number {
    return this.#queue.length * messageWeightBytes
  }

  send(message: WireMessage): void {
    if (this.closed) return
    this.#queue.push(message)
    this.#schedule()
  }

  /** Nothing to write: what is queued is delivered by the next `setImmediate`. */
  flush(): void {}

  async drained(): Promise<void> {
    while (!this.closed && this.bufferedBytes > linkHighWaterBytes)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  ref(): void {}
  unref(): void {}

  #schedule(): void {
    if (this.#scheduled || this.other.#paused) return
    this.#scheduled = true
    setImmediate(() => this.#transfer())
  }

  #transfer(): void {
    this.#scheduled = false
    const messages = this.#queue
    this.#queue = []
    for (const resolve of this.#waiting.splice(0)) resolve()
    this.other.deliver(messages)
  }

  protected shut(graceful: boolean): void {
    const last = graceful ? this.#queue : []
    this.#queue = []
    for (const resolve of this.#waiting.splice(0)) resolve()
    const { other } = this
    if (other.closed) return
    setImmediate(() => {
      other.deliver(last)
      other.finish(new ConnectionLostError(lostText(other.peer, 'the other side closed it')), false)
    })
  }

  protected pauseReading(): void {
    this.#paused = true
  }

  protected resumeReading(): void {
    if (!this.#paused) return
    this.#paused = false
    this.other.#schedule()
  }
}

/** Two ends; the first one's peer is `helloB`. */
export function memoryPair(helloA: PeerHello, helloB: PeerHello): [Link, Link] {
  const a = new MemoryLink(helloB)
  const b = new MemoryLink(helloA)
  a.other = b
  b.other = a
  return [a, b]
}
