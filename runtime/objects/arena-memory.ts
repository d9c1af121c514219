/**
 * The memory of an arena in one process: segments, files in memory without a name, which other processes of this user
 * on this machine open through `/proc/<pid>/fd/<n>`. They are gone when the last process that uses them is.
 *
 * - Writers write through one shared map of each segment, the *window*, made when it is first needed.
 * - A reader gets a map of its own of each object, private, over a descriptor that cannot write: it may write to what it
 *   got, and nobody else sees it, not even a second read in the same process.
 */
import { closeSync, fchmodSync, fstatSync, ftruncateSync, openSync, readFileSync } from 'node:fs'
import { OutpoolError } from '../base/errors.ts'
import { writeNew } from '../base/new-file.ts'
import { arenaFileOf, hasArena } from './arena-file.ts'
import { nativeMemory, type Address, type NativeMemory } from './native-memory.ts'
import { pageBytes, type Room } from './arena-space.ts'

/** What a process must know to open an arena; kept in a file beside the store. */
interface ArenaFile {
  readonly pid: number
  /** How much a writer is granted at a time. */
  readonly slabBytes: number
  readonly segments: readonly SegmentFile[]
}

interface SegmentFile {
  readonly descriptor: number
  readonly device: number
  readonly inode: number
  readonly sizeBytes: number
}

interface Segment {
  readonly sizeBytes: number
  readonly writable: number
  readonly readable: number
  window: Uint8Array | undefined
  address: Address
}

/** One view of more than 4 GiB ends the process on Node 20. */
const mostSegmentBytes = 4 * 1024 ** 3 - pageBytes

/** Sizes of the segments of an arena of that capacity: as few as can be, alike. */
export function segmentSizes(capacityBytes: number): number[] {
  const count = Math.max(1, Math.ceil(capacityBytes / mostSegmentBytes))
  const sizeBytes = Math.max(1, Math.floor(capacityBytes / count / pageBytes)) * pageBytes
  return new Array<number>(count).fill(sizeBytes)
}

export class ArenaMemory {
  readonly native: NativeMemory
  readonly slabBytes: number
  readonly #segments: readonly Segment[]
  #closed = false

  private constructor(native: NativeMemory, slabBytes: number, segments: readonly Segment[]) {
    this.native = native
    this.slabBytes = slabBytes
    this.#segments = segments
  }

  /**
   * Makes an arena and tells of it in `folder`; undefined where memory cannot be shared like this.
   * @throws OutpoolError where something has the name of that file.
   */
  static create(folder: string, sizes: readonly number[], slabBytes: number): ArenaMemory | undefined {
    const native = nativeMemory()
    if (native === undefined || process.platform !== 'linux') return undefined
    const open: number[] = []
    try {
      const segments: Segment[] = []
      const files: SegmentFile[] = []
      for (const sizeBytes of sizes) {
        const writable = native.anonymousFile('outpool-arena')
        if (writable === undefined) throw new Error('the system has no memfd_create')
        open.push(writable)
        fchmodSync(writable, 0o600)
        ftruncateSync(writable, sizeBytes)
        const readable = openSync(`/proc/self/fd/${writable}`, 'r')
        open.push(readable)
        const { dev, ino } = fstatSync(writable)
        segments.push({ sizeBytes, writable, readable, window: undefined, address: 0n })
        files.push({ descriptor: writable, device: dev, inode: ino, sizeBytes })
      }
      tryWindows(native, segments)
      const file: ArenaFile = { pid: process.pid, slabBytes, segments: files }
      writeNew(arenaFileOf(folder), `${JSON.stringify(file)}\n`)
      return new ArenaMemory(native, slabBytes, segments)
    } catch (error) {
      for (const descriptor of open) closeSync(descriptor)
      if (error instanceof OutpoolError) throw error
      return undefined
    }
  }

  /**
   * Opens the arena that the file in `folder` tells of; undefined where it is not within reach of this process. `failed` is
   * told what the system says, if it does.
   */
  static open(folder: string, failed?: (error: unknown) => void): ArenaMemory | undefined {
    const file = readArenaFile(folder, failed)
    const native = file === undefined ? undefined : nativeMemory()
    if (file === undefined || native === undefined) return undefined
    const open: number[] = []
    try {
      const segments = file.segments.map(({ descriptor, device, inode, sizeBytes }): Segment => {
        const path = `/proc/${file.pid}/fd/${descriptor}`
        const writable = openSync(path, 'r+')
        open.push(writable)
        const readable = openSync(path, 'r')
        open.push(readable)
        // In another namespace the same pid is another process.
        for (const { dev, ino, size } of [fstatSync(writable), fstatSync(readable)])
          if (dev !== device || ino !== inode || size !== sizeBytes) throw new Error('it is another file')
        return { sizeBytes, writable, readable, window: undefined, address: 0n }
      })
      tryWindows(native, segments)
      return new ArenaMemory(native, file.slabBytes, segments)
    } catch (error) {
      for (const descriptor of open) closeSync(descriptor)
      failed?.(error)
      return undefined
    }
  }

  get closed(): boolean {
    return this.#closed
  }

  /** The bytes of a room, for reading and for writing while they are not sealed. Never handed to user code. */
  bytes({ segment, offset, sizeBytes }: Room): Uint8Array {
    const { window } = this.#mapped(segment)
    return window.subarray(offset, offset + sizeBytes)
  }

  /** A private map of a room; `Room.offset` is that of a page. */
  mapPrivate({ segment, offset, sizeBytes }: Room): Address {
    return this.native.map(this.#segment(segment).readable, sizeBytes, 'private', offset)
  }

  /** Makes pages present, and writable in this process, in a thread. */
  populate({ segment, offset, sizeBytes }: Room): Promise<boolean> {
    return this.native.populate(this.#mapped(segment).address + BigInt(offset), sizeBytes)
  }

  /** Lets go of the segments. Maps that readers have stay as they are. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const segment of this.#segments) {
      closeSync(segment.readable)
      closeSync(segment.writable)
      if (segment.window === undefined) continue
      // A view that is still in use, by a write under way for instance, reads zeros then and ends nothing.
      this.native.vacate(segment.address, segment.sizeBytes)
      segment.window = undefined
    }
  }

  #segment(index: number): Segment {
    const segment = this.#segments[index]
    if (segment === undefined || this.#closed) throw new Error(`the arena has no segment ${index} (any more)`)
    return segment
  }

  #mapped(index: number): { readonly window: Uint8Array; readonly address: Address } {
    const segment = this.#segment(index)
    if (segment.window === undefined) {
      const { native } = this
      const { sizeBytes } = segment
      const address = native.map(segment.writable, sizeBytes, 'shared', 0)
      segment.address = address
      segment.window = new Uint8Array(native.view(address, sizeBytes))
      // Its addresses are taken for as long as somebody could use them; what is registered must not hold the window.
      windows.register(segment.window.buffer, { native, address, sizeBytes })
    }
    return segment as Segment & { readonly window: Uint8Array }
  }
}

/** Throws where the address space of this process has no room for all windows (`ulimit -v`). */
function tryWindows(native: NativeMemory, segments: readonly Segment[]): void {
  const made: [Address, number][] = []
  try {
    for (const { writable, sizeBytes } of segments) made.push([native.map(writable, sizeBytes, 'shared', 0), sizeBytes])
  } finally {
    for (const [address, sizeBytes] of made) native.unmap(address, sizeBytes)
  }
}

const windows = new FinalizationRegistry<{
  readonly native: NativeMemory
  readonly address: Address
  readonly sizeBytes: number
}>(({ native, address, sizeBytes }) => native.unmap(address, sizeBytes))

/** Whether a process here can use the store in `folder`: one on files, or an arena that can be opened. */
export function isWithinReach(folder: string): boolean {
  if (!hasArena(folder)) return true
  const memory = ArenaMemory.open(folder)
  memory?.close()
  return memory !== undefined
}

function readArenaFile(folder: string, failed?: (error: unknown) => void): ArenaFile | undefined {
  try {
    return JSON.parse(readFileSync(arenaFileOf(folder), 'utf8')) as ArenaFile
  } catch (error) {
    // Without it, the node has a store on files.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') failed?.(error)
    return undefined
  }
}
