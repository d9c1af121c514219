/**
 * A map that forgets what was used least recently. A program may make functions from generated text without end; what
 * is kept about them must not grow with it.
 */
export class BoundedCache<V> {
  readonly #maxEntries: number
  readonly #maxWeight: number
  /** In order of use, the least recently used first. */
  readonly #entries: Map<string, { readonly value: V; readonly weight: number }> = new Map()
  #weight = 0

  /** `maxWeight` bounds the sum of the weights given to `set` (here: characters of source text). */
  constructor(maxEntries: number, maxWeight: number) {
    this.#maxEntries = maxEntries
    this.#maxWeight = maxWeight
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  /** Keeps `value`, unless it alone is heavier than the whole cache may be. */
  set(key: string, value: V, weight: number): void {
    this.delete(key)
    if (weight > this.#maxWeight) return
    this.#entries.set(key, { value, weight })
    this.#weight += weight
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#maxEntries && this.#weight <= this.#maxWeight) return
      this.delete(oldest)
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#entries.delete(key)
    this.#weight -= entry.weight
  }
}
