/** A link under faults: what its user says and hears goes through two lanes. */
import type { Clock } from '../base/clock.ts'
import { ConnectionLostError } from '../base/errors.ts'
import { randomInteger } from '../base/random.ts'
import type { Random } from '../base/random.ts'
import type { WireMessage } from '../protocol/frames.ts'
import { toleranceOf } from '../protocol/tolerance.ts'
import { ChaosLane } from './chaos-lane.ts'
import type { ChaosCut, ChaosRule, MessageFault } from './chaos-rules.ts'
import { describePeer } from './link.ts'
import type { Link } from './link.ts'

/** The rules of this process as they are now, and what came of them. */
export interface ChaosState {
  readonly clock: Clock
  readonly random: Random
  readonly rules: readonly CompiledRule[]
  happened(fault: MessageFault): void
}

export interface CompiledRule extends Omit<ChaosRule, 'types'> {
  /** Undefined: all that bear it. */
  readonly types: ReadonlySet<number> | undefined
}

/** Between a torn direction and the end of the link, the other direction goes on for as long, at most. */
const mostTornMs = 50

export class ChaosLink implements Link {
  readonly #raw: Link
  readonly #state: ChaosState
  readonly #out: ChaosLane
  readonly #in: ChaosLane
  #onMessage: ((message: WireMessage) => void) | undefined
  #onClose: ((reason: Error) => void) | undefined
  /** A direction is torn: the link is about to end. */
  #torn = false

  constructor(raw: Link, state: ChaosState) {
    this.#raw = raw
    this.#state = state
    this.#out = new ChaosLane(state.clock, (message) => raw.send(message))
    this.#in = new ChaosLane(state.clock, (message) => this.#hear(message))
  }

  get kind(): Link['kind'] {
    return this.#raw.kind
  }

  get peer(): Link['peer'] {
    return this.#raw.peer
  }

  get closed(): boolean {
    return this.#raw.closed
  }

  /** What is held has not left this process either: who waits for that, as for the seal of an object, waits for it here, too. */
  get bufferedBytes(): number {
    return this.#raw.bufferedBytes + this.#out.held
  }

  send(message: WireMessage): void {
    if (!this.#raw.closed) this.#meet(message, this.#out, this.#state.rules)
  }

  flush(): void {
    this.#raw.flush()
  }

  async drained(): Promise<void> {
    await this.#out.empty()
    return this.#raw.drained()
  }

  get onMessage(): (message: WireMessage) => void {
    return this.#onMessage ?? ignore
  }

  set onMessage(handler: (message: WireMessage) => void) {
    const first = this.#onMessage === undefined
    this.#onMessage = handler
    if (!first) return
    // A process with faults of its own injects them into what it sends; programs have none.
    const rules = (): readonly CompiledRule[] => (this.peer.kind === 'driver' ? this.#state.rules : none)
    this.#raw.onMessage = (message) => this.#meet(message, this.#in, rules())
  }

  get onClose(): (reason: Error) => void {
    return this.#onClose ?? ignore
  }

  set onClose(handler: (reason: Error) => void) {
    const first = this.#onClose === undefined
    this.#onClose = handler
    if (!first) return
    this.#raw.onClose = (reason) => {
      this.#out.break()
      this.#in.end()
      this.#onClose?.(reason)
    }
  }

  close(reason?: Error): void {
    if (this.#raw.closed) return
    this.#out.end()
    this.#in.break()
    this.#raw.close(reason)
  }

  ref(): void {
    this.#raw.ref()
  }

  unref(): void {
    this.#raw.unref()
  }

  /** Nothing of one direction comes through for a while. */
  cut({ direction, forMs, breaks }: Pick<ChaosCut, 'direction' | 'forMs' | 'breaks'>): void {
    const lane = direction === 'in' ? this.#in : this.#out
    // One that breaks is never whole again.
    lane.cut(breaks ? Infinity : forMs)
    if (breaks) this.#state.clock.after(forMs, () => this.#tear(lane, 'was cut for too long'))
  }

  /** One message meets the first rule that strikes. */
  #meet(message: WireMessage, lane: ChaosLane, rules: readonly CompiledRule[]): void {
    for (const rule of rules) {
      if (rule.types !== undefined && !rule.types.has(message[0])) continue
      if (!bears(rule.fault, message[0]) || this.#state.random.next() >= rule.probability) continue
      this.#state.happened(rule.fault)
      return this.#strike(rule, message, lane)
    }
    lane.put(message, 0)
  }

  #strike({ fault, mostMs }: CompiledRule, message: WireMessage, lane: ChaosLane): void {
    const { random } = this.#state
    switch (fault) {
      case 'delay':
        return lane.put(message, random.next() * mostMs)
      case 'tear':
        return this.#tear(lane, `was torn at message ${message[0]}`)
      case 'drop':
        return
      case 'duplicate':
        lane.put(message, 0)
        return lane.put(message, 0)
      case 'reorder':
        return lane.putAside(message, random.next() * mostMs)
    }
  }

  #tear(lane: ChaosLane, how: string): void {
    lane.break()
    if (this.#torn) return
    this.#torn = true
    const afterMs = randomInteger(this.#state.random, mostTornMs)
    this.#state.clock.after(afterMs, () => {
      this.#raw.close(new ConnectionLostError(`the link to ${describePeer(this.peer)} ${how} (outpool chaos)`))
    })
  }

  #hear(message: WireMessage): void {
    try {
      this.#onMessage?.(message)
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error)
      const what = `the handler of message ${message[0]} from ${describePeer(this.peer)} failed: ${text}`
      this.#raw.close(new ConnectionLostError(what, { cause: error }))
    }
  }
}

const none: readonly CompiledRule[] = []

function bears(fault: MessageFault, type: number): boolean {
  const { lost, twice, late } = toleranceOf(type)
  if (fault === 'drop') return lost === true
  if (fault === 'duplicate') return twice === true
  return fault !== 'reorder' || late === true
}

function ignore(): void {}
