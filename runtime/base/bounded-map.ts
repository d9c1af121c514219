/**
 * A map that forgets: what a process keeps about texts, objects or processes that come without end must not grow with
 * them. Beyond its bounds the oldest entry goes: the one that was written longest ago or, where `readingRenews`, the one
 * that was used longest ago.
 */
export interface MapBounds<K, V> {
  /** Bounds the sum of the weights; an entry that is heavier than that alone is not kept. Default: no bound. */
  readonly maxWeight?: number
  /** Needed with `maxWeight`, and always the same for the same entry. */
  readonly weightOf?: (key: K, value: V) => number
  /** Default false. */
  readonly readingRenews?: boolean
  /** Told of each entry that has gone because of the bounds. */
  readonly onForgotten?: (key: K, value: V) => void
}

export class BoundedMap<K, V extends NonNullable<unknown> | null> extends Map<K, V> {
  readonly #maxEntries: number
  readonly #bounds: MapBounds<K, V>
  #weight = 0
  /** Gives the keys from the oldest on; what it gives is forgotten at once. */
  #oldest: MapIterator<K> | undefined
  /** Entries that were written since `#oldest` began. */
  #written = 0

  constructor(maxEntries: number, bounds: MapBounds<K, V> = {}) {
    super()
    this.#maxEntries = maxEntries
    this.#bounds = bounds
  }

  override get(key: K): V | undefined {
    const value = super.get(key)
    if (value === undefined || this.#bounds.readingRenews !== true) return value
    super.delete(key)
    this.#append(key, value)
    return value
  }

  /** What is known of a key, or is made and kept now. */
  getOrMake(key: K, make: (key: K) => V): V {
    const known = this.get(key)
    if (known !== undefined) return known
    const made = make(key)
    this.set(key, made)
    return made
  }

  override set(key: K, value: V): this {
    const { maxWeight = Infinity } = this.#bounds
    this.delete(key)
    const weight = this.#weightOf(key, value)
    if (weight > maxWeight) return this
    this.#weight += weight
    this.#append(key, value)
    while (this.size > this.#maxEntries || this.#weight > maxWeight) this.#forgetOldest()
    return this
  }

  override delete(key: K): boolean {
    const value = super.get(key)
    if (value !== undefined) this.#weight -= this.#weightOf(key, value)
    return super.delete(key)
  }

  override clear(): void {
    super.clear()
    this.#weight = 0
    this.#oldest = undefined
  }

  #weightOf(key: K, value: V): number {
    return this.#bounds.weightOf?.(key, value) ?? 0
  }

  /**
   * A new iterator has to step over the places of all that was deleted since the engine last tidied up, so one for each
   * entry that goes would take longer the larger the map is. One that is kept for ever would keep each table of entries
   * that the engine has replaced.
   */
  #append(key: K, value: V): void {
    super.set(key, value)
    if (++this.#written <= this.size) return
    this.#oldest = undefined
    this.#written = 0
  }

  #forgetOldest(): void {
    const oldest = (this.#oldest ??= this.keys())
    const key = oldest.next().value as K
    const value = super.get(key) as V
    this.delete(key)
    this.#bounds.onForgotten?.(key, value)
  }
}
