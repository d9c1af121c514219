import { ProtocolError } from '../base/errors.ts'
import type { ObjectStore, ObjectWriter } from './store.ts'

/** An object that is arriving, perhaps over several channels one after the other. */
export class Arrival {
  readonly key: string
  readonly #store: ObjectStore
  #writer: ObjectWriter | undefined
  /** Up to here it is there. */
  offset = 0

  constructor(key: string, store: ObjectStore) {
    this.key = key
    this.#store = store
  }

  get isWhole(): boolean {
    return this.#writer !== undefined && this.offset === this.#writer.sizeBytes
  }

  async begin(sizeBytes: number): Promise<void> {
    if (this.#writer !== undefined && this.#writer.sizeBytes === sizeBytes) return
    // Another holder's copy is of another making: it is taken from its beginning.
    await this.abort()
    this.#writer = await this.#store.create(this.key, sizeBytes)
  }

  async write(chunk: Buffer): Promise<void> {
    await this.#begun.write(chunk, this.offset)
    this.offset += chunk.length
  }

  /** Where the next bytes go; undefined where the store has no memory to write to. Throws where they are too many. */
  room(length: number): Uint8Array | undefined {
    return this.#begun.place?.(this.offset, length)
  }

  filled(length: number): void {
    this.#begun.written?.(this.offset, length)
    this.offset += length
  }

  seal(): Promise<void> {
    return this.#begun.seal()
  }

  async abort(): Promise<void> {
    const writer = this.#writer
    this.#writer = undefined
    this.offset = 0
    await writer?.abort()
  }

  get #begun(): ObjectWriter {
    if (this.#writer === undefined) throw new ProtocolError('a chunk came before the size of its object')
    return this.#writer
  }
}
