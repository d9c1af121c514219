/**
 * The store of one machine: large values, sealed once and never changed, under the key of their object. Node manager,
 * workers and local drivers use one store at the same time. Everything is asynchronous, so that an implementation may
 * make writers wait.
 *
 * Moving an object to another machine is not the store's work: a puller asks the other side for `size` and then for
 * `read` in chunks, and writes them here with `create`, `write`, `seal`.
 */
import { isProcessId, objectKey, parseObjectKey, type ObjectId, type ProcessId } from '../base/ids.ts'
import type { EncodedValue } from './value-format.ts'

export interface ObjectStore {
  /**
   * Room for a copy of an object of `sizeBytes`, as `flatten` lays it out, that another process keeps. Nobody sees it
   * before `seal`.
   * @throws OutOfDiskError where there is no room for it.
   */
  create(key: string, sizeBytes: number): Promise<ObjectWriter>
  /** Stores a value; returns its size in bytes. `encoded.buffers` must not change until the promise settles. */
  put(key: string, encoded: EncodedValue): Promise<number>
  /**
   * The same, with the bytes taken at the call; undefined where that cannot be done without waiting. Absent where it
   * never can.
   */
  putNow?(key: string, encoded: EncodedValue): Promise<number> | undefined
  /** The value; undefined where the object is not here. `expected`: somebody has said that it was put here. */
  get(key: string, expected?: boolean): Promise<StoredObject | undefined>
  /**
   * Bytes of a stored object, for its transfer; fewer than `length` where the object ends before.
   * @throws ObjectLostError where the object is not here.
   */
  read(key: string, offset: number, length: number): Promise<Uint8Array>
  /**
   * Opens a stored object for its transfer. Absent where `read` does as well.
   * @throws ObjectLostError where the object is not here.
   */
  open?(key: string): Promise<ObjectReading>
  /**
   * The size of a stored object in bytes; undefined where it is not here. `expected`: somebody has said that it was put
   * here, which may be known a moment before it is.
   */
  size(key: string, expected?: boolean): Promise<number | undefined>
  contains(key: string): Promise<boolean>
  /** Removes an object. Who has got it keeps what it got. */
  delete(key: string): Promise<void>
  /** Removes every object of an owner, and what is being written for it. */
  deleteOwnedBy(owner: ProcessId): Promise<void>
  /** Aborts what this instance is writing. Sealed objects stay, for the others that use the store. */
  close(): Promise<void>
}

/** A stored object that is being sent somewhere. */
export interface ObjectReading {
  readonly sizeBytes: number
  /**
   * Where it can be read in order alone: reads what comes before `offset`, so that `read` may begin there; ends early
   * where it is not wanted any more.
   */
  skipTo?(offset: number, isWanted: () => boolean): Promise<void>
  /**
   * Views of its bytes, valid until `close`.
   * @throws ObjectLostError where the bytes are not those that were written: at the last ones, at the latest.
   */
  read(offset: number, length: number): Promise<Uint8Array>
  /** May be called again. */
  close(): void
}

/** Writes one object. Every byte is written before `seal`, in any order; a byte may be written again. */
export interface ObjectWriter {
  readonly sizeBytes: number
  write(chunk: Uint8Array, offset: number): Promise<void>
  /** Memory to write bytes to in place, told by `written` afterwards; absent where there is none. */
  place?(offset: number, length: number): Uint8Array
  written?(offset: number, length: number): void
  /** Makes the object visible. */
  seal(): Promise<void>
  /** Gives the room back; does nothing after `seal`. */
  abort(): Promise<void>
}

export interface StoredObject {
  /** Its buffers are the getter's own: `decodeValue` may take them over. */
  readonly encoded: EncodedValue
  readonly sizeBytes: number
  /**
   * The same, as views of the store's own memory, for whoever reads them before `release`, writes to none and hands out
   * none. Absent where there is no such memory.
   */
  readonly lent?: EncodedValue | undefined
  /** The bytes are not needed any more. May be called again. */
  release(): void
}

/** The object that a key of the store names; keys come from other processes and become names of files. */
export function objectIdOf(key: string): ObjectId {
  const id = parseObjectKey(key)
  if (!isProcessId(id.owner) || id.number < 0 || objectKey(id) !== key)
    throw new TypeError(`not an object id: ${JSON.stringify(key)}`)
  return id
}
