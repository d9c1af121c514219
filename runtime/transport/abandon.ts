/**
 * By which what is under way to another process is given up. Node's own means for that, `AbortController`, takes a
 * millisecond to load, in every process that starts.
 */
export class Abandon {
  #reason: Error | undefined
  readonly #listeners = new Set<(reason: Error) => void>()

  /** Why; undefined as long as it was not given up. */
  get reason(): Error | undefined {
    return this.#reason
  }

  now(reason: Error): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    for (const listener of this.#listeners) listener(reason)
    this.#listeners.clear()
  }

  /** Calls it once, at once where it was given up already. Returns what forgets it. */
  heed(listener: (reason: Error) => void): () => void {
    if (this.#reason !== undefined) listener(this.#reason)
    else this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}
