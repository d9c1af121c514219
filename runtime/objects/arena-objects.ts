/**
 * The objects of an arena: their names, where their bytes are, and who has mapped them. Part of the ledger
 * (arena-ledger-state.ts), which decides when something moves; here is what moving means. Pure.
 */
import type { ProcessId } from '../base/ids.ts'
import { ArenaHolders } from './arena-holders.ts'
import type { ArenaSpace, Room } from './arena-space.ts'
import type { DiskPlace, HolderReport, ObjectReport, Place } from './arena-types.ts'

/** undefined: no such object here; with an error: there was one, and it is lost. */
export type GetAnswer = (place: Place | undefined, error?: Error) => void

export interface Reader {
  readonly process: ProcessId
  readonly answer: GetAnswer
}

export interface Entry {
  readonly id: number
  readonly key: string
  readonly sizeBytes: number
  /** This node keeps it as long as it is referenced; other copies may be dropped. */
  primary: boolean
  state: 'here' | 'spilling' | 'away' | 'restoring'
  /** Where it is in the arena: as long as it is `here` or `spilling`. */
  room: Room | undefined
  /** Its copy on disk: always when it is `away` or `restoring`. */
  disk: DiskPlace | undefined
  pins: number
  /** It has its key no more. */
  deleted: boolean
  /** Reads that wait until it is restored. */
  waiting: Reader[]
}

export interface ArenaObjectsParts {
  readonly space: ArenaSpace
  /** Bytes became free. */
  readonly onFree: () => void
  readonly dropDisk: (disk: DiskPlace) => void
  /** A copy that others have as well was dropped. */
  readonly onDropped: (key: string) => void
}

const reportedStates = { here: 'memory', spilling: 'spilling', away: 'spilled', restoring: 'restoring' } as const

export class ArenaObjects {
  readonly holders: ArenaHolders = new ArenaHolders()
  readonly #parts: ArenaObjectsParts
  readonly #entries = new Map<number, Entry>()
  readonly #byKey = new Map<string, Entry>()
  /** Unpinned entries in memory that have their key, the least recently used first. */
  readonly #lru = new Map<number, Entry>()
  /** Those of them that cost no writing, in the same order. */
  readonly #free = new Map<number, Entry>()
  /** Rooms of entries that are being restored. */
  readonly #restoring = new Map<number, Room>()
  #nextEntry = 1
  #spilledBytes = 0

  constructor(parts: ArenaObjectsParts) {
    this.#parts = parts
  }

  /** Objects that have their key. */
  get size(): number {
    return this.#byKey.size
  }

  /** Bytes of objects that are on disk only. */
  get spilledBytes(): number {
    return this.#spilledBytes
  }

  /** What could be evicted, the least recently used first; entries may be removed while it is walked. */
  get evictable(): IterableIterator<Entry> {
    return this.#lru.values()
  }

  /** The same, of what can be evicted at once: `evictNow` does it. */
  get evictableNow(): IterableIterator<Entry> {
    return this.#free.values()
  }

  find(key: string): Entry | undefined {
    return this.#byKey.get(key)
  }

  /** The entry of that id, in one of these states; anything else is a bug of the caller. */
  expect(id: number, state: Entry['state']): Entry {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.state !== state) throw new Error(`object ${id} is ${entry?.state}, not ${state}`)
    return entry
  }

  add(key: string, room: Room, sizeBytes: number, primary: boolean): Entry {
    const before = this.#byKey.get(key)
    if (before !== undefined) this.unname(before)
    const entry: Entry = {
      ...{ id: this.#nextEntry++, key, sizeBytes, primary, state: 'here', room },
      ...{ disk: undefined, pins: 0, deleted: false, waiting: [] },
    }
    this.#entries.set(entry.id, entry)
    this.#byKey.set(key, entry)
    this.#setEvictable(entry)
    return entry
  }

  /** From now on this node keeps the object as long as it is referenced. */
  keep(entry: Entry): void {
    entry.primary = true
    this.settle(entry)
  }

  /** Pins an entry for a process and tells it where the bytes are: in memory, else on disk. */
  hand(entry: Entry, { process, answer }: Reader): void {
    const { id, sizeBytes, room } = entry
    this.holders.pin(process, id)
    entry.pins++
    this.#setBusy(id)
    if (room !== undefined) answer({ kind: 'arena', entry: id, sizeBytes, room })
    else answer({ kind: 'file', entry: id, sizeBytes, disk: entry.disk as DiskPlace })
  }

  unpin(process: ProcessId, id: number): void {
    if (this.holders.unpin(process, id)) this.#unpinned(id, 1)
  }

  /** The process is over: its pins and rooms are nobody's. */
  processGone(process: ProcessId): void {
    for (const entry of this.#entries.values())
      if (entry.waiting.length > 0) entry.waiting = entry.waiting.filter((reader) => reader.process !== process)
    const { rooms, pins } = this.holders.gone(process)
    for (const room of rooms) this.give(room)
    for (const [id, count] of pins) this.#unpinned(id, count)
  }

  /** Takes the key off an entry, which lives on until nobody has mapped it and no disk is at work on it. */
  unname(entry: Entry): void {
    if (this.#byKey.get(entry.key) === entry) this.#byKey.delete(entry.key)
    entry.deleted = true
    this.settle(entry)
  }

  unnameOwnedBy(owner: ProcessId): void {
    for (const entry of [...this.#byKey.values()]) if (entry.key.startsWith(owner)) this.unname(entry)
  }

  beginSpill(entry: Entry): void {
    entry.state = 'spilling'
    this.settle(entry)
  }

  endSpill(entry: Entry, disk: DiskPlace | undefined): void {
    entry.state = 'here'
    entry.disk = disk
    this.settle(entry)
  }

  beginRestore(entry: Entry, room: Room): void {
    this.#restoring.set(entry.id, room)
  }

  /** With `back` it is in memory again; else it is still on disk only. Who waits for it is returned. */
  endRestore(entry: Entry, back: boolean): readonly Reader[] {
    const room = this.#restoring.get(entry.id)
    this.#restoring.delete(entry.id)
    const { waiting } = entry
    entry.waiting = []
    if (back) {
      entry.state = 'here'
      entry.room = room
      this.#spilledBytes -= entry.sizeBytes
    } else {
      entry.state = 'away'
      if (room !== undefined) this.give(room)
    }
    return waiting
  }

  /** Gives up the memory of an entry that is on disk. */
  sendAway(entry: Entry): void {
    this.#setBusy(entry.id)
    this.give(entry.room as Room)
    entry.room = undefined
    entry.state = 'away'
    this.#spilledBytes += entry.sizeBytes
  }

  /** Evicts an entry at once where that costs no writing. */
  evictNow(entry: Entry): boolean {
    if (!isFree(entry)) return false
    if (entry.disk !== undefined) {
      this.sendAway(entry)
      return true
    }
    this.#parts.onDropped(entry.key)
    this.unname(entry)
    return true
  }

  /** After a change: an entry is forgotten, evictable or neither. */
  settle(entry: Entry): void {
    const { id, state, pins, deleted } = entry
    const isBusy = pins > 0 || state === 'spilling' || state === 'restoring'
    if (deleted && !isBusy) this.#forget(entry)
    else if (!deleted && !isBusy && state === 'here') this.#setEvictable(entry)
    else this.#setBusy(id)
  }

  give(room: Room): void {
    this.#parts.space.give(room)
    this.#parts.onFree()
  }

  report(nowMs: number): { readonly objects: ObjectReport[]; readonly holders: HolderReport[] } {
    const holders = new Map<number, ProcessId[]>()
    for (const process of this.holders.processes)
      for (const id of this.holders.pinsOf(process).keys()) {
        const known = holders.get(id)
        if (known === undefined) holders.set(id, [process])
        else known.push(process)
      }
    const objects = [...this.#entries.values()].map(({ id, key, sizeBytes, state, primary }) => {
      return { key, sizeBytes, state: reportedStates[state], primary, holders: holders.get(id) ?? [] }
    })
    return { objects, holders: this.holders.report(nowMs, (id) => this.#entries.get(id)?.sizeBytes ?? 0) }
  }

  /** Throws where what is counted does not add up. */
  validate(): void {
    const { space } = this.#parts
    space.validate()
    const pins = new Map<number, number>()
    let usedBytes = [...this.#restoring.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
    for (const process of this.holders.processes) {
      for (const { sizeBytes } of this.holders.roomsOf(process)) usedBytes += sizeBytes
      for (const [id, count] of this.holders.pinsOf(process)) pins.set(id, (pins.get(id) ?? 0) + count)
    }
    for (const id of pins.keys()) if (!this.#entries.has(id)) throw new Error(`object ${id} is pinned and not there`)
    let spilledBytes = 0
    for (const entry of this.#entries.values()) {
      this.#validateEntry(entry, pins.get(entry.id) ?? 0)
      usedBytes += entry.room?.sizeBytes ?? 0
      if (entry.room === undefined) spilledBytes += entry.sizeBytes
    }
    if (spilledBytes !== this.#spilledBytes) throw new Error(`${this.#spilledBytes} spilled bytes are ${spilledBytes}`)
    if (usedBytes !== space.usedBytes)
      throw new Error(`of ${space.usedBytes} used bytes ${usedBytes} are accounted for`)
  }

  #validateEntry(entry: Entry, pins: number): void {
    const { id, state, room, disk, deleted } = entry
    const isHere = state === 'here' || state === 'spilling'
    if (pins !== entry.pins) throw new Error(`object ${id} counts ${entry.pins} pins, ${pins} are known`)
    if (isHere !== (room !== undefined)) throw new Error(`object ${id} is ${state} and its room does not fit that`)
    if (!isHere && disk === undefined) throw new Error(`object ${id} is ${state} and not on disk`)
    if (this.#lru.has(id) !== (state === 'here' && pins === 0 && !deleted))
      throw new Error(`object ${id} is ${state} with ${pins} pins, and wrongly (not) evictable`)
    if (this.#free.has(id) !== (this.#lru.has(id) && isFree(entry)))
      throw new Error(`object ${id} is wrongly (not) evictable at once`)
    if (deleted && pins === 0 && (state === 'here' || state === 'away'))
      throw new Error(`object ${id} is deleted, unpinned and still there`)
    if (deleted === (this.#byKey.get(entry.key) === entry)) throw new Error(`object ${id} has the wrong name`)
  }

  #setEvictable(entry: Entry): void {
    this.#lru.set(entry.id, entry)
    if (isFree(entry)) this.#free.set(entry.id, entry)
    else this.#free.delete(entry.id)
  }

  #setBusy(id: number): void {
    this.#lru.delete(id)
    this.#free.delete(id)
  }

  #unpinned(id: number, count: number): void {
    const entry = this.#entries.get(id)
    if (entry === undefined) return
    entry.pins -= count
    this.settle(entry)
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.id)
    this.#setBusy(entry.id)
    if (entry.room === undefined) this.#spilledBytes -= entry.sizeBytes
    else this.give(entry.room)
    if (entry.disk !== undefined) this.#parts.dropDisk(entry.disk)
  }
}

/** Whether evicting it costs no writing: it is on disk already, or others keep it. */
function isFree({ disk, primary }: Entry): boolean {
  return disk !== undefined || !primary
}
