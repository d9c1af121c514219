/** Why none of the holders of an object gave it: those that do not have it, those that did not answer, in words too. */
import { ObjectLostError, ObjectStoreFullError, OutOfDiskError } from '../base/errors.ts'
import type { Holder } from '../protocol/messages.ts'

/** What a reader found: who answered that it does not have the object, and who did not answer. */
export interface PullReport {
  readonly absent: readonly Holder[]
  readonly unreached: readonly Holder[]
  /** What those who do not have it said of how they lost it, where they said more than that. */
  readonly why?: string
}

/** What a holder says that has nothing more to say. */
export const notHere = 'it does not have the object (any more)'

export class PullFailures implements PullReport {
  readonly absent: Holder[] = []
  readonly unreached: Holder[] = []
  why = ''
  readonly #texts: string[] = []

  /** @throws what says nothing of the holder: that there is no room here. */
  add(holder: Holder, failure: Error): void {
    if (failure instanceof ObjectStoreFullError || failure instanceof OutOfDiskError) throw failure
    const list = failure instanceof ObjectLostError ? this.absent : this.unreached
    list.push(holder)
    if (list === this.absent && failure.message !== notHere) this.lostThere(holder, failure.message)
    this.#texts.push(`process ${holder[1]} of node ${holder[0]}: ${failure.message}`)
  }

  /** How the copy of that holder was lost. */
  lostThere([node]: Holder, how: string): void {
    this.why += `${this.why === '' ? '' : '; '}node ${node}: ${how}`
  }

  error(key: string): ObjectLostError {
    const tried = this.#texts.length === 0 ? 'it has no holder' : this.#texts.join('; ')
    return lostError(`object ${key} could not be brought here: ${tried}`, key, this)
  }
}

/** What a pull rejects with, also where another process made it. */
export function lostError(text: string, key: string, { absent, unreached, why = '' }: PullReport): ObjectLostError {
  return new ObjectLostError(text, { details: { key, absent, unreached, why } })
}

/** What the owner can be told of a failed pull; undefined where it failed for another reason. */
export function reportOf(error: unknown): PullReport | undefined {
  if (!(error instanceof ObjectLostError)) return undefined
  const { absent, unreached, why } = error.details
  if (!Array.isArray(absent) || !Array.isArray(unreached)) return undefined
  return { absent: absent as Holder[], unreached: unreached as Holder[], why: typeof why === 'string' ? why : '' }
}
