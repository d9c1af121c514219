/** How copies were lost on the disk of this node: who did not hear the answer asks again, when they are gone already. */

/** So many are remembered. */
const mostCopies = 1_000

export class LostCopies {
  readonly #why = new Map<string, string>()

  add(key: string, why: string): void {
    this.#why.delete(key)
    this.#why.set(key, why)
    for (const oldest of this.#why.keys()) {
      if (this.#why.size <= mostCopies) break
      this.#why.delete(oldest)
    }
  }

  whyLost(key: string): string | undefined {
    return this.#why.get(key)
  }

  /** There is one again. */
  remove(key: string): void {
    this.#why.delete(key)
  }
}
