/** What each process holds of an arena: rooms that it may write to, and pins on objects that it has mapped. Pure. */
import { ProtocolError } from '../base/errors.ts'
import type { ProcessId } from '../base/ids.ts'
import type { HolderReport } from './arena-types.ts'
import type { Room } from './arena-space.ts'

interface Holder {
  /** Disjoint, in the order in which they were granted. */
  rooms: Room[]
  /** Entry -> how often it was handed out and not released. */
  readonly pins: Map<number, number>
  /** Since when it owes an answer. */
  askedAtMs: number | undefined
}

export class ArenaHolders {
  readonly #holders = new Map<ProcessId, Holder>()

  get processes(): ProcessId[] {
    return [...this.#holders.keys()]
  }

  roomsOf(process: ProcessId): readonly Room[] {
    return this.#holders.get(process)?.rooms ?? []
  }

  pinsOf(process: ProcessId): ReadonlyMap<number, number> {
    return this.#holders.get(process)?.pins ?? new Map<number, number>()
  }

  grant(process: ProcessId, room: Room): void {
    this.#of(process).rooms.push(room)
  }

  /** Takes a part out of a process's rooms: it was filled, or is given back. Throws where the process does not have it. */
  carve(process: ProcessId, part: Room): void {
    const rooms = this.#holders.get(process)?.rooms ?? []
    const end = part.offset + part.sizeBytes
    const at = rooms.findIndex(
      ({ segment, offset, sizeBytes }) =>
        segment === part.segment && offset <= part.offset && offset + sizeBytes >= end && part.sizeBytes > 0,
    )
    const room = rooms[at]
    if (room === undefined)
      throw new ProtocolError(
        `process ${process} speaks of ${part.sizeBytes} bytes at ${part.offset} of segment ${part.segment}, which it was not given`,
      )
    const { segment, offset } = room
    const left = [
      { segment, offset, sizeBytes: part.offset - offset },
      { segment, offset: end, sizeBytes: offset + room.sizeBytes - end },
    ]
    rooms.splice(at, 1, ...left.filter(({ sizeBytes }) => sizeBytes > 0))
    this.#forgetEmpty(process)
  }

  pin(process: ProcessId, entry: number): void {
    const { pins } = this.#of(process)
    pins.set(entry, (pins.get(entry) ?? 0) + 1)
  }

  /** False where the process has no such pin. */
  unpin(process: ProcessId, entry: number): boolean {
    const pins = this.#holders.get(process)?.pins
    const count = pins?.get(entry)
    if (pins === undefined || count === undefined) return false
    if (count > 1) pins.set(entry, count - 1)
    else pins.delete(entry)
    this.#forgetEmpty(process)
    return true
  }

  /** The process is over; returns what it held. */
  gone(process: ProcessId): { readonly rooms: readonly Room[]; readonly pins: ReadonlyMap<number, number> } {
    const { rooms, pins } = this.#holders.get(process) ?? { rooms: [], pins: new Map<number, number>() }
    this.#holders.delete(process)
    return { rooms, pins }
  }

  asked(process: ProcessId, nowMs: number): void {
    const holder = this.#holders.get(process)
    if (holder !== undefined) holder.askedAtMs ??= nowMs
  }

  answered(process: ProcessId): void {
    const holder = this.#holders.get(process)
    if (holder === undefined) return
    holder.askedAtMs = undefined
    this.#forgetEmpty(process)
  }

  /** Whether somebody has not answered yet. */
  get areSilent(): boolean {
    for (const { askedAtMs } of this.#holders.values()) if (askedAtMs !== undefined) return true
    return false
  }

  /** The largest first. */
  report(nowMs: number, sizeOf: (entry: number) => number): HolderReport[] {
    const rows = [...this.#holders].map(([process, { rooms, pins, askedAtMs }]) => ({
      process,
      roomBytes: rooms.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      objects: pins.size,
      pinnedBytes: [...pins.keys()].reduce((sum, entry) => sum + sizeOf(entry), 0),
      silentMs: askedAtMs === undefined ? 0 : Math.round(nowMs - askedAtMs),
    }))
    return rows.sort((a, b) => b.pinnedBytes + b.roomBytes - (a.pinnedBytes + a.roomBytes))
  }

  #of(process: ProcessId): Holder {
    let holder = this.#holders.get(process)
    if (holder === undefined)
      this.#holders.set(process, (holder = { rooms: [], pins: new Map(), askedAtMs: undefined }))
    return holder
  }

  #forgetEmpty(process: ProcessId): void {
    const holder = this.#holders.get(process)
    if (holder !== undefined && holder.rooms.length === 0 && holder.pins.size === 0 && holder.askedAtMs === undefined)
      this.#holders.delete(process)
  }
}
