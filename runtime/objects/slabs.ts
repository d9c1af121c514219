/**
 * Room that a writer has ahead of need, so that an object costs no question. A writer is granted a slab at a time, cuts
 * rooms off it in order, and asks for the next one when half of it is used; objects that are large beside a slab get
 * room of their own. What is not used is given back after a while, and when others need it.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { roundUp, type Room } from './arena-space.ts'

export interface SlabsParts {
  readonly slabBytes: number
  readonly clock: Clock
  /** Room of at least the first, better the second number of bytes. */
  readonly ask: (leastBytes: number, wantedBytes: number) => Promise<Room>
  readonly giveBack: (room: Room) => void
}

/** How long what is left of a slab is kept without use, in milliseconds. */
const idleMs = 2_000

export class Slabs {
  readonly #parts: SlabsParts
  #current: Room | undefined
  #next: Room | undefined
  #asking = false
  #timer: Timer | undefined
  #usedAt = 0
  #closed = false

  constructor(parts: SlabsParts) {
    this.#parts = parts
  }

  /** Room at once, or undefined. */
  take(sizeBytes: number): Room | undefined {
    const needed = roundUp(Math.max(1, sizeBytes))
    if (needed > this.#parts.slabBytes / 4) return undefined
    if (this.#current === undefined || this.#current.sizeBytes < needed) this.#replace()
    const slab = this.#current
    if (slab === undefined || slab.sizeBytes < needed) return undefined
    const { segment, offset, sizeBytes: left } = slab
    this.#current = left === needed ? undefined : { segment, offset: offset + needed, sizeBytes: left - needed }
    this.#used()
    if (left - needed < this.#parts.slabBytes / 2) this.#prefetch()
    return { segment, offset, sizeBytes: needed }
  }

  /** Room, as soon as there is some; rejects with why there is none. */
  async wait(sizeBytes: number): Promise<Room> {
    const needed = roundUp(Math.max(1, sizeBytes))
    const { slabBytes, ask } = this.#parts
    // One slab at a time: what many ask for at once would be most of the arena, for a moment, and nearly none of it used.
    if (needed > slabBytes / 4 || this.#asking) return ask(needed, needed)
    const room = await this.#asked(ask(needed, slabBytes))
    const { segment, offset } = room
    if (room.sizeBytes > needed) this.#keep({ segment, offset: offset + needed, sizeBytes: room.sizeBytes - needed })
    return { segment, offset, sizeBytes: needed }
  }

  /** Gives back what is not used. */
  empty(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    for (const room of [this.#current, this.#next]) if (room !== undefined) this.#parts.giveBack(room)
    this.#current = undefined
    this.#next = undefined
  }

  close(): void {
    this.#closed = true
    this.empty()
  }

  /** Forgets what it had: it was taken away. */
  lost(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#current = undefined
    this.#next = undefined
  }

  get rooms(): readonly Room[] {
    return [this.#current, this.#next].filter((room) => room !== undefined)
  }

  #replace(): void {
    if (this.#next === undefined) return
    if (this.#current !== undefined) this.#parts.giveBack(this.#current)
    this.#current = this.#next
    this.#next = undefined
  }

  #prefetch(): void {
    if (this.#asking || this.#next !== undefined || this.#closed) return
    const { ask, slabBytes } = this.#parts
    this.#asked(ask(slabBytes, slabBytes))
      .then((room) => this.#keep(room))
      // Whoever needs room asks again, and is told.
      .catch(() => {})
  }

  /** A slab that is on its way. */
  #asked(room: Promise<Room>): Promise<Room> {
    this.#asking = true
    return room.finally(() => (this.#asking = false))
  }

  #keep(room: Room): void {
    if (this.#closed || (this.#current !== undefined && this.#next !== undefined)) return this.#parts.giveBack(room)
    if (this.#current === undefined) this.#current = room
    else this.#next = room
    this.#used()
  }

  #used(): void {
    const { clock } = this.#parts
    this.#usedAt = clock.now()
    if (this.#timer === undefined) this.#watch(idleMs)
  }

  #watch(waitMs: number): void {
    const { clock } = this.#parts
    this.#timer = clock.after(waitMs, () => {
      this.#timer = undefined
      const unusedMs = clock.now() - this.#usedAt
      if (unusedMs >= idleMs) this.empty()
      else this.#watch(idleMs - unusedMs)
    })
  }
}
