/**
 * A link on virtual time. What is sent arrives in order; when the wire is cut, what is on its way is lost, and each end
 * hears of it at a time of its own: one may have made another link, and said things over it, before the other has heard
 * that the first is gone. A process that computes hears nothing before it is done.
 */
import { type Random } from '../../../runtime/base/random.ts'
import { ConnectionLostError } from '../../../runtime/base/errors.ts'
import type { WireMessage } from '../../../runtime/protocol/frames.ts'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import type { PeerHello } from '../../../runtime/transport/hello.ts'
import { type Link, LinkCore } from '../../../runtime/transport/link.ts'
import type { VirtualClock } from '../virtual-clock.ts'

/** How late the end of a link may be noticed, in milliseconds. */
const mostLateMs = 150

/** Calls it when that process does not compute. */
export type WhenFree = (process: ProcessId, act: () => void) => void

export class Wire {
  readonly clock: VirtualClock
  readonly random: Random
  readonly ends: readonly [WireLink, WireLink]
  readonly whenFree: WhenFree
  cut = false
  /** Whether who was called has heard it. */
  heard = false

  /** The first end is the dialler's; its peer is `called`. */
  constructor(clock: VirtualClock, random: Random, whenFree: WhenFree, dialler: PeerHello, called: PeerHello) {
    this.clock = clock
    this.whenFree = whenFree
    this.random = random
    this.ends = [new WireLink(this, dialler.process, called), new WireLink(this, called.process, dialler)]
  }

  get over(): boolean {
    return this.ends.every(({ closed }) => closed)
  }

  latencyMs(): number {
    return 0.1 + this.random.next() * (this.random.next() < 0.1 ? 30 : 2)
  }

  /** Neither end says it: both find out. */
  break(): void {
    if (this.cut) return
    this.cut = true
    for (const end of this.ends)
      this.clock.after(this.random.next() * mostLateMs, () =>
        this.whenFree(end.owner, () => end.lost('the wire was cut')),
      )
  }

  other(end: WireLink): WireLink {
    return this.ends[0] === end ? this.ends[1] : this.ends[0]
  }
}

export class WireLink extends LinkCore implements Link {
  readonly kind = 'unix'
  readonly bufferedBytes = 0
  /** Whose end it is. */
  readonly owner: ProcessId
  readonly #wire: Wire
  #lastAtMs = 0

  constructor(wire: Wire, owner: ProcessId, peer: PeerHello) {
    super(peer)
    this.owner = owner
    this.#wire = wire
  }

  send(message: WireMessage): void {
    const wire = this.#wire
    if (this.closed || wire.cut) return
    this.#later(() => {
      if (!wire.cut) wire.other(this).deliver([message])
    })
  }

  lost(why: string): void {
    this.finish(new ConnectionLostError(why), false)
  }

  flush(): void {}
  ref(): void {}
  unref(): void {}
  drained(): Promise<void> {
    return Promise.resolve()
  }

  protected shut(): void {
    const wire = this.#wire
    if (!wire.cut) this.#later(() => wire.other(this).lost('the other side closed it'))
  }

  protected pauseReading(): void {}
  protected resumeReading(): void {}

  /** In order with everything else that goes this way. */
  #later(act: () => void): void {
    const { clock } = this.#wire
    const now = clock.now()
    this.#lastAtMs = Math.max(this.#lastAtMs, now + this.#wire.latencyMs())
    clock.at(this.#lastAtMs, () => this.#wire.whenFree(this.#wire.other(this).owner, act))
  }
}
