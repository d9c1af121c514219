/**
 * The store on files: `folder/<owner>/<number>`, one file per object. A file is written under another name, which
 * begins with a dot, and renamed when it is sealed, so what is visible is whole. The folder is private to the user.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rename, rm, stat, statfs, unlink, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { ObjectLostError, OutOfDiskError, OutpoolError } from '../base/errors.ts'
import { isProcessId, type ProcessId } from '../base/ids.ts'
import { openNewHandle, privateFolder } from '../base/new-file.ts'
import { hasNoPlace } from '../base/no-room.ts'
import { adviceBesidesRoom } from '../base/system-advice.ts'
import { Coverage } from './coverage.ts'
import { objectIdOf, type ObjectStore, type ObjectWriter, type StoredObject } from './store.ts'
import { encodedBytes, flatPieces, headBytes, headerBytes, parseLayout } from './value-flatten.ts'
import type { EncodedValue } from './value-format.ts'

/** Read at once when an object is opened: the head of most objects. */
const firstReadBytes = 64 * 1024
/** Read or written by one call: more than 2 GiB Node refuses, or ends the process. */
const mostBytes = 1024 ** 3
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW

export class FileObjectStore implements ObjectStore {
  readonly folder: string
  readonly #writers = new Set<FileWriter>()
  #isClosed = false

  private constructor(folder: string) {
    this.folder = folder
  }

  /**
   * Opens the store in `folder`, which is made if it is missing.
   * @throws OutpoolError where others than this user can reach the folder.
   */
  static async open(folder: string): Promise<FileObjectStore> {
    privateFolder("the object store's folder", folder)
    return new FileObjectStore(folder)
  }

  async create(key: string, sizeBytes: number): Promise<ObjectWriter> {
    return this.#create(key, sizeBytes)
  }

  async put(key: string, encoded: EncodedValue): Promise<number> {
    const sizeBytes = encodedBytes(encoded)
    const writer = await this.#create(key, sizeBytes)
    try {
      // What lies between the pieces stays a hole of the file, which reads as zeros.
      for (const { offset, bytes } of flatPieces(encoded)) await writer.write(bytes, offset)
      await writer.sealWhole()
    } catch (error) {
      await writer.abort()
      throw error
    }
    return sizeBytes
  }

  async get(key: string): Promise<StoredObject | undefined> {
    return this.#reading(key, async (file) => {
      const { size: sizeBytes } = await file.stat()
      const encoded = await readEncoded(file, sizeBytes)
      // The bytes are in this process's memory: nothing to give back.
      return { encoded, sizeBytes, release: () => undefined }
    })
  }

  async read(key: string, offset: number, length: number): Promise<Uint8Array> {
    const bytes = await this.#reading(key, async (file) => {
      const { size } = await file.stat()
      return readExactly(file, offset, Math.max(0, Math.min(length, size - offset)))
    })
    if (bytes !== undefined) return bytes
    throw new ObjectLostError(`object ${key} is not in the store ${this.folder}`, { details: { key } })
  }

  async size(key: string): Promise<number | undefined> {
    return (await found(stat(this.#pathOf(key))))?.size
  }

  async contains(key: string): Promise<boolean> {
    return (await this.size(key)) !== undefined
  }

  async delete(key: string): Promise<void> {
    await found(unlink(this.#pathOf(key)))
  }

  async deleteOwnedBy(owner: ProcessId): Promise<void> {
    await rm(this.#folderOf(owner), { recursive: true, force: true })
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#writers].map((writer) => writer.abort()))
  }

  /** Removes the folder with every object: for the node manager, when the node ends. */
  async destroy(): Promise<void> {
    await this.close()
    await rm(this.folder, { recursive: true, force: true })
  }

  async #create(key: string, sizeBytes: number): Promise<FileWriter> {
    this.#mustBeOpen()
    const { owner } = objectIdOf(key)
    const path = this.#pathOf(key)
    const { bavail, bsize } = await statfs(this.folder)
    if (bavail * bsize < sizeBytes) throw await this.outOfDisk(sizeBytes)
    const name = `.${path.slice(this.#folderOf(owner).length + 1)}.${process.pid}.${randomBytes(6).toString('hex')}`
    const temporary = join(this.#folderOf(owner), name)
    try {
      const file = await this.#openNew(temporary, owner)
      const writer: FileWriter = new FileWriter({ file, temporary, path, sizeBytes, store: this }, () =>
        this.#writers.delete(writer),
      )
      this.#writers.add(writer)
      if (this.#isClosed) await writer.abort()
      this.#mustBeOpen()
      return writer
    } catch (error) {
      throw await this.clear(error, sizeBytes)
    }
  }

  /** Another process may remove the owner's folder between the two steps. */
  async #openNew(temporary: string, owner: ProcessId): Promise<FileHandle> {
    const make = (): Promise<FileHandle> => {
      privateFolder("the folder of an owner's objects", this.#folderOf(owner))
      return openNewHandle(temporary)
    }
    return (await found(make())) ?? make()
  }

  async #reading<T>(key: string, use: (file: FileHandle) => Promise<T>): Promise<T | undefined> {
    this.#mustBeOpen()
    const file = await found(open(this.#pathOf(key), readFlags))
    if (file === undefined) return undefined
    try {
      return await use(file)
    } finally {
      await file.close()
    }
  }

  /** A full disk by its name; any other error as it is. */
  async clear(error: unknown, sizeBytes: number): Promise<unknown> {
    return hasNoPlace(error) ? this.outOfDisk(sizeBytes, error) : error
  }

  async outOfDisk(sizeBytes: number, cause?: unknown): Promise<OutOfDiskError> {
    const { bavail, bsize } = await statfs(this.folder).catch(() => ({ bavail: 0, bsize: 0 }))
    const freeBytes = bavail * bsize
    const why = adviceBesidesRoom(cause) || `${freeBytes} bytes are free; free some, or give the node another folder`
    const message = `no room for an object of ${sizeBytes} bytes in ${this.folder}: ${why}`
    const details = { folder: this.folder, sizeBytes, freeBytes }
    return new OutOfDiskError(message, cause === undefined ? { details } : { details, cause })
  }

  #pathOf(key: string): string {
    const { owner, number } = objectIdOf(key)
    return join(this.#folderOf(owner), number.toString(16))
  }

  #folderOf(owner: ProcessId): string {
    if (!isProcessId(owner)) throw new TypeError(`not a process id: ${JSON.stringify(owner)}`)
    return join(this.folder, owner)
  }

  #mustBeOpen(): void {
    if (this.#isClosed) throw new OutpoolError(`the object store ${this.folder} is closed`)
  }
}

interface WriterParts {
  readonly file: FileHandle
  readonly temporary: string
  readonly path: string
  readonly sizeBytes: number
  readonly store: FileObjectStore
}

class FileWriter implements ObjectWriter {
  readonly sizeBytes: number
  readonly #parts: WriterParts
  readonly #coverage: Coverage
  readonly #onEnd: () => void
  #isEnded = false

  constructor(parts: WriterParts, onEnd: () => void) {
    this.#parts = parts
    this.sizeBytes = parts.sizeBytes
    this.#coverage = new Coverage(parts.sizeBytes)
    this.#onEnd = onEnd
  }

  async write(chunk: Uint8Array, offset: number): Promise<void> {
    this.#coverage.check(chunk.length, offset)
    this.#mustBeOpen()
    try {
      for (let done = 0; done < chunk.length;) {
        const length = Math.min(chunk.length - done, mostBytes)
        const { bytesWritten } = await this.#parts.file.write(chunk, done, length, offset + done)
        done += bytesWritten
      }
    } catch (error) {
      throw await this.#parts.store.clear(error, this.sizeBytes)
    }
    this.#coverage.add(chunk.length, offset)
  }

  async seal(): Promise<void> {
    this.#mustBeOpen()
    this.#coverage.checkWhole()
    await this.sealWhole()
  }

  /** Seals where the caller knows that what is not written is zero. */
  async sealWhole(): Promise<void> {
    this.#mustBeOpen()
    const { file, temporary, path } = this.#parts
    this.#end()
    try {
      await file.close()
      await rename(temporary, path)
    } catch (error) {
      await found(unlink(temporary))
      throw await this.#parts.store.clear(error, this.sizeBytes)
    }
  }

  async abort(): Promise<void> {
    if (this.#isEnded) return
    this.#end()
    await this.#parts.file.close()
    await found(unlink(this.#parts.temporary))
  }

  #end(): void {
    this.#isEnded = true
    this.#onEnd()
  }

  #mustBeOpen(): void {
    if (this.#isEnded) throw new OutpoolError('the object is sealed or aborted already')
  }
}

async function readEncoded(file: FileHandle, sizeBytes: number): Promise<EncodedValue> {
  let head = await readExactly(file, 0, Math.min(sizeBytes, firstReadBytes))
  const needed = Math.min(headBytes(head.subarray(0, headerBytes)), sizeBytes)
  if (needed > head.length) head = await readExactly(file, 0, needed)
  const { inbandOffset, inbandBytes, buffers, refs } = parseLayout(head, sizeBytes)
  const own: Uint8Array[] = []
  for (const { offset, length } of buffers) own.push(await readExactly(file, offset, length))
  return { inband: head.subarray(inbandOffset, inbandOffset + inbandBytes), buffers: own, refs }
}

/** Into memory of its own, which the reader may keep. */
async function readExactly(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let done = 0; done < length;) {
    const { bytesRead } = await file.read(bytes, done, Math.min(length - done, mostBytes), offset + done)
    if (bytesRead === 0) throw new ObjectLostError('the file of an object is shorter than it was')
    done += bytesRead
  }
  return bytes
}

/** The result, or undefined where there is no such file. */
async function found<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined
}
