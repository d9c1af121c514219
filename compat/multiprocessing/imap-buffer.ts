/**
 * The results of an `imap` on their way to its reader: in the order of the input, or in the order in which chunks
 * arrive. Pure. Chunks are numbered from 0 in the order of the input.
 */
export type Entry<R> = { readonly ok: true; readonly value: R } | { readonly ok: false; readonly error: unknown }

export class ImapBuffer<R> {
  readonly #ordered: boolean
  /** By the number of the turn in which they are read. There may be a million of them: none is moved for another. */
  readonly #waiting = new Map<number, readonly Entry<R>[]>()
  #arrived = 0
  #position = 0
  #chunksTaken = 0
  #totalChunks: number | undefined

  constructor(ordered: boolean) {
    this.#ordered = ordered
  }

  /** Chunks whose last entry has been taken. */
  get chunksTaken(): number {
    return this.#chunksTaken
  }

  /** Every chunk has been taken and no other comes. */
  get finished(): boolean {
    return this.#totalChunks === this.#chunksTaken
  }

  put(chunk: number, entries: readonly Entry<R>[]): void {
    this.#waiting.set(this.#ordered ? chunk : this.#arrived++, entries)
  }

  /** The input is at its end after so many chunks. */
  end(totalChunks: number): void {
    this.#totalChunks = totalChunks
  }

  /** The next entry that may be read now. */
  take(): Entry<R> | undefined {
    const entries = this.#waiting.get(this.#chunksTaken)
    if (entries === undefined) return undefined
    const entry = entries[this.#position++]
    if (this.#position >= entries.length) this.#drop()
    return entry
  }

  #drop(): void {
    this.#waiting.delete(this.#chunksTaken++)
    this.#position = 0
  }
}
