/**
 * One running generator, as its worker sees it: whether the next item may be made, and which object it is. Pure.
 *
 *     1 not told --allow(from)--> 2 making --(all allowed made, or too many bytes ahead)--> 3 paused
 *                                      ^--------------------------allow---------------------+
 *
 * `from` is where the deliveries of earlier attempts ended: items below it are made again and not sent, but for those
 * that were lost since, which it is told of first.
 */
import { again, inAll } from '../owner/generator-state.ts'
import { NumberQueue } from '../owner/number-queue.ts'

interface Block {
  readonly number: number
  readonly count: number
}

export class ItemWindowState {
  readonly #bytes: number
  /** Of what is to come, in order; the first is used up to `#used`. */
  readonly #blocks: Block[] = []
  readonly #sizes = new NumberQueue()
  #used = 0
  #from = -1
  #end = -1
  #made = 0
  /** Items below `from` that are to be sent once more. */
  readonly #lost: { readonly index: number; readonly number: number }[] = []
  #isAgain = false
  /** There were so many, and must be again. */
  #total = Number.POSITIVE_INFINITY
  #taken = 0
  /** Of items that were sent and not taken. */
  #ahead = 0

  /** `bytes`: how far it may be ahead of the consumer, beside the count that it is told. */
  constructor(bytes: number) {
    this.#bytes = bytes
  }

  /** Items made, those included that were not sent. */
  get made(): number {
    return this.#made
  }

  /** Items that earlier attempts delivered. */
  get from(): number {
    return Math.max(0, this.#from)
  }

  /** More may be made, from `index` on; one that was heard before changes nothing. */
  allow(index: number, number: number, count: number, taken: number): void {
    if (taken === again) {
      if (this.#from < 0 && index > (this.#lost.at(-1)?.index ?? -1)) this.#lost.push({ index, number })
      return
    }
    if (this.#from < 0) {
      this.#from = index
      this.#end = index
      this.#taken = index
      if (count === inAll) this.#total = index
    }
    if (index === this.#end && count > 0) {
      this.#blocks.push({ number, count })
      this.#end += count
    }
    // What the consumer took of earlier attempts is no concern of this one.
    while (this.#taken < taken && this.#sizes.size > 0) {
      this.#ahead -= this.#sizes.shift() as number
      this.#taken++
    }
  }

  /** As many were made as there were before, where that is known. */
  get isWhole(): boolean {
    return this.#made === this.#total
  }

  get mayMake(): boolean {
    if (this.#from < 0) return false
    // Where all were made before, that it ends is to be seen.
    if (this.#made < this.#from || this.#total === this.#from) return true
    return this.#made < this.#end && (this.#ahead < this.#bytes || this.#sizes.size === 0)
  }

  /** The next item is made: the object that it is, or undefined where it was delivered before. */
  make(): number | undefined {
    const index = this.#made++
    const [lost] = this.#lost
    this.#isAgain = lost?.index === index
    if (this.#isAgain) this.#lost.shift()
    if (index < this.#from) return this.#isAgain ? lost?.number : undefined
    const [block] = this.#blocks
    if (block === undefined) throw new Error('invariant broken: an item is made that was not allowed')
    const number = block.number + this.#used++
    if (this.#used === block.count) {
      this.#blocks.shift()
      this.#used = 0
    }
    return number
  }

  /** The item that was just made is on its way. */
  sent(sizeBytes: number): void {
    if (this.#isAgain) return
    this.#sizes.push(sizeBytes)
    this.#ahead += sizeBytes
  }
}
