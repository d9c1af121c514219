/**
 * The store in shared memory, as one process sees it. It writes to and maps the arena itself; what it asks the ledger,
 * which is the node manager's, is room ahead of need (slabs.ts) and where an object is.
 *
 *     put ── room from a slab ─▶ copy ─▶ `sealed` (told, not asked)
 *     get ── `get` (pins it) ─▶ private map ─▶ value ─▶ its last ArrayBuffer collected ─▶ munmap ─▶ `released`
 */
import type { Clock, Timer } from '../base/clock.ts'
import { ObjectLostError, OutpoolError, ProtocolError } from '../base/errors.ts'
import type { ProcessId } from '../base/ids.ts'
import { chunkBytes } from '../base/limits.ts'
import { setImmediate } from '../base/timers.ts'
import type { StoreAnswer } from '../protocol/messages.ts'
import type { ArenaMemory } from './arena-memory.ts'
import type { ArenaPort } from './arena-port.ts'
import { roundUp, type Room } from './arena-space.ts'
import type { DiskPlace, Place } from './arena-types.ts'
import { ArenaWriter } from './arena-writer.ts'
import { mapValue } from './mapped-values.ts'
import { Slabs } from './slabs.ts'
import { readSpilled, SpilledReading } from './spill-files.ts'
import { objectIdOf, type ObjectReading, type ObjectStore, type ObjectWriter, type StoredObject } from './store.ts'
import { encodedBytes, flattenInto, parse } from './value-flatten.ts'
import type { EncodedValue } from './value-format.ts'

export interface ArenaStoreParts {
  /** Read when it is first needed, and then again and again. */
  readonly memory: ArenaMemory
  readonly port: ArenaPort
  readonly clock: Clock
  /** Collects the garbage of this process, so that maps that nobody uses are found. */
  readonly collect: () => void
  /** Called where the store was closed while values of this process used objects, when none does any more. */
  readonly unpinned?: () => void
}

/** Pages of an object of at least this size are made present in a thread before it is written, in bytes. */
const populateBytes = 4 * 1024 * 1024
/** Made present in one go: who waits for its turn in the threads does not wait long. */
const populateStepBytes = 32 * 1024 * 1024
/** Forced collections take at most this share of the time. */
const collectShare = 0.2

export class ArenaStore implements ObjectStore {
  readonly #parts: ArenaStoreParts
  readonly #slabs: Slabs
  readonly #writers = new Set<ArenaWriter>()
  /** Entries to release, told together. */
  #releasing: number[] = []
  /** Objects that this process has pinned. */
  #pinned = 0
  #collectAgainAtMs = -Infinity
  #collectTimer: Timer | undefined
  #closed = false
  /** Up to where each segment's pages are known to be present in this process. */
  readonly #populated = new Map<number, number>()

  constructor(parts: ArenaStoreParts) {
    this.#parts = parts
    const { port, clock } = parts
    this.#slabs = new Slabs({
      clock,
      get slabBytes() {
        return port.roomNow === undefined ? parts.memory.slabBytes : 0
      },
      ask: async (leastBytes, wantedBytes) => roomOf(await port.request(['room', leastBytes, wantedBytes])),
      giveBack: (room) => this.giveBack(room),
    })
  }

  /** Objects that values of this process use, or are about to. */
  get pinned(): number {
    return this.#pinned
  }

  async create(key: string, sizeBytes: number): Promise<ObjectWriter> {
    objectIdOf(key)
    this.#mustBeOpen()
    const room = await this.#room(sizeBytes)
    const { memory } = this.#parts
    void this.#populate(room).catch(() => {})
    const writer: ArenaWriter = new ArenaWriter({ key, sizeBytes, room, memory, store: this, primary: false })
    this.#writers.add(writer)
    if (this.#closed) await writer.abort()
    this.#mustBeOpen()
    return writer
  }

  putNow(key: string, encoded: EncodedValue): Promise<number> | undefined {
    objectIdOf(key)
    this.#mustBeOpen()
    const sizeBytes = encodedBytes(encoded)
    const room = this.#roomNow(sizeBytes)
    if (room === undefined) return undefined
    this.#write(key, encoded, room, sizeBytes)
    return this.#parts.port.flushed().then(() => sizeBytes)
  }

  async put(key: string, encoded: EncodedValue): Promise<number> {
    const now = isSmall(encoded) ? this.putNow(key, encoded) : undefined
    if (now !== undefined) return now
    objectIdOf(key)
    this.#mustBeOpen()
    const sizeBytes = encodedBytes(encoded)
    const room = await this.#room(sizeBytes)
    await this.#populate(room)
    this.#mustBeOpen()
    this.#write(key, encoded, room, sizeBytes)
    await this.#parts.port.flushed()
    return sizeBytes
  }

  async get(key: string, expected = false): Promise<StoredObject | undefined> {
    const place = await this.#place(key, expected, false)
    if (place === undefined) return undefined
    const { entry, sizeBytes } = place
    const release = once(() => this.#release(entry))
    this.#pinned++
    try {
      if (place.kind === 'arena') return mapValue(this.#parts.memory, place.room, sizeBytes, release)
      const bytes = await readSpilled(place.disk)
      release()
      return { encoded: parse(bytes), sizeBytes, release: () => {} }
    } catch (error) {
      release()
      throw error
    }
  }

  async read(key: string, offset: number, length: number): Promise<Uint8Array> {
    const reading = await this.open(key)
    try {
      await reading.skipTo?.(offset, () => true)
      const bytes = (await reading.read(offset, length)).slice()
      // What follows is read as well, for the checksum.
      await reading.skipTo?.(reading.sizeBytes, () => true)
      return bytes
    } finally {
      reading.close()
    }
  }

  /** Opens a stored object for its transfer. Rejects with ObjectLostError where it is not here. */
  async open(key: string): Promise<ObjectReading> {
    const place = await this.#place(key, false, true)
    if (place === undefined)
      throw new ObjectLostError(`object ${key} is not in the shared memory of this node`, { details: { key } })
    this.#pinned++
    const release = once(() => this.#release(place.entry))
    const { sizeBytes } = place
    try {
      // What is damaged is told at once, where it is small.
      if (place.kind === 'file' && sizeBytes > chunkBytes) return await openSpilled(place.disk, release)
      const bytes = place.kind === 'arena' ? this.#parts.memory.bytes(place.room) : await readSpilled(place.disk)
      return {
        sizeBytes,
        read: (offset, length) => Promise.resolve(bytes.subarray(offset, Math.min(offset + length, sizeBytes))),
        close: release,
      }
    } catch (error) {
      release()
      throw error
    }
  }

  async size(key: string, expected = false): Promise<number | undefined> {
    if (expected) {
      const place = await this.#place(key, true, true)
      if (place !== undefined) this.#parts.port.note(['released', [place.entry]])
      return place?.sizeBytes
    }
    objectIdOf(key)
    this.#mustBeOpen()
    const [sizeBytes] = await this.#parts.port.request(['size', key])
    return sizeBytes as number | undefined
  }

  async contains(key: string): Promise<boolean> {
    return (await this.size(key)) !== undefined
  }

  async delete(key: string): Promise<void> {
    objectIdOf(key)
    if (!this.#closed) this.#parts.port.note(['delete', key])
  }

  async deleteOwnedBy(owner: ProcessId): Promise<void> {
    for (const writer of [...this.#writers]) if (objectIdOf(writer.key).owner === owner) await writer.abort()
    this.#parts.port.note(['deleteOwner', owner])
    await this.#parts.port.flushed()
  }

  async close(): Promise<void> {
    for (const writer of [...this.#writers]) await writer.abort()
    this.#slabs.close()
    this.#collectTimer?.cancel()
    this.#tellReleased()
    this.#closed = true
  }

  /** Memory is short: gives back what is unused, and collects garbage if that may help. */
  memoryIsShort(): void {
    if (this.#closed) return
    this.#slabs.empty()
    if (this.#collectTimer !== undefined) return
    const { clock } = this.#parts
    const waitMs = this.#pinned === 0 ? 0 : this.#collectAgainAtMs - clock.now()
    if (waitMs <= 0) return this.#collect()
    this.#collectTimer = clock.after(waitMs, () => this.#collect(), true)
  }

  #collect(): void {
    this.#collectTimer = undefined
    if (this.#closed) return
    const { clock, collect, port } = this.#parts
    if (this.#pinned > 0) {
      const startedAt = clock.now()
      collect()
      const endedAt = clock.now()
      this.#collectAgainAtMs = endedAt + (endedAt - startedAt) / collectShare
    }
    // What was found is told in turns of the loop that come after this one.
    setImmediate(() =>
      setImmediate(() => {
        if (this.#closed) return
        this.#tellReleased()
        port.note(['collected'])
      }),
    )
  }

  /** Of `ArenaWriter`: the object is whole. */
  async sealed(writer: ArenaWriter): Promise<void> {
    this.#writers.delete(writer)
    const { key, room, sizeBytes, primary } = writer
    this.#parts.port.note(['sealed', key, room.segment, room.offset, sizeBytes, primary])
    await this.#parts.port.flushed()
  }

  /** Of `ArenaWriter`, and for what is left of slabs. */
  giveBack({ segment, offset, sizeBytes }: Room, writer?: ArenaWriter): void {
    if (writer !== undefined) this.#writers.delete(writer)
    this.#parts.port.note(['returned', segment, offset, sizeBytes])
  }

  #write(key: string, encoded: EncodedValue, room: Room, sizeBytes: number): void {
    const { memory, port } = this.#parts
    try {
      flattenInto(encoded, memory.bytes({ ...room, sizeBytes }))
    } catch (error) {
      this.giveBack(room)
      throw error
    }
    port.note(['sealed', key, room.segment, room.offset, sizeBytes, true])
  }

  #roomNow(sizeBytes: number): Room | undefined {
    return this.#slabs.take(sizeBytes) ?? this.#parts.port.roomNow?.(sizeBytes)
  }

  async #room(sizeBytes: number): Promise<Room> {
    return this.#roomNow(sizeBytes) ?? this.#slabs.wait(sizeBytes)
  }

  /** Fresh pages are made by a thread, not while the loop stands still. */
  async #populate(room: Room): Promise<void> {
    const end = room.offset + room.sizeBytes
    const known = this.#populated.get(room.segment) ?? 0
    if (room.sizeBytes < populateBytes || end <= known) return
    // What lies before it and was never written here is found out page by page.
    this.#populated.set(room.segment, end)
    for (let from = Math.max(room.offset, known); from < end && !this.#closed; from += populateStepBytes) {
      const sizeBytes = Math.min(populateStepBytes, end - from)
      await this.#parts.memory.populate({ segment: room.segment, offset: from, sizeBytes })
    }
  }

  async #place(key: string, expected: boolean, anywhere: boolean): Promise<Place | undefined> {
    objectIdOf(key)
    this.#mustBeOpen()
    const place = placeOf(await this.#parts.port.request(['get', key, expected, anywhere]))
    if (this.#closed && place !== undefined) this.#parts.port.note(['released', [place.entry]])
    this.#mustBeOpen()
    return place
  }

  #release(entry: number): void {
    this.#pinned--
    if (this.#closed) {
      if (this.#pinned === 0) this.#parts.unpinned?.()
      return
    }
    if (this.#releasing.push(entry) === 1) setImmediate(() => this.#tellReleased())
  }

  #tellReleased(): void {
    if (this.#releasing.length === 0 || this.#closed) return
    const entries = this.#releasing
    this.#releasing = []
    this.#parts.port.note(['released', entries])
  }

  #mustBeOpen(): void {
    if (this.#closed) throw new OutpoolError('the object store of this process is closed')
  }
}

async function openSpilled(disk: DiskPlace, release: () => void): Promise<ObjectReading> {
  const file = await SpilledReading.open(disk)
  const { sizeBytes } = disk
  return {
    sizeBytes,
    async skipTo(offset, isWanted) {
      while (file.offset < Math.min(offset, sizeBytes) && isWanted())
        await file.next(Math.min(chunkBytes, offset - file.offset))
    },
    read: (_, length) => file.next(length),
    close() {
      file.close()
      release()
    },
  }
}

function isSmall(encoded: EncodedValue): boolean {
  return encoded.buffers.reduce((sum, { length }) => sum + length, encoded.inband.length) < populateBytes
}

function roomOf(answer: StoreAnswer): Room {
  const [segment, offset, sizeBytes] = answer
  if (typeof segment !== 'number' || typeof offset !== 'number' || typeof sizeBytes !== 'number')
    throw new ProtocolError('the ledger of the object store answered with no room')
  return { segment, offset, sizeBytes }
}

function placeOf(answer: StoreAnswer): Place | undefined {
  if (answer[0] === 'arena') {
    const [, entry, sizeBytes, segment, offset] = answer
    return { kind: 'arena', entry, sizeBytes, room: { segment, offset, sizeBytes: roundUp(Math.max(1, sizeBytes)) } }
  }
  if (answer[0] !== 'file') return undefined
  const [, entry, sizeBytes, path, offset, checksum] = answer
  const disk: DiskPlace = { path, offset, sizeBytes, checksum }
  return { kind: 'file', entry, sizeBytes, disk }
}

function once(action: () => void): () => void {
  let done = false
  return () => {
    if (!done) action()
    done = true
  }
}
