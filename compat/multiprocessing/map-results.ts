/** The results of a map: each chunk is put in its place when it comes, while others are still being worked on. */

/** The engine keeps a longer array, if it is made at its length, as a dictionary. */
const maxPreallocated = 32 * 1024 * 1024 - 16

export class MapResults {
  readonly #values: unknown[] | undefined
  readonly #offsets: number[] = []
  readonly #chunks: (readonly unknown[])[] = []

  constructor(chunks: readonly (readonly unknown[])[]) {
    let total = 0
    for (const chunk of chunks) {
      this.#offsets.push(total)
      total += chunk.length
    }
    if (total <= maxPreallocated) this.#values = new Array<unknown>(total)
  }

  /** The results of a chunk, as many as it has items. */
  put(index: number, values: readonly unknown[]): void {
    if (this.#values === undefined) this.#chunks[index] = values
    else copy(values, this.#values, this.#offsets[index] as number)
  }

  /** The results of all items, when every chunk was put. */
  all(): unknown[] {
    if (this.#values !== undefined) return this.#values
    const values: unknown[] = []
    for (const chunk of this.#chunks) for (const value of chunk) values.push(value)
    return values
  }
}

/** A loop: six times faster than pushing items one by one. */
function copy(from: readonly unknown[], to: unknown[], offset: number): void {
  const { length } = from
  for (let i = 0; i < length; i++) to[offset + i] = from[i]
}
