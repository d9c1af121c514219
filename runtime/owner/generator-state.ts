/**
 * One remote generator, as its owner sees it: which items may be made, which have come, which were taken. Pure.
 *
 *     0 ......... taken ......... arrived ........ allowed
 *     |  consumed   |   buffered    |  may be made    |  back-pressure
 *
 * - Items are counted by index. Each is an object of the owner, whose number is chosen ahead of it, in blocks: a worker
 *   stores a large item under its number before it tells of it.
 * - A worker may be `items` ahead of the consumer. It is told more when half of that was taken, or half of the bytes
 *   that it may be ahead; it counts bytes itself. So whoever waits has either something to take, or has told.
 * - A consumer that finds nothing, and has taken all that might be made when it found nothing the last time, waits for
 *   what its own word lets be made: from then on that is twice as many, up to `mostItems`. Such a word wakes both
 *   processes, which takes many times what a small item does. No generator is further ahead of a slower consumer for it.
 * - An attempt that is run again begins where items stopped to arrive: those below are made and not sent, but for those
 *   that were lost meanwhile. What had not arrived gets new numbers, as the dead worker may have stored something under
 *   the old ones.
 */
import { NumberQueue } from './number-queue.ts'

/**
 * Items `index` to `index + count - 1` may be made, as the objects `number` and following; `taken` were consumed. `again`
 * instead of `taken`: these were made before, and are to be sent once more. `inAll` instead of `count`: there were `index`
 * items, and there must be as many again.
 */
export interface Allowance {
  readonly index: number
  readonly number: number
  readonly count: number
  readonly taken: number
}

export interface GeneratorPorts {
  /** Takes consecutive object numbers; returns the first. */
  allocate(count: number): number
  /** No item will be there. `stored`: a worker may have put one there all the same. */
  giveUp(number: number, count: number, stored: boolean): void
  /** Tells the worker of the present attempt. */
  allow(allowance: Allowance): void
}

/** What a generator has made: how many items, and those that lie in a store, in their order. */
export interface GeneratorItems {
  readonly count: number
  readonly stored: readonly { readonly index: number; readonly number: number }[]
}

/** How far a generator may be ahead of its consumer. */
export interface GeneratorLimits {
  /** At first. */
  readonly items: number
  /** Where its consumer waits for it. */
  readonly mostItems: number
  readonly bytes: number
}

export const again = -1
export const inAll = -1

interface Block {
  readonly index: number
  readonly number: number
  count: number
}

export class GeneratorState {
  readonly #ports: GeneratorPorts
  readonly #mostItems: number
  readonly #bytes: number
  #items: number
  /** How many might be made when the consumer found nothing the last time; 0 where none might. */
  #allowedThen = 0
  /** Those of items that were not taken, in order and without a gap. */
  readonly #blocks: Block[] = []
  readonly #sizes = new NumberQueue()
  #attempt = -1
  #taken = 0
  #arrived = 0
  #allowed = 0
  #untold = 0
  #untoldBytes = 0
  /** Where the present attempt began; bytes of what came of it and its worker was not told that it was taken. */
  #from = 0
  #ahead = 0
  #untoldAhead = 0
  #ended = false

  constructor(ports: GeneratorPorts, { items, mostItems, bytes }: GeneratorLimits) {
    this.#ports = ports
    this.#items = items
    this.#mostItems = mostItems
    this.#bytes = bytes
  }

  /** Items that have come: all attempts together, each once. */
  get arrived(): number {
    return this.#arrived
  }

  get buffered(): number {
    return this.#arrived - this.#taken
  }

  /**
   * The worker may make nothing more before items are taken: its consumer is behind. One that makes again what there was
   * before counts as paused, too, where nothing more than that may be made.
   */
  get paused(): boolean {
    if (this.#ended || this.#attempt < 0) return false
    return this.#arrived === this.#allowed || this.#ahead >= this.#bytes
  }

  /** No item will come any more. */
  get ended(): boolean {
    return this.#ended
  }

  /**
   * The task goes to a worker, which makes `lost` items once more. A worker that gave it back unstarted has made
   * nothing: its numbers stand.
   */
  pushed(attempt: number, lost: GeneratorItems['stored'] = []): void {
    if (this.#ended) return
    for (const { index, number } of lost) this.#ports.allow({ index, number, count: 1, taken: again })
    if (this.#attempt >= 0 && attempt !== this.#attempt) this.#giveUp(true)
    this.#attempt = attempt
    this.#from = this.#arrived
    this.#ahead = 0
    this.#untoldAhead = 0
    this.#extend()
    let told = this.#arrived
    for (const { index, number, count } of this.#blocks) {
      const skipped = Math.max(0, this.#arrived - index)
      if (skipped >= count) continue
      this.#tell({ index: index + skipped, number: number + skipped, count: count - skipped })
      told = index + count
    }
    // Everything that may be made is here already: the worker must know where to begin all the same.
    if (told === this.#arrived) this.#tell({ index: told, number: 0, count: 0 })
  }

  /** An item. False: it is not the one that comes next, and of an attempt that is over. */
  item(number: number, sizeBytes: number): boolean {
    if (this.#ended || this.#arrived >= this.#allowed || number !== this.#numberOf(this.#arrived)) return false
    this.#arrived++
    this.#sizes.push(sizeBytes)
    this.#ahead += sizeBytes
    return true
  }

  /** The next item goes to the consumer; undefined while none is here. */
  take(): number | undefined {
    if (this.buffered === 0) {
      this.#foundNothing()
      return undefined
    }
    const isOfAttempt = this.#taken >= this.#from
    const number = this.#numberOf(this.#taken++)
    const [first] = this.#blocks
    if (first !== undefined && first.index + first.count <= this.#taken) this.#blocks.shift()
    this.#untold++
    const sizeBytes = this.#sizes.shift() as number
    this.#untoldBytes += sizeBytes
    if (isOfAttempt) this.#untoldAhead += sizeBytes
    if (this.#untold * 2 >= this.#items || this.#untoldBytes * 2 >= this.#bytes) this.#allowMore()
    return number
  }

  /** The task has settled, by the answer of its worker or from outside. What has come can still be taken. */
  end(answered: boolean): void {
    if (this.#ended) return
    this.#ended = true
    this.#giveUp(!answered && this.#attempt >= 0)
  }

  /** Object numbers of items that were not taken, and of those that may still come; for tests. */
  get numbers(): number {
    return this.#blocks.reduce((sum, { index, count }) => sum + count - Math.max(0, this.#taken - index), 0)
  }

  #numberOf(index: number): number {
    for (const block of this.#blocks) {
      if (index < block.index + block.count) return block.number + index - block.index
    }
    return 0
  }

  #foundNothing(): void {
    const wasHeldUp = this.#allowedThen > 0 && this.#arrived >= this.#allowedThen
    if (wasHeldUp && this.#items < this.#mostItems) {
      this.#items = Math.min(this.#items * 2, this.#mostItems)
      this.#allowMore()
    }
    this.#allowedThen = this.#allowed
  }

  #allowMore(): void {
    if (this.#ended || this.#attempt < 0) return
    const from = this.#allowed
    this.#extend()
    this.#tell({ index: from, number: this.#numberOf(from), count: this.#allowed - from })
  }

  #extend(): void {
    const count = this.#taken + this.#items - this.#allowed
    if (count <= 0) return
    this.#blocks.push({ index: this.#allowed, number: this.#ports.allocate(count), count })
    this.#allowed += count
  }

  /** The numbers of items that have not arrived. */
  #giveUp(stored: boolean): void {
    for (let last = this.#blocks.at(-1); last !== undefined; last = this.#blocks.at(-1)) {
      const kept = Math.max(0, this.#arrived - last.index)
      if (kept >= last.count) break
      this.#ports.giveUp(last.number + kept, last.count - kept, stored)
      last.count = kept
      if (kept > 0) break
      this.#blocks.pop()
    }
    this.#allowed = this.#arrived
  }

  #tell(what: Omit<Allowance, 'taken'>): void {
    this.#untold = 0
    this.#untoldBytes = 0
    this.#ahead -= this.#untoldAhead
    this.#untoldAhead = 0
    this.#ports.allow({ ...what, taken: this.#taken })
  }
}
