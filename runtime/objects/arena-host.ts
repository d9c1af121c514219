/**
 * The arena of a node: its ledger with everything that the ledger does not touch itself (memory, disk, time, the links
 * of those who use it). Lives in the node manager.
 */
import { join } from 'node:path'
import type { Clock } from '../base/clock.ts'
import { ObjectStoreFullError, OutOfDiskError, OutpoolError } from '../base/errors.ts'
import type { ProcessId } from '../base/ids.ts'
import { setImmediate } from '../base/timers.ts'
import type { StoreAnswer, StoreNote, StoreOperation } from '../protocol/messages.ts'
import type { HeldParts } from '../protocol/store-messages.ts'
import { ArenaLedger } from './arena-ledger-state.ts'
import type { ArenaMemory } from './arena-memory.ts'
import type { ArenaPort } from './arena-port.ts'
import { Prefault } from './arena-prefault.ts'
import type { Room } from './arena-space.ts'
import { resync } from './arena-resync.ts'
import { ArenaStore } from './arena-store.ts'
import type { DiskPlace, HolderReport, NoRoom, ObjectReport, Place, SpillItem } from './arena-types.ts'
import { FairTicks } from './fair-ticks.ts'
import { isLockFree } from './process-lock.ts'
import { SpillFiles } from './spill-files.ts'

export interface ArenaHostOptions {
  readonly memory: ArenaMemory
  /** In bytes; as the memory was made. */
  readonly segments: readonly number[]
  /** The node, which holds what the node manager itself uses. */
  readonly node: ProcessId
  readonly clock: Clock
  /** The folder of the store: objects are spilled to a folder in it. */
  readonly folder: string
  /** Bytes on disk. Default: what the disk has. */
  readonly spillLimitBytes?: number
  /** How long a writer waits for room, in milliseconds. Default 10,000. */
  readonly fullWaitMs?: number
  /** A process, for people. Default: its id. */
  readonly describe?: (process: ProcessId) => string
  readonly collect: () => void
}

/** How the store of a node is, for people. */
export interface StoreReport {
  readonly kind: 'shared memory' | 'files'
  readonly capacityBytes: number | null
  readonly usedBytes: number
  readonly spilledBytes: number
  /** Of all spill files. */
  readonly diskBytes: number
  readonly objects: readonly ObjectReport[]
  readonly holders: readonly HolderReport[]
}

const mostHoldersNamed = 5
/** Who has waited for room for so long waits in a way that people should know of, and are told once in so long. */
const toldAfterMs = 1_000
const toldEveryMs = 60_000

export class ArenaHost {
  /** The node manager's own way to its objects. */
  readonly store: ArenaStore
  readonly ledger: ArenaLedger
  readonly #options: ArenaHostOptions
  readonly #spills: SpillFiles
  readonly #prefault: Prefault
  /** While somebody waits. */
  readonly #ticks: FairTicks
  /** Those that use it from this process, and how to ask the others. */
  readonly #local = new Map<ProcessId, ArenaStore>()
  /** Asks a process over its link to collect garbage; set by who has the links. */
  sendCollect: (process: ProcessId) => void = () => {}
  /** Tells people that processes wait for room. */
  warn: (text: string) => void = () => {}
  #toldAtMs = -Infinity
  #closed = false

  constructor(options: ArenaHostOptions) {
    this.#options = options
    const { clock, segments, folder, spillLimitBytes, fullWaitMs } = options
    this.#ticks = new FairTicks(clock, (hasRead) => this.#tick(hasRead))
    this.#spills = new SpillFiles({
      folder: join(folder, 'spilled'),
      ...(spillLimitBytes !== undefined && { limitBytes: spillLimitBytes }),
    })
    this.ledger = new ArenaLedger({
      now: () => this.#ticks.now(),
      segments,
      ...(fullWaitMs !== undefined && { fullWaitMs }),
      effects: {
        spill: (items) => void this.#spill(items),
        restore: (entry, disk, room) => void this.#restore(entry, disk, room),
        dropDisk: (disk) => this.#spills.drop(disk),
        collect: (processes) => this.#collect(processes),
      },
    })
    this.#prefault = new Prefault(options.memory, this.ledger.space, segments)
    this.store = this.openStore(options.node)
  }

  /** A store for somebody in this process. */
  openStore(process: ProcessId): ArenaStore {
    const port: ArenaPort = {
      process,
      request: (operation) =>
        new Promise((resolve, reject) => {
          this.request(process, operation, (error, answer) => (error === undefined ? resolve(answer) : reject(error)))
        }),
      roomNow: (sizeBytes) => {
        const room = this.#closed ? undefined : this.ledger.roomNow(process, sizeBytes)
        if (room !== undefined) this.#changed()
        return room
      },
      note: (note) => this.note(process, note),
      flushed: () => Promise.resolve(),
    }
    const { memory, clock, collect } = this.#options
    const store = new ArenaStore({ memory, port, clock, collect })
    this.#local.set(process, store)
    return store
  }

  /** A question of a process; `answer` is called once, now or later. */
  request(
    process: ProcessId,
    operation: StoreOperation,
    answer: (error: Error | undefined, answer: StoreAnswer) => void,
  ): void {
    if (this.#closed) return answer(new OutpoolError('the object store of this node is closed'), [])
    switch (operation[0]) {
      case 'room':
        this.ledger.room(process, operation[1], operation[2], (room) => {
          if ('segment' in room) answer(undefined, [room.segment, room.offset, room.sizeBytes])
          else answer(this.#noRoom(room), [])
        })
        break
      case 'get':
        this.ledger.get(process, operation[1], { expected: operation[2], anywhere: operation[3] }, (place, error) =>
          answer(error, answerOf(place)),
        )
        break
      case 'size': {
        const sizeBytes = this.ledger.sizeOf(operation[1])
        answer(undefined, sizeBytes === undefined ? [] : [sizeBytes])
        break
      }
      case 'resync':
        answer(this.#resync(process, operation[1]), [])
        break
      default:
        answer(new OutpoolError(`the object store cannot do ${String(operation[0])}`), [])
    }
    this.#changed()
  }

  #resync(process: ProcessId, held: HeldParts): Error | undefined {
    try {
      resync(this.ledger, process, held)
      return undefined
    } catch (error) {
      return error as Error
    }
  }

  /** Throws ProtocolError where the process speaks of what it was not given. */
  note(process: ProcessId, note: StoreNote): void {
    if (this.#closed) return
    switch (note[0]) {
      case 'sealed': {
        const [, key, segment, offset, sizeBytes, primary] = note
        this.ledger.sealed(process, key, { segment, offset }, sizeBytes, primary)
        break
      }
      case 'returned':
        this.ledger.returned(process, { segment: note[1], offset: note[2], sizeBytes: note[3] })
        break
      case 'released':
        this.ledger.released(process, note[1])
        break
      case 'delete':
        this.ledger.delete(note[1])
        break
      case 'deleteOwner':
        this.ledger.deleteOwnedBy(note[1], false)
        break
      case 'collected':
        this.ledger.collected(process)
        break
      default:
    }
    this.#changed()
  }

  /** A copy of an object is not to be dropped from now on; false where there is none. */
  keep(key: string): boolean {
    return !this.#closed && this.ledger.keep(key)
  }

  /** The owner of an object has no use for it, whether or not it was sealed yet. */
  free(key: string): void {
    if (this.#closed) return
    this.ledger.delete(key, true)
    this.#changed()
  }

  /** An owner is gone for good: nothing of what it owns is wanted here, now or later. */
  ownerGone(owner: ProcessId): void {
    if (this.#closed) return
    this.ledger.deleteOwnedBy(owner, true)
    this.#changed()
  }

  /** A process touches the memory no more: what it held is free. */
  processGone(process: ProcessId): void {
    if (this.#closed) return
    this.#local.delete(process)
    isLockFree(this.#options.folder, process)
    this.ledger.processGone(process)
    this.#changed()
  }

  /** Whether a process that has a lock in the folder of the store (process-lock.ts) has ended. */
  isOver(process: ProcessId): boolean {
    return isLockFree(this.#options.folder, process)
  }

  /** Whether the process holds anything of the memory. */
  holds(process: ProcessId): boolean {
    const { holders } = this.ledger.objects
    return holders.roomsOf(process).length > 0 || holders.pinsOf(process).size > 0
  }

  report(): StoreReport {
    const { space, objects } = this.ledger
    return {
      kind: 'shared memory',
      capacityBytes: space.capacityBytes,
      usedBytes: space.usedBytes,
      spilledBytes: objects.spilledBytes,
      diskBytes: this.#spills.usedBytes,
      ...objects.report(this.#ticks.now()),
    }
  }

  /** Waits for what is under way on disk, removes the spill files, and lets go of the memory. */
  async close(): Promise<void> {
    if (this.#closed) return
    for (const store of this.#local.values()) await store.close()
    this.#closed = true
    this.#ticks.cancel()
    await Promise.all([this.#spills.close(), this.#prefault.close()])
    this.#options.memory.close()
  }

  async #spill(items: readonly SpillItem[]): Promise<void> {
    const places = new Map<number, DiskPlace>()
    try {
      for (const { entry, room, sizeBytes } of items)
        places.set(entry, await this.#spills.write(this.#options.memory.bytes({ ...room, sizeBytes })))
    } catch (error) {
      if (this.#closed) return
      if (places.size > 0) this.ledger.spilled(places)
      const failed = items.filter(({ entry }) => !places.has(entry)).map(({ entry }) => entry)
      this.ledger.spillFailed(failed, error as Error)
      return this.#changed()
    }
    if (this.#closed) return
    this.ledger.spilled(places)
    this.#changed()
  }

  async #restore(entry: number, disk: DiskPlace, room: Room): Promise<void> {
    let failure: Error | undefined
    try {
      await this.#spills.read(disk, this.#options.memory.bytes({ ...room, sizeBytes: disk.sizeBytes }))
    } catch (error) {
      failure = error as Error
    }
    if (this.#closed) return
    this.ledger.restored(entry, failure)
    this.#changed()
  }

  #collect(processes: readonly ProcessId[]): void {
    for (const process of processes) {
      const store = this.#local.get(process)
      if (store === undefined) this.sendCollect(process)
      // Not inside the ledger's call.
      else setImmediate(() => store.memoryIsShort())
    }
  }

  #changed(): void {
    this.#prefault.grown()
    if (this.ledger.waits && !this.#closed) this.#ticks.next()
  }

  #tick(hasRead: boolean): void {
    if (this.#closed) return
    if (hasRead) this.ledger.tick()
    this.#sayWaits()
    this.#changed()
  }

  /** A task whose result waits looks as if it hung. */
  #sayWaits(): void {
    const waits = this.ledger.roomWaits
    const nowMs = this.#options.clock.now()
    if (waits === undefined || waits.waitedMs < toldAfterMs || nowMs - this.#toldAtMs < toldEveryMs) return
    this.#toldAtMs = nowMs
    const { count, sizeBytes, failsAfterMs, isSpilling, cause } = waits
    const { capacityBytes, usedBytes } = this.ledger.space
    const why =
      cause !== undefined
        ? `nothing more can be spilled: ${cause.message}`
        : isSpilling
          ? 'what nobody uses is being written to the disk'
          : `all of it by values that processes hold${this.#holders()}`
    const end = isSpilling ? 'Who waits goes on when that is done' : `Who gets none fails after ${failsAfterMs} ms`
    this.warn(
      `the object store of node ${this.#options.node} is full: ${usedBytes} of ${capacityBytes} bytes are in use, ${why}. ` +
        `${count === 1 ? 'A result or put waits' : `${count} results or puts wait`} for room, the first for ${sizeBytes} bytes. ` +
        `${end}; drop values and refs, or start the node with a larger objectStoreMemory`,
    )
  }

  #noRoom({ why, sizeBytes, waitedMs, cause }: NoRoom): Error {
    const { node } = this.#options
    const { space, objects } = this.ledger
    const largest = this.report().holders.slice(0, mostHoldersNamed)
    const details = {
      ...{ node, sizeBytes, waitedMs, capacityBytes: space.capacityBytes, usedBytes: space.usedBytes },
      ...{ spilledBytes: objects.spilledBytes, diskBytes: this.#spills.usedBytes, holders: largest },
    }
    const state = `${space.usedBytes} of ${space.capacityBytes} bytes of node ${node} are in use`
    if (why === 'large')
      return new ObjectStoreFullError(
        `an object of ${sizeBytes} bytes does not fit into the object store of node ${node}, whose largest piece has ${space.largestBytes}; split the value, or start the node with a larger objectStoreMemory`,
        { details },
      )
    const held = this.#holders()
    if (why === 'disk' || cause !== undefined)
      return new OutOfDiskError(
        `no room for an object of ${sizeBytes} bytes: ${state}, and nothing more can be spilled: ${cause?.message}${held}`,
        { details, cause },
      )
    return new ObjectStoreFullError(
      `no room for an object of ${sizeBytes} bytes after ${waitedMs} ms: ${state}, all of it by values that processes hold${held}; drop values and refs, or start the node with a larger objectStoreMemory`,
      { details },
    )
  }

  /** Who holds most, and who has not answered the request to collect garbage. */
  #holders(): string {
    const { describe = String } = this.#options
    const { holders } = this.report()
    const named = holders
      .slice(0, mostHoldersNamed)
      .filter(({ pinnedBytes, roomBytes }) => pinnedBytes + roomBytes > 0)
      .map((one) => `${describe(one.process)} ${one.pinnedBytes + one.roomBytes} bytes (${one.objects} objects)`)
    const silent = holders.filter(({ silentMs }) => silentMs > 0)
    const held = named.length === 0 ? '' : `; most is held by ${named.join(', ')}`
    if (silent.length === 0) return held
    const deaf = silent.map((one) => describe(one.process)).join(', ')
    return `${held}; no answer to the request to collect garbage from ${deaf}, busy for ${silent[0]?.silentMs} ms`
  }
}

function answerOf(place: Place | undefined): StoreAnswer {
  if (place === undefined) return []
  const { entry, sizeBytes } = place
  if (place.kind === 'arena') return ['arena', entry, sizeBytes, place.room.segment, place.room.offset]
  const { path, offset, checksum } = place.disk
  return ['file', entry, sizeBytes, path, offset, checksum]
}
