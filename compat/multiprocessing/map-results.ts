/** The results of a map: each chunk is put in its place when it comes, while others are still being worked on. */
import type { Items } from '../shared/words.ts'

/** The engine keeps a longer array, if it is made at its length, as a dictionary. */
const maxPreallocated = 32 * 1024 * 1024 - 16

export class MapResults {
  readonly #total: number
  readonly #offsets: number[] = []
  /** Chunks of a result that is put together at the end. */
  readonly #chunks: Items[] = []
  #values: unknown[] | undefined

  constructor(chunks: readonly Items[]) {
    let total = 0
    for (const chunk of chunks) {
      this.#offsets.push(total)
      total += chunk.length
    }
    this.#total = total
  }

  /** The results of a chunk, as many as it has items. */
  put(index: number, values: Items): void {
    if (this.#total > maxPreallocated) {
      this.#chunks[index] = values
      return
    }
    this.#values ??= arrayFor(values, this.#total)
    copy(values, this.#values, this.#offsets[index] as number)
  }

  /** The results of all items, when every chunk was put. */
  all(): unknown[] {
    if (this.#total <= maxPreallocated) return this.#values ?? []
    const values: unknown[] = []
    for (const chunk of this.#chunks) for (const value of chunk) values.push(value)
    return values
  }
}

/** An array of that length, of which every item will be set. */
function arrayFor(values: Items, total: number): unknown[] {
  if (!(values instanceof Float64Array)) return new Array<unknown>(total)
  // One that held a double before it grew: otherwise the first one set would have all of it copied.
  const doubles: unknown[] = [0.5]
  doubles.length = total
  return doubles
}

function copy(from: Items, to: unknown[], offset: number): void {
  if (from instanceof Float64Array) copyDoubles(from, to, offset)
  else if (from instanceof Int32Array) copyIntegers(from, to, offset)
  else copyValues(from, to, offset)
}

// Loops, several times faster than pushing items one by one, and one for each kind, twice as fast as one for all.

function copyDoubles(from: Float64Array, to: unknown[], offset: number): void {
  const { length } = from
  for (let i = 0; i < length; i++) to[offset + i] = from[i]
}

function copyIntegers(from: Int32Array, to: unknown[], offset: number): void {
  const { length } = from
  for (let i = 0; i < length; i++) to[offset + i] = from[i]
}

function copyValues(from: readonly unknown[], to: unknown[], offset: number): void {
  const { length } = from
  for (let i = 0; i < length; i++) to[offset + i] = from[i]
}
