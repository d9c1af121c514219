/**
 * The store of a simulated node: `ArenaLedger`, with a memory and a disk that know what lies where. Whoever reads what
 * was not put there, or what was overwritten while he had it mapped, has found a bug.
 */
import { ObjectLostError, ObjectStoreFullError } from '../../runtime/base/errors.ts'
import { ArenaLedger } from '../../runtime/objects/arena-ledger-state.ts'
import type { Room } from '../../runtime/objects/arena-space.ts'
import type { DiskPlace, NoRoom, Place, SpillItem } from '../../runtime/objects/arena-types.ts'
import type { ObjectReading, ObjectWriter } from '../../runtime/objects/store.ts'
import { demand } from './checks.ts'
import { chunkOf, type Content, describeContent } from './contents.ts'
import type { SimNode } from './node.ts'
import { Arriving, PullStore } from './pull-store.ts'

/** While somebody waits, in milliseconds. */
const tickMs = 50

export class SimStore extends PullStore {
  readonly ledger: ArenaLedger
  readonly #node: SimNode
  /** By the offset at which it begins. */
  readonly #memory = new Map<number, Content>()
  readonly disk: Map<number, Content> = new Map<number, Content>()
  readonly #missedAtMs = new Map<string, number>()
  #nextDisk = 1
  #ticking = false
  #changed = false

  constructor(node: SimNode) {
    super()
    this.#node = node
    const { world } = node
    this.ledger = new ArenaLedger({
      now: () => world.clock.now(),
      segments: [world.options.arenaBytes],
      ...{ fullWaitMs: 1_000, restoreWaitMs: 100, spillBatchBytes: 8 * 1024 * 1024 },
      effects: {
        spill: (items) => this.#later('spill', 30, () => this.#spill(items)),
        restore: (entry, disk, room) => this.#later('restore', 10, () => this.#restore(entry, disk, room)),
        dropDisk: ({ offset }) =>
          demand(this.disk.delete(offset), 'dropped-once', () => `disk ${offset} of ${node.id}`),
        collect: (processes) => {
          world.count('collect')
          for (const process of processes) node.askToCollect(process)
        },
      },
    })
  }

  /** Everything that changes the ledger goes through here. */
  change(what: (ledger: ArenaLedger) => void): void {
    what(this.ledger)
    this.#changed = true
    if (this.#ticking || !this.ledger.waits) return
    this.#ticking = true
    this.#node.world.network.after(this.#node, tickMs, 'store tick', () => {
      this.#ticking = false
      this.change((ledger) => ledger.tick())
    })
  }

  /** After an event. */
  settle(): void {
    if (this.#changed) this.ledger.validate()
    this.#changed = false
  }

  /** Somebody writes to a room: what was there before is no more. */
  write({ offset, sizeBytes }: Room, content: Content): void {
    for (const [at, { sizeBytes: length }] of this.#memory)
      if (at < offset + sizeBytes && offset < at + length) this.#memory.delete(at)
    this.#memory.set(offset, content)
  }

  /** What is at a place; it has to be that object. */
  contentAt(place: Place, key: string): Content {
    const where = place.kind === 'arena' ? place.room.offset : place.disk.offset
    const content = (place.kind === 'arena' ? this.#memory : this.disk).get(where)
    const right = content?.key === key && content.sizeBytes === place.sizeBytes
    const found = content === undefined ? 'something else' : describeContent(content)
    demand(right, 'right-bytes', () => `${key}, of ${place.sizeBytes} bytes, reads as ${found}`)
    return content as Content
  }

  create(key: string, sizeBytes: number): Promise<ObjectWriter> {
    const { id } = this.#node
    return new Promise((resolve, reject) => {
      this.change((ledger) =>
        ledger.room(id, sizeBytes, sizeBytes, (room) => {
          if (!('segment' in room)) return reject(new ObjectStoreFullError(whyFull(room)))
          this.write(room, { key: 'unfinished', making: 0, sizeBytes })
          const seal = (content: Content): void => {
            this.write(room, content)
            this.change(() => ledger.sealed(id, key, room, sizeBytes, false))
          }
          resolve(new Arriving(key, sizeBytes, seal, () => this.change(() => ledger.returned(id, room))))
        }),
      )
    })
  }

  open(key: string): Promise<ObjectReading> {
    const node = this.#node.id
    return new Promise((resolve, reject) => {
      this.change((ledger) =>
        ledger.get(node, key, { anywhere: true }, (place) => {
          if (place === undefined) {
            this.missed(key)
            return reject(new ObjectLostError(`object ${key} is not here`))
          }
          const content = this.contentAt(place, key)
          const damaged = place.kind === 'file' ? this.#damage(key) : undefined
          let isOpen = true
          resolve({
            sizeBytes: place.sizeBytes,
            read: (offset, length) =>
              damaged === undefined ? Promise.resolve(chunkOf(content, offset, length)) : Promise.reject(damaged),
            close: () => {
              if (!isOpen) return
              isOpen = false
              this.contentAt(place, key)
              this.change(() => ledger.released(node, [place.entry]))
            },
          })
        }),
      )
    })
  }

  override size(key: string, expected = false): Promise<number | undefined> {
    const node = this.#node.id
    return new Promise((resolve) => {
      this.change((ledger) =>
        ledger.get(node, key, { expected, anywhere: true }, (place) => {
          if (place !== undefined) this.change(() => ledger.released(node, [place.entry]))
          else this.missed(key)
          resolve(place?.sizeBytes)
        }),
      )
    })
  }

  override contains(key: string): Promise<boolean> {
    if (!this.has(key)) this.missed(key)
    return super.contains(key)
  }

  sizeOf(key: string): number | undefined {
    return this.ledger.sizeOf(key)
  }

  /** Somebody is told that there is no such value here. */
  missed(key: string): void {
    this.#missedAtMs.set(key, this.#node.world.clock.now())
  }

  missedAtMs(key: string): number {
    return this.#missedAtMs.get(key) ?? -1
  }

  delete(key: string): Promise<void> {
    this.missed(key)
    this.change((ledger) => ledger.delete(key))
    return Promise.resolve()
  }

  /** Names of what is here. */
  keys(): string[] {
    const { objects } = this.ledger.objects.report(0)
    return objects.map(({ key }) => key).filter((key) => this.has(key))
  }

  atRest(empty: boolean): void {
    const { id } = this.#node
    const { space, objects } = this.ledger
    const { holders } = objects.report(0)
    demand(holders.length === 0, 'nothing-left', () => `node ${id} lends memory to ${JSON.stringify(holders)}`)
    if (!empty) return
    demand(objects.size === 0, 'nothing-left', () => `node ${id} keeps ${this.keys().join(' ')}`)
    demand(space.usedBytes === 0, 'nothing-left', () => `node ${id} uses ${space.usedBytes} bytes for nothing`)
    demand(this.disk.size === 0, 'nothing-left', () => `node ${id} has ${this.disk.size} objects on disk`)
  }

  #spill(items: readonly SpillItem[]): void {
    const { random, options } = this.#node.world
    if (random.next() < options.diskFails) {
      this.#node.world.count('disk full')
      const cause = new Error('the disk is full')
      return this.change((ledger) =>
        ledger.spillFailed(
          items.map(({ entry }) => entry),
          cause,
        ),
      )
    }
    const places = items.map(({ entry, room, sizeBytes }): readonly [number, DiskPlace] => {
      const content = this.#memory.get(room.offset)
      demand(content !== undefined, 'right-bytes', () => `what is spilled from ${room.offset} is gone`)
      const offset = this.#nextDisk++
      this.disk.set(offset, content as Content)
      return [entry, { path: 'spilled', offset, sizeBytes, checksum: 0 }]
    })
    this.change((ledger) => ledger.spilled(new Map(places)))
  }

  #restore(entry: number, disk: DiskPlace, room: Room): void {
    const content = this.disk.get(disk.offset)
    demand(content !== undefined, 'right-bytes', () => `what is restored from ${disk.offset} is gone`)
    const damage = this.#damage((content as Content).key)
    if (damage !== undefined) return this.change((ledger) => ledger.restored(entry, damage))
    this.write(room, content as Content)
    this.change((ledger) => ledger.restored(entry))
  }

  /** A copy on disk is read: what is found where it is damaged. */
  #damage(key: string): ObjectLostError | undefined {
    const { random, options, losses } = this.#node.world
    if (random.next() >= options.damages) return undefined
    losses.lost(key, 'its copy on disk was damaged')
    return new ObjectLostError(`object ${key} is damaged`)
  }

  #later(what: string, mostMs: number, act: () => void): void {
    const { world } = this.#node
    world.network.after(this.#node, world.random.next() * mostMs, what, () => {
      world.count(what)
      act()
    })
  }
}

export function whyFull({ why, sizeBytes, waitedMs, cause }: NoRoom): string {
  return `no room for ${sizeBytes} bytes after ${waitedMs} ms: ${cause?.message ?? why}`
}
