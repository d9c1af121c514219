/**
 * Makes pages before they are needed, in a thread: writing to fresh ones takes seven times as long. As much is made
 * ahead as was used so far, up to a limit: a program that stores little has little memory taken for it.
 */
import type { ArenaMemory } from './arena-memory.ts'
import { roundUp, type ArenaSpace } from './arena-space.ts'

const mostAheadBytes = 256 * 1024 * 1024
/** Made in one go. */
const stepBytes = 32 * 1024 * 1024

export class Prefault {
  readonly #memory: ArenaMemory
  readonly #space: ArenaSpace
  readonly #segments: readonly number[]
  /** Up to where the pages of each segment exist. */
  readonly #present: number[]
  #working: Promise<void> | undefined
  #closed = false

  constructor(memory: ArenaMemory, space: ArenaSpace, segments: readonly number[]) {
    this.#memory = memory
    this.#space = space
    this.#segments = segments
    this.#present = segments.map(() => 0)
  }

  /** The arena is used further than before, perhaps. */
  grown(): void {
    if (this.#working !== undefined || this.#closed || this.#next() === undefined) return
    this.#working = this.#work().finally(() => (this.#working = undefined))
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#working
  }

  async #work(): Promise<void> {
    for (let next = this.#next(); next !== undefined && !this.#closed; next = this.#next()) {
      const { segment, offset, sizeBytes } = next
      this.#present[segment] = offset + sizeBytes
      // Memory is short, or the kernel is old: then pages are made when they are written.
      if (!(await this.#memory.populate(next))) return this.#stop()
    }
  }

  #stop(): void {
    this.#closed = true
  }

  #next(): { segment: number; offset: number; sizeBytes: number } | undefined {
    for (const [segment, sizeBytes] of this.#segments.entries()) {
      const frontier = this.#space.frontier(segment)
      if (frontier === 0) return undefined
      const ahead = roundUp(Math.min(mostAheadBytes, sizeBytes / 8, frontier))
      const from = Math.max(frontier, this.#present[segment] as number)
      const to = Math.min(sizeBytes, frontier + ahead)
      // Half of it used up is time for more.
      if (from < sizeBytes && to - from > ahead / 2)
        return { segment, offset: from, sizeBytes: Math.min(stepBytes, to - from) }
    }
    return undefined
  }
}
