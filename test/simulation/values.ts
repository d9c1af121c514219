/**
 * Large values of a simulated process: put into a store, read from where they are, let go of, as `owner-values.ts` and
 * `object-access.ts` of the runtime do it. What is read stays mapped for a while after its last use: until the collector
 * finds it, or memory is short.
 */
import type { ProcessId } from '../../runtime/base/ids.ts'
import { objectKey } from '../../runtime/base/ids.ts'
import { type PullReport, reportOf } from '../../runtime/objects/pull-failures.ts'
import type { Holder, RefTuple } from '../../runtime/protocol/messages.ts'
import type { SimNode } from './node.ts'
import type { OwnerEndpoint } from './owner-objects.ts'
import type { ProcessStore, Reading } from './process-store.ts'
import type { Stored } from './tasks.ts'
import type { World } from './world.ts'

/** How often a copy is brought here for one read. */
const mostPulls = 3

export const keyOf = ([owner, number]: RefTuple): string => objectKey({ owner, number })

export class Values {
  readonly store: ProcessStore
  readonly #world: World
  readonly #process: OwnerEndpoint
  /** Not used any more, and still mapped. */
  #garbage: Reading[] = []
  reading = 0

  constructor(world: World, process: OwnerEndpoint, store: ProcessStore) {
    this.#world = world
    this.#process = process
    this.store = store
  }

  get size(): number {
    return this.#garbage.length + this.reading
  }

  /** Puts a value of so many bytes; answers with where it is, or why it is nowhere. */
  put(ref: RefTuple, sizeBytes: number, making: number, then: (stored: Stored | string) => void): void {
    this.store.put({ key: keyOf(ref), making, sizeBytes }, (error) =>
      then(error ?? { sizeBytes, holders: [this.store.holder] }),
    )
  }

  /** The value of a stored object that is held here; without one, what the owner is to be told of its holders. */
  read(ref: RefTuple, stored: Stored, then: (reading: Reading | undefined, report?: PullReport) => void): void {
    const key = keyOf(ref)
    const { id } = this.#process
    this.reading++
    const end = (reading: Reading | undefined, why: string, report?: PullReport): void => {
      this.reading--
      if (reading === undefined) this.#world.note(this.#process, `cannot read ${key}: ${why}`)
      if (reading === undefined && report === undefined) this.#world.losses.told(this.#process, key, why)
      then(reading, report)
    }
    const [, own] = this.store.holder
    const expected = stored.holders.some(([, process]) => process === own)
    let damage = ''
    const look = (pulls: number, expect: boolean): void =>
      this.store.get(key, expect, (reading, error) => {
        if (reading !== undefined) {
          // The memory of a process that shares no store is no cache: what belongs to others goes when it was read.
          if (this.store.holder[1] === id && ref[0] !== id) this.store.delete(key)
          return end(reading, '')
        }
        // A copy that is damaged is none; there may be others.
        if (error !== undefined) damage = `${error.message}; `
        if (pulls === mostPulls) return end(undefined, 'it was brought here and is gone again, no room')
        this.#world.note(this.#process, `pulls ${key} from ${stored.holders.map(([node]) => node).join()}`)
        this.#copied(ref, false)
        this.store.pull(key, stored.sizeBytes, stored.holders, (failure) => {
          if (failure !== undefined) return end(undefined, `${damage}${failure.message}`, reportOf(failure))
          this.#world.count('pulled')
          this.#copied(ref, true)
          look(pulls + 1, false)
        })
      })
    look(0, expected)
  }

  /** A value is used no more. */
  drop(reading: Reading): void {
    this.#garbage.push(reading)
    this.#world.network.after(this.#process, this.#world.random.next() * 300, 'collector', () => this.collect())
  }

  collect(): void {
    const found = this.#garbage
    this.#garbage = []
    for (const reading of found) reading.release()
  }

  /** Of an owner: the object is wanted nowhere any more. */
  free(number: number, holders: readonly Holder[]): void {
    const key = objectKey({ owner: this.#process.id, number })
    this.#world.note(this.#process, `frees ${key} at ${holders.map(([node]) => node).join()}`)
    for (const [node, process] of holders) {
      if (process === this.#process.id) this.store.delete(key)
      else this.freeAt(node, key)
    }
  }

  freeAt(node: ProcessId, key: string): void {
    this.#world.network.send<SimNode>(this.#process, node, 'free', (to) => to.free(key))
  }

  /**
   * There is going to be a copy on this machine, which its owner has to know of to free it. Whoever keeps it himself
   * says so when he has it.
   */
  #copied([owner, number]: RefTuple, isHere: boolean): void {
    const [node, holder] = this.store.holder
    if (isHere === (holder === node)) return
    if (owner === this.#process.id) return this.#process.objects.copies.copied(number, this.store.holder)
    if (holder !== node) return
    this.#world.network.send<OwnerEndpoint>(this.#process, owner, 'objectCopied', (to) =>
      to.objects.copies.copied(number, [node, node]),
    )
  }
}
