/** The results of a map: each chunk is put in its place when it comes, while others are still being worked on. */
import type { Items } from '../shared/words.ts'

/** The engine keeps a longer array, if it is made at its length, as a dictionary. */
const maxPreallocated = 32 * 1024 * 1024 - 16

/** For fewer results the array is made in no time. */
const leastAhead = 64 * 1024

/** What the results of all chunks are, as far as the engine keeps arrays of them differently. */
export type ResultKind = 'integers' | 'doubles' | 'values'

export class MapResults {
  readonly #total: number
  readonly #offsets: number[] = []
  /** Chunks of a result that is put together at the end. */
  readonly #chunks: Items[] = []
  #values: unknown[] | undefined
  /** The array was made, and nothing is in it yet. */
  #isAhead = false
  #words = true
  #doubles = false

  constructor(chunks: readonly Items[]) {
    let total = 0
    for (const chunk of chunks) {
      this.#offsets.push(total)
      total += chunk.length
    }
    this.#total = total
  }

  /** Whether `put` keeps nothing of what it gets. */
  get copies(): boolean {
    return this.#total <= maxPreallocated
  }

  /** Whether to make the array for them takes long enough to do it ahead. */
  get areMany(): boolean {
    return this.#total >= leastAhead
  }

  /** The results of a chunk, as many as it has items. */
  put(index: number, values: Items): void {
    if (!this.copies) {
      this.#chunks[index] = values
      return
    }
    // What was made for doubles holds integers, too; for other values the engine would copy it.
    if (this.#isAhead && Array.isArray(values)) this.#values = undefined
    this.#isAhead = false
    this.#values ??= arrayFor(values instanceof Float64Array, this.#total)
    copy(values, this.#values, this.#offsets[index] as number)
    this.#doubles ||= values instanceof Float64Array
    this.#words &&= !Array.isArray(values)
  }

  /** When every chunk was put. */
  get kind(): ResultKind {
    return !this.#words ? 'values' : this.#doubles ? 'doubles' : 'integers'
  }

  /** Makes the array for many results before the first of them is there, as those of that kind need it. */
  makeAhead(kind: ResultKind): void {
    if (kind === 'values' || this.#values !== undefined || !this.copies) return
    this.#values = arrayFor(kind === 'doubles', this.#total)
    this.#isAhead = true
  }

  /** The results of all items, when every chunk was put. */
  all(): unknown[] {
    if (this.copies) return this.#values ?? []
    const values: unknown[] = []
    for (const chunk of this.#chunks) for (const value of chunk) values.push(value)
    return values
  }
}

/** An array of that length, of which every item will be set. */
function arrayFor(doubles: boolean, total: number): unknown[] {
  if (!doubles) return new Array<unknown>(total)
  // One that held a double before it grew: otherwise the first one set would have all of it copied.
  const values: unknown[] = [0.5]
  values.length = total
  return values
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
