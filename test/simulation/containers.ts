/** Which refs the values of a history contain. */
import type { RefTuple } from '../../runtime/protocol/messages.ts'

export const nameOf = ([owner, number]: RefTuple): string => `${owner}:${number}`

export class Containers {
  readonly #contents = new Map<string, readonly RefTuple[]>()

  /** Counting does not collect a value that contains itself, so there is none. */
  withoutCycles(container: RefTuple, wanted: readonly RefTuple[]): RefTuple[] {
    const reaches = (ref: RefTuple): boolean =>
      nameOf(ref) === nameOf(container) || (this.#contents.get(nameOf(ref)) ?? []).some(reaches)
    const refs = wanted.filter((ref) => !reaches(ref))
    this.#contents.set(nameOf(container), refs)
    return refs
  }
}
