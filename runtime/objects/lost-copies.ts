/** How copies were lost on the disk of this node: who did not hear the answer asks again, when they are gone already. */
import { BoundedMap } from '../base/bounded-map.ts'

/** So many are remembered. */
const mostCopies = 1_000

export class LostCopies {
  readonly #why = new BoundedMap<string, string>(mostCopies)

  add(key: string, why: string): void {
    this.#why.set(key, why)
  }

  whyLost(key: string): string | undefined {
    return this.#why.get(key)
  }

  /** There is one again. */
  remove(key: string): void {
    this.#why.delete(key)
  }
}
