/**
 * Objects on disk: appended to files of about 100 MB, each object with a checksum. A file goes when none of its objects
 * is needed any more. Files are made exclusively, for this user alone; the folder goes with the run folder of the node.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { open, rm, statfs, unlink, type FileHandle } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ObjectLostError, OutOfDiskError, OutpoolError } from '../base/errors.ts'
import { openNewHandle, privateFolder } from '../base/new-file.ts'
import { hasNoPlace } from '../base/no-room.ts'
import { adviceBesidesRoom, advised } from '../base/system-advice.ts'
import type { DiskPlace } from './arena-types.ts'

export interface SpillFilesOptions {
  /** Made when the first object is spilled. */
  readonly folder: string
  /** Bytes of all files together. Default: what the disk has. */
  readonly limitBytes?: number
  /** For tests: of the next file. Default: random. */
  readonly newName?: () => string
}

interface SpillFile {
  readonly path: string
  readonly handle: FileHandle
  sizeBytes: number
  /** Objects in it that are still needed. */
  objects: number
  /** Reads and writes under way. */
  busy: number
}

/** A file that has grown to this is followed by another. */
const fileBytes = 100_000_000
/** Written, read and checked at once: what the event loop waits for is a checksum of this much. */
const stepBytes = 1024 * 1024

export class SpillFiles {
  readonly #options: SpillFilesOptions
  readonly #files = new Map<string, SpillFile>()
  /** The file that grows. */
  #current: SpillFile | undefined
  #usedBytes = 0
  /** Writers take turns. */
  #writing: Promise<unknown> = Promise.resolve()
  readonly #reading = new Set<Promise<unknown>>()
  #closed = false

  constructor(options: SpillFilesOptions) {
    this.#options = options
  }

  /** Bytes of all files. */
  get usedBytes(): number {
    return this.#usedBytes
  }

  get files(): number {
    return this.#files.size
  }

  /**
   * Appends one object. `bytes` must not change until the promise settles.
   * @throws OutOfDiskError where the disk, or the limit, has no room for it; nothing of it is then kept.
   */
  write(bytes: Uint8Array): Promise<DiskPlace> {
    const written = this.#writing.then(() => this.#append(bytes))
    this.#writing = written.catch(() => {})
    return written
  }

  /**
   * Reads an object back into `target`.
   * @throws ObjectLostError where the file cannot be read, or its bytes are not those that were written.
   */
  async read(place: DiskPlace, target: Uint8Array): Promise<void> {
    const file = this.#files.get(place.path)
    if (file === undefined) throw lost(place, 'its file is gone')
    file.busy++
    const reading = readChecked(file.handle, place, target)
    const settled = reading.catch(() => {})
    this.#reading.add(settled)
    try {
      await reading
    } finally {
      this.#reading.delete(settled)
      file.busy--
      this.#dropIfUnused(file)
    }
  }

  /** The object is not needed any more. */
  drop({ path }: DiskPlace): void {
    const file = this.#files.get(path)
    if (file === undefined) return
    file.objects--
    this.#dropIfUnused(file)
  }

  /** Waits for what is under way, and removes every file. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#writing
    await Promise.all(this.#reading)
    await Promise.all([...this.#files.values()].map(({ handle }) => handle.close().catch(() => {})))
    this.#files.clear()
    await rm(this.#options.folder, { recursive: true, force: true })
  }

  async #append(bytes: Uint8Array): Promise<DiskPlace> {
    if (this.#closed) throw new OutpoolError('the object store is closed')
    const { limitBytes = Infinity } = this.#options
    if (this.#usedBytes + bytes.length > limitBytes) throw await this.#outOfDisk(bytes.length)
    try {
      const file = await this.#fileToGrow()
      const place = await this.#appendTo(file, bytes)
      if (file.sizeBytes >= fileBytes) this.#current = undefined
      this.#dropIfUnused(file)
      return place
    } catch (error) {
      throw hasNoPlace(error) ? await this.#outOfDisk(bytes.length, error) : error
    }
  }

  async #appendTo(file: SpillFile, bytes: Uint8Array): Promise<DiskPlace> {
    const offset = file.sizeBytes
    let checksum = 0
    file.busy++
    try {
      for (let at = 0; at < bytes.length; at += stepBytes) {
        const step = bytes.subarray(at, at + stepBytes)
        checksum = process.getBuiltinModule('node:zlib').crc32(step, checksum)
        for (let done = 0; done < step.length;) {
          const { bytesWritten } = await file.handle.write(step, done, step.length - done, offset + at + done)
          done += bytesWritten
        }
      }
    } catch (error) {
      await file.handle.truncate(offset).catch(() => {})
      throw error
    } finally {
      file.busy--
    }
    file.sizeBytes += bytes.length
    file.objects++
    this.#usedBytes += bytes.length
    return { path: file.path, offset, sizeBytes: bytes.length, checksum }
  }

  async #fileToGrow(): Promise<SpillFile> {
    const { folder } = this.#options
    if (this.#current !== undefined && this.#current.sizeBytes < fileBytes) return this.#current
    privateFolder('the folder of spilled objects', folder)
    const path = join(folder, this.#options.newName?.() ?? randomBytes(8).toString('hex'))
    const handle = await openNewHandle(path)
    this.#current = { path, handle, sizeBytes: 0, objects: 0, busy: 0 }
    this.#files.set(path, this.#current)
    return this.#current
  }

  #dropIfUnused(file: SpillFile): void {
    if (file.objects > 0 || file.busy > 0 || this.#closed || file.sizeBytes === 0 || !this.#files.delete(file.path))
      return
    if (this.#current === file) this.#current = undefined
    this.#usedBytes -= file.sizeBytes
    void file.handle.close().catch(() => {})
    void unlink(file.path).catch(() => {})
  }

  async #outOfDisk(sizeBytes: number, cause?: unknown): Promise<OutOfDiskError> {
    const { folder, limitBytes } = this.#options
    const limit = limitBytes === undefined ? '' : `, of the ${limitBytes} it may have`
    // Made with the first file: until then the disk is that of where it will be.
    const { bavail, bsize } = await statfs(folder)
      .catch(() => statfs(dirname(folder)))
      .catch(() => ({ bavail: 0, bsize: 0 }))
    const freeBytes = bavail * bsize
    const why =
      adviceBesidesRoom(cause) ||
      `spilled objects take ${this.#usedBytes} bytes${limit}, and the disk has ${freeBytes} free; free some, raise the limit, or drop object refs`
    return new OutOfDiskError(`no room for a spilled object of ${sizeBytes} bytes in ${folder}: ${why}`, {
      ...(cause !== undefined && { cause }),
      details: { folder, sizeBytes, usedBytes: this.#usedBytes, freeBytes, limitBytes: limitBytes ?? null },
    })
  }
}

/** Reads an object out of a spill file, by its path: for a process that reads one where there is no room in memory. */
export async function readSpilled(place: DiskPlace): Promise<Uint8Array> {
  const target = Buffer.allocUnsafeSlow(place.sizeBytes)
  const handle = await openSpillFile(place)
  try {
    await readChecked(handle, place, target)
  } finally {
    await handle.close()
  }
  return target
}

/** The same piece by piece, from its beginning: who gets it need not wait until a slow disk has read all of it. */
export class SpilledReading {
  readonly sizeBytes: number
  readonly #place: DiskPlace
  readonly #handle: FileHandle
  /** Of what was read so far. */
  readonly #sum = { bytes: 0, checksum: 0 }

  private constructor(place: DiskPlace, handle: FileHandle) {
    this.sizeBytes = place.sizeBytes
    this.#place = place
    this.#handle = handle
  }

  static async open(place: DiskPlace): Promise<SpilledReading> {
    return new SpilledReading(place, await openSpillFile(place))
  }

  /** Up to where it was read. */
  get offset(): number {
    return this.#sum.bytes
  }

  /**
   * The next bytes; fewer where it ends before.
   * @throws ObjectLostError in place of the last ones where they are not those that were written, and where the file
   * cannot be read.
   */
  async next(length: number): Promise<Uint8Array> {
    const target = Buffer.allocUnsafeSlow(Math.min(length, this.sizeBytes - this.offset))
    await readOn(this.#handle, this.#place, this.#sum, target)
    if (this.offset === this.sizeBytes) checkWhole(this.#place, this.#sum.checksum)
    return target
  }

  close(): void {
    this.#handle.close().catch(() => {})
  }
}

async function openSpillFile(place: DiskPlace): Promise<FileHandle> {
  try {
    return await open(place.path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch (cause) {
    // Where this process may open no more files, the object is there all the same.
    const limited = advised('a spilled object cannot be read', cause)
    throw limited === cause ? lost(place, 'its file cannot be opened', cause) : limited
  }
}

async function readChecked(handle: FileHandle, place: DiskPlace, target: Uint8Array): Promise<void> {
  const sum = { bytes: 0, checksum: 0 }
  await readOn(handle, place, sum, target)
  checkWhole(place, sum.checksum)
}

/** Fills `target` with what comes next, and adds it to the sum. */
async function readOn(
  handle: FileHandle,
  place: DiskPlace,
  sum: { bytes: number; checksum: number },
  target: Uint8Array,
): Promise<void> {
  try {
    for (let at = 0; at < target.length; at += stepBytes) {
      const step = target.subarray(at, Math.min(at + stepBytes, target.length))
      for (let done = 0; done < step.length;) {
        const { bytesRead } = await handle.read(step, done, step.length - done, place.offset + sum.bytes + done)
        if (bytesRead === 0) throw new Error('the file is shorter than it was')
        done += bytesRead
      }
      sum.checksum = process.getBuiltinModule('node:zlib').crc32(step, sum.checksum)
      sum.bytes += step.length
    }
  } catch (cause) {
    throw lost(place, (cause as Error).message, cause)
  }
}

function checkWhole(place: DiskPlace, checksum: number): void {
  if (checksum !== place.checksum) throw lost(place, 'its bytes are not those that were written')
}

function lost({ path, offset, sizeBytes }: DiskPlace, why: string, cause?: unknown): ObjectLostError {
  return new ObjectLostError(
    `an object that was spilled to ${path} (${sizeBytes} bytes at ${offset}) is lost: ${why}; check that disk`,
    { ...(cause !== undefined && { cause }), details: { path, offset, sizeBytes } },
  )
}
