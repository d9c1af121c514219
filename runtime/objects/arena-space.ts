/**
 * Which pages of an arena are free. Pure: it counts pages, and touches none.
 *
 *     segment:  [ room | free | room | free | ............ untouched ............ ]
 *                                           ^ frontier
 *
 * Free runs below the frontier have been written before: their pages exist, and writing to them is seven times faster
 * than to fresh ones. So they are used first, the one that was freed last before others; what lies behind the frontier
 * is taken when nothing below it is large enough. Runs are kept by size class (powers of two), and by both of their
 * ends, so that neighbours are joined at once: taking and giving back cost the same for any number of runs.
 */

/** A run of pages of one segment. */
export interface Room {
  readonly segment: number
  /** In bytes, multiples of the page. */
  readonly offset: number
  readonly sizeBytes: number
}

/** Every object begins at a multiple of this: a map begins at a page. */
export const pageBytes: number = 4096

interface Run {
  segment: number
  offset: number
  sizeBytes: number
  /** Position in the list of its class. */
  place: number
}

interface Segment {
  readonly sizeBytes: number
  frontier: number
  /** Free runs below the frontier by the offset at which they begin, and end. */
  readonly byStart: Map<number, Run>
  readonly byEnd: Map<number, Run>
}

const classes = 48

export class ArenaSpace {
  readonly capacityBytes: number
  readonly #segments: readonly Segment[]
  readonly #classes: Run[][] = Array.from({ length: classes }, () => [])
  #usedBytes = 0

  /** Sizes of the segments in bytes, multiples of the page. */
  constructor(segments: readonly number[]) {
    this.#segments = segments.map((sizeBytes) => ({ sizeBytes, frontier: 0, byStart: new Map(), byEnd: new Map() }))
    this.capacityBytes = segments.reduce((sum, sizeBytes) => sum + sizeBytes, 0)
  }

  get usedBytes(): number {
    return this.#usedBytes
  }

  get freeBytes(): number {
    return this.capacityBytes - this.#usedBytes
  }

  /** What the largest possible room would be. */
  get largestBytes(): number {
    return this.#segments.reduce((most, { sizeBytes }) => Math.max(most, sizeBytes), 0)
  }

  /** How far a segment has ever been used. */
  frontier(segment: number): number {
    return this.#segments[segment]?.frontier ?? 0
  }

  /** Room for so many bytes, rounded up to pages; undefined where no free run is long enough. */
  take(sizeBytes: number): Room | undefined {
    const needed = Math.max(pageBytes, roundUp(sizeBytes))
    const room = this.#takeUsed(needed) ?? this.#takeFresh(needed)
    if (room !== undefined) this.#usedBytes += needed
    return room
  }

  /** Gives a room back, or a part of one. Throws where it is free already: two owners of one page are a bug. */
  give({ segment: index, offset, sizeBytes }: Room): void {
    const segment = this.#segments[index]
    if (segment === undefined || offset < 0 || offset % pageBytes !== 0 || sizeBytes % pageBytes !== 0)
      throw new RangeError(`no room of this arena: ${sizeBytes} bytes at ${offset} of segment ${index}`)
    if (sizeBytes <= 0) return
    if (offset + sizeBytes > segment.frontier || segment.byStart.has(offset) || segment.byEnd.has(offset + sizeBytes))
      throw new RangeError(`freed twice: ${sizeBytes} bytes at ${offset} of segment ${index}`)
    this.#usedBytes -= sizeBytes
    const before = segment.byEnd.get(offset)
    const after = segment.byStart.get(offset + sizeBytes)
    let run = { segment: index, offset, sizeBytes, place: 0 }
    if (before !== undefined) {
      this.#remove(before)
      run = { ...run, offset: before.offset, sizeBytes: run.sizeBytes + before.sizeBytes }
    }
    if (after !== undefined) {
      this.#remove(after)
      run = { ...run, sizeBytes: run.sizeBytes + after.sizeBytes }
    }
    this.#add(run)
  }

  /** Throws where the runs overlap, touch, or do not add up. */
  validate(): void {
    let free = 0
    for (const [index, segment] of this.#segments.entries()) {
      let end = -1
      for (const run of [...segment.byStart.values()].sort((a, b) => a.offset - b.offset)) {
        if (run.offset <= end) throw new Error(`free runs of segment ${index} touch at ${run.offset}`)
        end = run.offset + run.sizeBytes
        if (segment.byEnd.get(end) !== run) throw new Error(`the run at ${run.offset} is not known by its end`)
        if (this.#classes[classOf(run.sizeBytes)]?.[run.place] !== run)
          throw new Error(`the run at ${run.offset} is not in its class`)
        free += run.sizeBytes
      }
      if (end > segment.frontier) throw new Error(`segment ${index} has a free run behind its frontier`)
      free += segment.sizeBytes - segment.frontier
    }
    if (free !== this.freeBytes) throw new Error(`${this.freeBytes} bytes are said to be free, ${free} are`)
  }

  #takeUsed(needed: number): Room | undefined {
    // Every run of a higher class is long enough; of its own class some may be.
    const first = classOf(needed)
    const own = this.#classes[first] ?? []
    for (let i = own.length - 1; i >= 0; i--) {
      const run = own[i] as Run
      if (run.sizeBytes >= needed) return this.#cut(run, needed)
    }
    for (let at = first + 1; at < classes; at++) {
      const run = this.#classes[at]?.at(-1)
      if (run !== undefined) return this.#cut(run, needed)
    }
    return undefined
  }

  #cut(run: Run, needed: number): Room {
    this.#remove(run)
    const { segment, offset, sizeBytes } = run
    if (sizeBytes > needed) this.#add({ segment, offset: offset + needed, sizeBytes: sizeBytes - needed, place: 0 })
    return { segment, offset, sizeBytes: needed }
  }

  #takeFresh(needed: number): Room | undefined {
    for (const [index, segment] of this.#segments.entries()) {
      // A free run that ends at the frontier is the beginning of what is free there.
      const last = segment.byEnd.get(segment.frontier)
      const offset = last?.offset ?? segment.frontier
      if (offset + needed > segment.sizeBytes) continue
      if (last !== undefined) this.#remove(last)
      segment.frontier = offset + needed
      return { segment: index, offset, sizeBytes: needed }
    }
    return undefined
  }

  #add(run: Run): void {
    const { byStart, byEnd } = this.#segments[run.segment] as Segment
    byStart.set(run.offset, run)
    byEnd.set(run.offset + run.sizeBytes, run)
    run.place = (this.#classes[classOf(run.sizeBytes)] as Run[]).push(run) - 1
  }

  #remove(run: Run): void {
    const { byStart, byEnd } = this.#segments[run.segment] as Segment
    byStart.delete(run.offset)
    byEnd.delete(run.offset + run.sizeBytes)
    const list = this.#classes[classOf(run.sizeBytes)] as Run[]
    const last = list.pop() as Run
    if (last === run) return
    list[run.place] = last
    last.place = run.place
  }
}

export function roundUp(sizeBytes: number): number {
  return Math.ceil(sizeBytes / pageBytes) * pageBytes
}

/** Runs of class c have at least 2^c pages, and fewer than 2^(c+1). */
function classOf(sizeBytes: number): number {
  return Math.floor(Math.log2(sizeBytes / pageBytes))
}
