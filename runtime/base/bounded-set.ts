import { BoundedMap } from './bounded-map.ts'

/** A set that forgets: beyond `maxValues`, the value goes that was added longest ago. Adding one again renews it. */
export class BoundedSet<T> implements Iterable<T> {
  readonly #values: BoundedMap<T, true>

  constructor(maxValues: number, onForgotten?: (value: T) => void) {
    this.#values = new BoundedMap(maxValues, onForgotten && { onForgotten })
  }

  get size(): number {
    return this.#values.size
  }

  has(value: T): boolean {
    return this.#values.has(value)
  }

  add(value: T): void {
    this.#values.set(value, true)
  }

  delete(value: T): boolean {
    return this.#values.delete(value)
  }

  /** The oldest first. */
  [Symbol.iterator](): IterableIterator<T> {
    return this.#values.keys()
  }
}
