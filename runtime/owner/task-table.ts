/**
 * What an owner knows of each task and of each object it owns, in pages of typed arrays keyed by plain numbers: a
 * million entries cost about 45 bytes each and nothing for the garbage collector to visit.
 *
 *     number 0x1003  ->  page 1, slot 3
 *
 * A task's number is the number of its first result; further results take the next numbers, where only the object's
 * columns are used. A page is dropped when none of its numbers is in use.
 */
import { maxTaskNumber } from '../base/ids.ts'

/** The life of a task, in its owner's eyes. The transitions are in `submit-state.ts`. */
export const TaskState = { none: 0, waiting: 1, queued: 2, pushed: 3, ending: 4, settled: 5 } as const

const pageBits = 12
const pageSize = 1 << pageBits

/** In `argsChunk`: no task, or one that has settled. */
export const noChunk: number = -1
/** In `argsChunk`: a task without arguments, of which nothing is kept. */
export const emptyChunk: number = -3
/** In `argsChunk`: an item of a generator, whose distance from its task is in `sequence`. */
export const itemChunk: number = -4

export class TaskPage {
  /** Numbers of this page in use. */
  live = 0
  readonly used: Uint8Array = new Uint8Array(pageSize)
  readonly state: Uint8Array = new Uint8Array(pageSize)
  readonly attempt: Uint16Array = new Uint16Array(pageSize)
  /** Retries that are left; -1 is without end. */
  readonly retries: Int16Array = new Int16Array(pageSize)
  readonly template: Uint32Array = new Uint32Array(pageSize)
  /** Index of the lease it was pushed to, plus 1; 0 for none. */
  readonly lease: Uint32Array = new Uint32Array(pageSize)
  readonly sequence: Uint32Array = new Uint32Array(pageSize)
  readonly argsChunk: Int32Array = new Int32Array(pageSize).fill(noChunk)
  readonly argsOffset: Uint32Array = new Uint32Array(pageSize)
  readonly argsLength: Uint32Array = new Uint32Array(pageSize)
  /** Local handles and pins of the object. */
  readonly references: Int32Array = new Int32Array(pageSize)
  /** What waits for the object, or what became of it; undefined while nobody asked and nothing came. */
  readonly slot: unknown[] = new Array<unknown>(pageSize).fill(undefined)
}

export class TaskTable {
  #pages = new Map<number, TaskPage>()
  #next = 1
  #lastIndex = -1
  #lastPage: TaskPage | undefined
  /** Numbers in use. */
  size = 0
  /** There are some again. */
  onFirst: (() => void) | undefined

  /** Takes `count` consecutive numbers; returns the first. */
  allocate(count = 1): number {
    const first = this.#next
    this.#next += count
    if (this.#next > maxTaskNumber) throw new RangeError('this process has used up its 48-bit task numbers')
    for (let number = first; number < first + count; number++) {
      const page = this.#ensure(number)
      page.used[number & (pageSize - 1)] = 1
      page.live++
    }
    this.size += count
    if (this.size === count) this.onFirst?.()
    return first
  }

  /** The page of a number, whether or not that number is in use. */
  page(number: number): TaskPage | undefined {
    const index = Math.floor(number / pageSize)
    if (index === this.#lastIndex) return this.#lastPage
    const page = this.#pages.get(index)
    if (page !== undefined) {
      this.#lastIndex = index
      this.#lastPage = page
    }
    return page
  }

  /** The page of a number that is in use. */
  at(number: number): TaskPage {
    const page = this.page(number)
    if (page === undefined) throw new Error(`task table: number ${number} is not in use`)
    return page
  }

  has(number: number): boolean {
    return this.page(number)?.used[number & (pageSize - 1)] === 1
  }

  /** Gives a number back; its columns are cleared. */
  release(number: number): void {
    const page = this.page(number)
    const slot = number & (pageSize - 1)
    if (page === undefined || page.used[slot] !== 1) throw new Error(`task table: number ${number} is released twice`)
    page.used[slot] = 0
    page.state[slot] = TaskState.none
    page.attempt[slot] = 0
    page.lease[slot] = 0
    page.argsChunk[slot] = noChunk
    page.references[slot] = 0
    page.slot[slot] = undefined
    this.size--
    if (--page.live > 0) return
    const index = Math.floor(number / pageSize)
    // The page that numbers are being taken from stays, or a lone task in flight would make a new one each time.
    if (index === Math.floor(this.#next / pageSize)) return
    this.#pages.delete(index)
    if (index === this.#lastIndex) {
      this.#lastIndex = -1
      this.#lastPage = undefined
    }
  }

  /** Every number in use, in order of creation. */
  *numbers(): Generator<number> {
    for (const [index, page] of this.#pages) {
      for (let slot = 0; slot < pageSize; slot++) if (page.used[slot] === 1) yield index * pageSize + slot
    }
  }

  #ensure(number: number): TaskPage {
    const index = Math.floor(number / pageSize)
    if (index === this.#lastIndex) return this.#lastPage as TaskPage
    let page = this.#pages.get(index)
    if (page === undefined) {
      page = new TaskPage()
      this.#pages.set(index, page)
    }
    this.#lastIndex = index
    this.#lastPage = page
    return page
  }
}

/** The slot of a number within its page. */
export function slotOf(number: number): number {
  return number & (pageSize - 1)
}

/** The references of objects, as the reference protocol counts them. */
export class TableCounts {
  readonly #table: TaskTable

  constructor(table: TaskTable) {
    this.#table = table
  }

  get(number: number): number {
    return this.#table.page(number)?.references[slotOf(number)] ?? 0
  }

  set(number: number, value: number): void {
    this.#table.at(number).references[slotOf(number)] = value
  }
}
