/** The store in one process's memory, for a driver that shares no machine with its node. */
import { ObjectLostError, ObjectStoreFullError, OutpoolError } from '../base/errors.ts'
import type { ProcessId } from '../base/ids.ts'
import { Coverage } from './coverage.ts'
import { objectIdOf, type ObjectStore, type ObjectWriter, type StoredObject } from './store.ts'
import { encodedBytes, flattenInto, parse } from './value-flatten.ts'
import type { EncodedValue } from './value-format.ts'

export interface MemoryStoreOptions {
  /** Bytes of all objects together, those that are being written included. Default: no limit. */
  readonly capacityBytes?: number
}

export class MemoryObjectStore implements ObjectStore {
  readonly #objects = new Map<string, Uint8Array>()
  readonly #writers = new Map<MemoryWriter, ProcessId>()
  readonly #capacityBytes: number
  #usedBytes = 0
  #isClosed = false

  constructor(options: MemoryStoreOptions = {}) {
    this.#capacityBytes = options.capacityBytes ?? Infinity
  }

  /** Bytes of all objects together, those that are being written included. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  async create(key: string, sizeBytes: number): Promise<ObjectWriter> {
    return this.#create(key, sizeBytes)
  }

  /** The bytes are copied at the call. */
  async put(key: string, encoded: EncodedValue): Promise<number> {
    const sizeBytes = encodedBytes(encoded)
    const writer = this.#create(key, sizeBytes)
    flattenInto(encoded, writer.bytes)
    writer.sealWhole()
    return sizeBytes
  }

  putNow(key: string, encoded: EncodedValue): Promise<number> {
    return this.put(key, encoded)
  }

  async get(key: string): Promise<StoredObject | undefined> {
    const bytes = this.#find(key)
    if (bytes === undefined) return undefined
    // Views of the whole: `decodeValue` copies what it hands out.
    return { encoded: parse(bytes), sizeBytes: bytes.length, release: () => undefined }
  }

  async read(key: string, offset: number, length: number): Promise<Uint8Array> {
    const bytes = this.#find(key)
    if (bytes !== undefined) return bytes.slice(offset, offset + length)
    throw new ObjectLostError(`object ${key} is not in this process's memory`, { details: { key } })
  }

  async size(key: string): Promise<number | undefined> {
    return this.#find(key)?.length
  }

  async contains(key: string): Promise<boolean> {
    return this.#find(key) !== undefined
  }

  async delete(key: string): Promise<void> {
    objectIdOf(key)
    this.#remove(key)
  }

  async deleteOwnedBy(owner: ProcessId): Promise<void> {
    for (const key of [...this.#objects.keys()]) if (objectIdOf(key).owner === owner) this.#remove(key)
    for (const [writer, of] of [...this.#writers]) if (of === owner) await writer.abort()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const writer of [...this.#writers.keys()]) await writer.abort()
    this.#objects.clear()
    this.#usedBytes = 0
  }

  #create(key: string, sizeBytes: number): MemoryWriter {
    const { owner } = objectIdOf(key)
    this.#mustBeOpen()
    if (this.#usedBytes + sizeBytes > this.#capacityBytes) {
      const details = { sizeBytes, usedBytes: this.#usedBytes, capacityBytes: this.#capacityBytes }
      throw new ObjectStoreFullError(
        `no room for an object of ${sizeBytes} bytes: ${this.#usedBytes} of ${this.#capacityBytes} bytes are in use; drop object refs, or raise the limit`,
        { details },
      )
    }
    this.#usedBytes += sizeBytes
    const writer: MemoryWriter = new MemoryWriter(sizeBytes, (sealed) => {
      this.#writers.delete(writer)
      this.#usedBytes -= sizeBytes
      if (sealed === undefined) return
      this.#remove(key)
      this.#objects.set(key, sealed)
      this.#usedBytes += sizeBytes
    })
    this.#writers.set(writer, owner)
    return writer
  }

  #find(key: string): Uint8Array | undefined {
    this.#mustBeOpen()
    objectIdOf(key)
    return this.#objects.get(key)
  }

  #remove(key: string): void {
    const bytes = this.#objects.get(key)
    if (bytes === undefined) return
    this.#usedBytes -= bytes.length
    this.#objects.delete(key)
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new OutpoolError('the object store of this process is closed')
  }
}

class MemoryWriter implements ObjectWriter {
  readonly sizeBytes: number
  readonly bytes: Uint8Array
  readonly #coverage: Coverage
  readonly #onEnd: (sealed: Uint8Array | undefined) => void
  #isEnded = false

  constructor(sizeBytes: number, onEnd: (sealed: Uint8Array | undefined) => void) {
    this.sizeBytes = sizeBytes
    this.bytes = Buffer.allocUnsafeSlow(sizeBytes)
    this.#coverage = new Coverage(sizeBytes)
    this.#onEnd = onEnd
  }

  async write(chunk: Uint8Array, offset: number): Promise<void> {
    this.#mustBeOpen()
    this.#coverage.check(chunk.length, offset)
    this.bytes.set(chunk, offset)
    this.#coverage.add(chunk.length, offset)
  }

  async seal(): Promise<void> {
    this.#mustBeOpen()
    this.#coverage.checkWhole()
    this.sealWhole()
  }

  /** Seals where the caller has written `bytes` itself. */
  sealWhole(): void {
    this.#mustBeOpen()
    this.#isEnded = true
    this.#onEnd(this.bytes)
  }

  async abort(): Promise<void> {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#onEnd(undefined)
  }

  #mustBeOpen(): void {
    if (this.#isEnded) throw new OutpoolError('the object is sealed or aborted already')
  }
}
