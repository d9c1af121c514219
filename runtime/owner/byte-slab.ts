/**
 * Argument bytes of tasks that wait, packed into large chunks: a million queued tasks cost their bytes and no object.
 * A chunk is dropped when everything in it has been released; its bytes are never written twice, so
 * a view that a link has still to write stays right.
 *
 *     chunk 7   [ args of task 12 | args of task 13 | ... free ]   live: 2
 */
const chunkSizeBytes = 256 * 1024

interface Chunk {
  readonly bytes: Uint8Array
  /** Bytes handed out so far. */
  used: number
  /** Pieces handed out and not released. */
  live: number
}

/** Where a piece lies. Plain numbers, so that a table can keep them in typed arrays. */
export interface Piece {
  chunk: number
  offset: number
  length: number
}

export class ByteSlab {
  #chunks: (Chunk | undefined)[] = []
  #free: number[] = []
  #current = -1
  /** Bytes of all pieces that are held. */
  heldBytes = 0

  /** Copies `bytes` in and tells where, in `into`. */
  store(bytes: Uint8Array, into: Piece): void {
    const index = this.#room(bytes.length)
    const chunk = this.#chunks[index] as Chunk
    chunk.bytes.set(bytes, chunk.used)
    into.chunk = index
    into.offset = chunk.used
    into.length = bytes.length
    chunk.used += bytes.length
    chunk.live++
    this.heldBytes += bytes.length
  }

  /** A view, valid until the piece is released. */
  view(chunk: number, offset: number, length: number): Uint8Array {
    return (this.#chunks[chunk] as Chunk).bytes.subarray(offset, offset + length)
  }

  release(index: number, length: number): void {
    const chunk = this.#chunks[index]
    if (chunk === undefined || chunk.live === 0) throw new Error(`byte slab: chunk ${index} holds nothing to release`)
    this.heldBytes -= length
    if (--chunk.live > 0) return
    if (index === this.#current) {
      if (chunk.used < chunk.bytes.length / 2) return
      this.#current = -1
    }
    this.#chunks[index] = undefined
    this.#free.push(index)
  }

  #room(length: number): number {
    const current = this.#chunks[this.#current]
    if (current !== undefined && current.used + length <= current.bytes.length) return this.#current
    const alone = length > chunkSizeBytes / 4
    const index = this.#free.pop() ?? this.#chunks.length
    this.#chunks[index] = { bytes: new Uint8Array(alone ? length : chunkSizeBytes), used: 0, live: 0 }
    if (alone) return index
    if (current !== undefined && current.live === 0) {
      this.#chunks[this.#current] = undefined
      this.#free.push(this.#current)
    }
    this.#current = index
    return index
  }

  /** Pieces held; 0 when nothing waits. */
  get livePieces(): number {
    let live = 0
    for (const chunk of this.#chunks) live += chunk?.live ?? 0
    return live
  }
}
