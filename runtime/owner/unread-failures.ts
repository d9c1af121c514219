/**
 * Failures that nobody asked about, as lines for people: where a ref is let go of, and at the end of the program for refs
 * that are still there. A few are told as they come; of a flood the rest is counted.
 */
import type { RefTuple } from '../protocol/messages.ts'
import type { OwnerHost } from './host.ts'
import type { ObjectAccess } from './object-access.ts'
import type { ObjectTable, Outcome } from './object-table.ts'

export interface UnreadParts {
  readonly host: Pick<OwnerHost, 'clock' | 'warn' | 'self'>
  readonly objects: Pick<ObjectTable, 'passedOn' | 'takeUnread'>
  readonly access: Pick<ObjectAccess, 'textOf'>
}

/** Lines in one period. */
const toldPerPeriod = 5
const periodMs = 60_000
const advice = '(get or wait of their refs tells)'

export class UnreadFailures {
  readonly #parts: UnreadParts
  #sinceMs = -Infinity
  #told = 0
  #untold = 0

  constructor(parts: UnreadParts) {
    this.#parts = parts
  }

  /** The last ref of a failed task is gone. */
  dropped(outcome: Outcome): void {
    if (outcome[0] !== 'error' || outcome.unread !== true) return
    outcome.unread = false
    const { host, access } = this.#parts
    const nowMs = host.clock.now()
    if (nowMs - this.#sinceMs >= periodMs) {
      this.#tellCount()
      this.#sinceMs = nowMs
      this.#told = 0
    }
    if (this.#told++ < toldPerPeriod)
      host.warn(`a task failed and nobody read its result: ${access.textOf(outcome[1])}`)
    else this.#untold++
  }

  /** A ref was put into a value that goes to somebody else, who may ask, or not. */
  passedOn([owner, number]: RefTuple): void {
    if (owner === this.#parts.host.self.process) this.#parts.objects.passedOn(number)
  }

  /** Nobody asks for anything any more: what has failed until now and still has refs is told, too. */
  end(): void {
    this.#tellCount()
    const { host, objects, access } = this.#parts
    const held = objects.takeUnread()
    if (held[0] === undefined) return
    const which = held.length === 1 ? ':' : '; the first:'
    host.warn(`${tasks(held.length, '')} ${advice}${which} ${access.textOf(held[0])}`)
  }

  #tellCount(): void {
    if (this.#untold > 0) this.#parts.host.warn(`${tasks(this.#untold, ' more')} ${advice}`)
    this.#untold = 0
  }
}

function tasks(count: number, more: string): string {
  return count === 1
    ? `one${more} task failed and nobody asked for its result`
    : `${count}${more} tasks failed and nobody asked for their results`
}
