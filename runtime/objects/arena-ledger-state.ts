/**
 * The ledger of one arena, in the node manager: who may write where, which objects there are, who has mapped them, and
 * what goes to disk when memory runs short. Pure: events in, instructions out to `LedgerEffects`.
 *
 *     1 room ──sealed──▶ 2 here ──evict──▶ 3 spilling ──spilled──▶ 4 away ──get──▶ 5 restoring ──restored──▶ 2 here
 *       │                  │ copy on disk, or not primary ──evict──▶ 4 away, or forgotten                     │
 *       └──returned,gone   └──────────────────────────── delete, and no pin ──▶ forgotten ◀──────────────────┘
 *
 * - An object that somebody has mapped is pinned: its pages are not given to others, whatever happens to its name. One
 *   that is deleted meanwhile lives on without a name until the last pin is gone.
 * - A restored object keeps its copy on disk; evicting it again writes nothing.
 * - Requests for room are served in order; those that bring an object back come before those of writers, since who reads
 *   may be what writers wait for. A request that cannot be served evicts, then asks holders to collect garbage, and fails
 *   when nothing has become free for `fullWaitMs`, and nothing is on its way to a disk that takes what it gets.
 */
import { BoundedMap } from '../base/bounded-map.ts'
import { BoundedSet } from '../base/bounded-set.ts'
import { parseObjectKey, type ProcessId } from '../base/ids.ts'
import { ArenaObjects, type Entry, type GetAnswer, type Reader } from './arena-objects.ts'
import { ArenaSpace, roundUp, type Room } from './arena-space.ts'
import type { DiskPlace, LedgerEffects, LedgerOptions, NoRoom, RoomWaits, SpillItem } from './arena-types.ts'

export type RoomAnswer = (room: Room | NoRoom) => void

interface Waiting {
  /** Whose it will be; nobody's while an object is brought back. */
  readonly process: ProcessId | undefined
  readonly leastBytes: number
  readonly wantedBytes: number
  readonly sinceMs: number
  readonly waitMs: number
  readonly answer: RoomAnswer
}

export interface GetOptions {
  /** It must be here, or about to be: its seal may be under way on another link. */
  readonly expected?: boolean
  /** From disk will do: it is sent on, nobody here reads it. */
  readonly anywhere?: boolean
}

/** How long a read waits for an object whose seal should be under way, in milliseconds. */
const sealWaitMs = 1_000
/** Between two requests to collect garbage, where all have answered the first, and where not, in milliseconds. */
const collectEveryMs = 50
const askAgainMs = 250
/** After a failed spill, in milliseconds. */
const spillAgainMs = 500
/** So many keys of objects are remembered that were evicted, or freed before they were sealed; and owners that are gone. */
const mostRemembered = 100_000

export class ArenaLedger {
  readonly space: ArenaSpace
  readonly objects: ArenaObjects
  readonly #effects: LedgerEffects
  readonly #now: () => number
  readonly #spillAboveBytes: number
  readonly #fullWaitMs: number
  readonly #restoreWaitMs: number
  readonly #spillBatchBytes: number
  readonly #queue: Waiting[] = []
  /** Reads of keys that are not here yet. */
  readonly #expecting = new Map<string, { readonly untilMs: number; readers: Reader[] }>()
  /** Keys that were freed before they were sealed, with when that is forgotten. */
  readonly #freedEarly = new BoundedMap<string, number>(mostRemembered)
  readonly #evicted = new BoundedSet<string>(mostRemembered)
  readonly #goneOwners = new BoundedSet<ProcessId>(mostRemembered)
  #isServing = false
  #nextAsk = 1
  #askedAtMs = -Infinity
  #progressAtMs = -Infinity
  #spillingBytes = 0
  #diskError: { readonly cause: Error; readonly atMs: number } | undefined

  constructor(options: LedgerOptions) {
    const { effects, now, segments } = options
    this.space = new ArenaSpace(segments)
    this.objects = new ArenaObjects({
      space: this.space,
      onFree: () => (this.#progressAtMs = now()),
      dropDisk: (disk) => effects.dropDisk(disk),
      onDropped: (key) => this.#evicted.add(key),
    })
    this.#effects = effects
    this.#now = now
    this.#spillAboveBytes = Math.floor(this.space.capacityBytes * (options.spillAbove ?? 0.8))
    this.#fullWaitMs = options.fullWaitMs ?? 10_000
    this.#restoreWaitMs = options.restoreWaitMs ?? 1_000
    this.#spillBatchBytes = options.spillBatchBytes ?? 100_000_000
  }

  /** Whether `tick` has something to do in a while. */
  get waits(): boolean {
    return this.#queue.length > 0 || this.#expecting.size > 0 || this.#freedEarly.size > 0
  }

  /** undefined where nobody does. */
  get roomWaits(): RoomWaits | undefined {
    const writers = this.#queue.filter(({ process }) => process !== undefined)
    const [first] = writers
    if (first === undefined) return undefined
    const cause = this.#diskError?.cause
    return {
      ...{ count: writers.length, sizeBytes: first.leastBytes, waitedMs: this.#now() - first.sinceMs },
      ...{ failsAfterMs: first.waitMs, isSpilling: this.#spillingBytes > 0 && cause === undefined, cause },
    }
  }

  /** Room at once, without waiting and without evicting; for a caller that cannot wait. */
  roomNow(process: ProcessId, sizeBytes: number): Room | undefined {
    if (this.#queue.length > 0) return undefined
    const room = this.space.take(sizeBytes)
    if (room === undefined) return undefined
    this.objects.holders.grant(process, room)
    this.#serve()
    return room
  }

  /** Room for `wantedBytes`, or at least `leastBytes`; answers now or later. */
  room(process: ProcessId, leastBytes: number, wantedBytes: number, answer: RoomAnswer): void {
    this.#want(process, leastBytes, wantedBytes, this.#fullWaitMs, (room) => {
      if ('segment' in room) this.objects.holders.grant(process, room)
      answer(room)
    })
  }

  /** A room, or a part of one, that is not used. */
  returned(process: ProcessId, room: Room): void {
    this.objects.holders.carve(process, room)
    this.objects.give(room)
    this.#serve()
  }

  /** An object was written, into a room that the process has. */
  sealed(process: ProcessId, key: string, place: Omit<Room, 'sizeBytes'>, sizeBytes: number, primary: boolean): void {
    const room = { ...place, sizeBytes: roundUp(Math.max(1, sizeBytes)) }
    this.objects.holders.carve(process, room)
    if (this.#freedEarly.delete(key) || this.#goneOwners.has(parseObjectKey(key).owner)) {
      this.objects.give(room)
    } else {
      const entry = this.objects.add(key, room, sizeBytes, primary)
      this.#evicted.delete(key)
      const readers = this.#expecting.get(key)?.readers ?? []
      this.#expecting.delete(key)
      for (const reader of readers) this.objects.hand(entry, reader)
    }
    this.#serve()
  }

  sizeOf(key: string): number | undefined {
    return this.objects.find(key)?.sizeBytes
  }

  /** This node keeps its copy of an object as long as that is referenced; false where it has none. */
  keep(key: string): boolean {
    const entry = this.objects.find(key)
    if (entry !== undefined) this.objects.keep(entry)
    return entry !== undefined
  }

  /** Pins an object for the process and tells where it is. */
  get(process: ProcessId, key: string, options: GetOptions, answer: GetAnswer): void {
    const entry = this.objects.find(key)
    const reader = { process, answer }
    if (entry === undefined) return options.expected === true ? this.#expect(key, reader) : answer(undefined)
    if (entry.room !== undefined || options.anywhere === true) return this.objects.hand(entry, reader)
    entry.waiting.push(reader)
    if (entry.state === 'away') this.#restore(entry)
  }

  released(process: ProcessId, entries: readonly number[]): void {
    for (const id of entries) this.objects.unpin(process, id)
    this.#serve()
  }

  /** The object has no name here any more. `early`: it may not have been sealed yet, and is not wanted then. */
  delete(key: string, early = false): void {
    this.#evicted.delete(key)
    const entry = this.objects.find(key)
    if (entry !== undefined) this.objects.unname(entry)
    else if (early) this.#freedEarly.set(key, this.#now() + sealWaitMs)
    // Who removes it here is about to make it anew: that seal is wanted.
    if (!early) this.#freedEarly.delete(key)
    this.#serve()
  }

  /** `gone`: nothing of that owner is wanted here ever again. */
  deleteOwnedBy(owner: ProcessId, gone: boolean): void {
    if (gone) this.#goneOwners.add(owner)
    this.objects.unnameOwnedBy(owner)
    this.#serve()
  }

  /** A process is over, and touches nothing any more: what it held is free, and what it waits for it does not get. */
  processGone(process: ProcessId): void {
    const wanted = this.#queue.filter((waiting) => waiting.process !== process)
    this.#queue.splice(0, Infinity, ...wanted)
    for (const [key, expecting] of this.#expecting) {
      expecting.readers = expecting.readers.filter((reader) => reader.process !== process)
      if (expecting.readers.length === 0) this.#expecting.delete(key)
    }
    this.objects.processGone(process)
    this.#serve()
  }

  /** A process has collected garbage. */
  collected(process: ProcessId): void {
    this.objects.holders.answered(process)
  }

  spilled(places: ReadonlyMap<number, DiskPlace>): void {
    this.#diskError = undefined
    for (const [id, disk] of places) {
      const entry = this.objects.expect(id, 'spilling')
      this.#spillingBytes -= roundUp(entry.sizeBytes)
      this.objects.endSpill(entry, disk)
      if (entry.pins === 0 && !entry.deleted) this.objects.sendAway(entry)
    }
    this.#serve()
  }

  spillFailed(entries: readonly number[], cause: Error): void {
    this.#diskError = { cause, atMs: this.#now() }
    for (const id of entries) {
      const entry = this.objects.expect(id, 'spilling')
      this.#spillingBytes -= roundUp(entry.sizeBytes)
      this.objects.endSpill(entry, undefined)
    }
    this.#serve()
  }

  /** An object is back in memory; with an error it is lost: its copy on disk cannot be read, or is not what was written. */
  restored(id: number, error?: Error): void {
    const entry = this.objects.expect(id, 'restoring')
    const readers = this.objects.endRestore(entry, error === undefined)
    if (error === undefined) for (const reader of readers) this.objects.hand(entry, reader)
    else {
      this.objects.unname(entry)
      for (const { answer } of readers) answer(undefined, error)
    }
    // A deleted one that nobody waited for is forgotten by this.
    if (error === undefined) this.objects.settle(entry)
    this.#serve()
  }

  /** Time has passed: somebody may have waited for too long. */
  tick(): void {
    const nowMs = this.#now()
    for (const [key, untilMs] of this.#freedEarly) if (untilMs <= nowMs) this.#freedEarly.delete(key)
    for (const [key, { untilMs, readers }] of [...this.#expecting]) {
      if (untilMs > nowMs) continue
      this.#expecting.delete(key)
      for (const { answer } of readers) answer(undefined)
    }
    this.#serve()
    const comes = this.#spillingBytes > 0 && this.#diskError === undefined
    for (const waiting of [...this.#queue]) {
      // A disk may be slow: what becomes of the spill tells whether there will be room.
      if (comes && waiting.process !== undefined) continue
      if (nowMs - Math.max(waiting.sinceMs, this.#progressAtMs) < waiting.waitMs) continue
      this.#queue.splice(this.#queue.indexOf(waiting), 1)
      const cause = this.#diskError?.cause
      const waited = { sizeBytes: waiting.leastBytes, waitedMs: Math.round(nowMs - waiting.sinceMs) }
      waiting.answer(cause === undefined ? { why: 'full', ...waited } : { why: 'disk', ...waited, cause })
    }
  }

  /** Throws where what is counted does not add up. */
  validate(): void {
    this.objects.validate()
  }

  #expect(key: string, reader: Reader): void {
    // A copy that was dropped will not come by itself.
    if (this.#evicted.has(key)) return reader.answer(undefined)
    const expecting = this.#expecting.get(key)
    if (expecting !== undefined) expecting.readers.push(reader)
    else this.#expecting.set(key, { untilMs: this.#now() + sealWaitMs, readers: [reader] })
  }

  #restore(entry: Entry): void {
    entry.state = 'restoring'
    this.#want(undefined, entry.sizeBytes, entry.sizeBytes, this.#restoreWaitMs, (room) => {
      if ('segment' in room) {
        this.objects.beginRestore(entry, room)
        return this.#effects.restore(entry.id, entry.disk as DiskPlace, room)
      }
      // There is no room for it: those who read it read it from the disk.
      for (const reader of this.objects.endRestore(entry, false)) this.objects.hand(entry, reader)
      this.objects.settle(entry)
    })
  }

  /** Room for a process; without one, for an object that is brought back, which may be read from the disk as well. */
  #want(
    process: ProcessId | undefined,
    leastBytes: number,
    wantedBytes: number,
    waitMs: number,
    answer: RoomAnswer,
  ): void {
    if (roundUp(leastBytes) > this.space.largestBytes)
      return answer({ why: 'large', sizeBytes: leastBytes, waitedMs: 0 })
    const waiting = { process, leastBytes, wantedBytes, sinceMs: this.#now(), waitMs, answer }
    if (process === undefined) this.#queue.unshift(waiting)
    else this.#queue.push(waiting)
    this.#serve()
  }

  /** Serves requests in order as far as there is room, and makes some. */
  #serve(): void {
    // Answers may ask again, and what they ask is served by the loop that called them.
    if (this.#isServing) return
    this.#isServing = true
    try {
      for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
        const room = this.space.take(head.wantedBytes) ?? this.#takeLeast(head.leastBytes)
        if (room === undefined) break
        this.#queue.splice(this.#queue.indexOf(head), 1)
        head.answer(room)
      }
      this.#relieve()
      if (this.#queue.length > 0 && this.#spillingBytes === 0) this.#stuck()
    } finally {
      this.#isServing = false
    }
  }

  /** Evicts, for as long as that costs no writing, until there is room. */
  #takeLeast(sizeBytes: number): Room | undefined {
    let room = this.space.take(sizeBytes)
    for (const entry of this.objects.evictableNow) {
      if (room !== undefined) break
      if (this.objects.evictNow(entry)) room = this.space.take(sizeBytes)
    }
    return room
  }

  /** Begins to evict what was used least recently, until the arena is below its mark and the first request may fit. */
  #relieve(): void {
    const head = this.#queue[0]
    const wantedBytes = head === undefined ? 0 : roundUp(head.leastBytes)
    const tooMuch = Math.max(this.space.usedBytes - this.#spillAboveBytes, wantedBytes) - this.#spillingBytes
    const isDiskBad = this.#diskError !== undefined && this.#now() - this.#diskError.atMs < spillAgainMs
    const items: SpillItem[] = []
    let bytes = 0
    for (const entry of isDiskBad ? this.objects.evictableNow : this.objects.evictable) {
      if (bytes >= tooMuch) break
      const entryBytes = roundUp(entry.sizeBytes)
      if (this.objects.evictNow(entry)) bytes += entryBytes
      else if (bytes < this.#spillBatchBytes) {
        bytes += entryBytes
        items.push({ entry: entry.id, room: entry.room as Room, sizeBytes: entry.sizeBytes })
        this.#spillingBytes += entryBytes
        this.objects.beginSpill(entry)
      } else break
    }
    if (items.length > 0) this.#effects.spill(items)
  }

  /** Nothing is on its way to become free. */
  #stuck(): void {
    for (const waiting of this.#queue.filter(({ process }) => process === undefined)) {
      this.#queue.splice(this.#queue.indexOf(waiting), 1)
      waiting.answer({ why: 'full', sizeBytes: waiting.leastBytes, waitedMs: 0 })
    }
    if (this.#queue.length > 0) this.#askHolders()
  }

  #askHolders(): void {
    const nowMs = this.#now()
    const { holders } = this.objects
    if (nowMs - this.#askedAtMs < (holders.areSilent ? askAgainMs : collectEveryMs)) return
    this.#askedAtMs = nowMs
    const { processes } = holders
    for (const process of processes) holders.asked(process, nowMs)
    if (processes.length > 0) this.#effects.collect(processes, this.#nextAsk++)
  }
}
