/** A double-ended queue of numbers in one ring buffer that doubles as needed: no object per entry. */

/** Most queues of pinned workers never hold anything. */
const empty = new Float64Array(0)
/** A ring that grew beyond this is let go of when it is empty. */
const largestKept = 4096

export class NumberQueue {
  #ring = empty
  #head = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  push(value: number): void {
    if (this.#size === this.#ring.length) this.#grow()
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = value
    this.#size++
  }

  /** Puts a value in front of all others. */
  unshift(value: number): void {
    if (this.#size === this.#ring.length) this.#grow()
    this.#head = (this.#head - 1) & (this.#ring.length - 1)
    this.#ring[this.#head] = value
    this.#size++
  }

  shift(): number | undefined {
    if (this.#size === 0) return undefined
    const value = this.#ring[this.#head] as number
    this.#head = (this.#head + 1) & (this.#ring.length - 1)
    this.#size--
    if (this.#size === 0 && this.#ring.length > largestKept) this.#ring = empty
    if (this.#size === 0) this.#head = 0
    return value
  }

  peek(): number | undefined {
    return this.#size === 0 ? undefined : this.#ring[this.#head]
  }

  *[Symbol.iterator](): Generator<number> {
    for (let i = 0; i < this.#size; i++) yield this.#ring[(this.#head + i) & (this.#ring.length - 1)] as number
  }

  #grow(): void {
    const larger = new Float64Array(Math.max(16, this.#ring.length * 2))
    for (let i = 0; i < this.#size; i++) larger[i] = this.#ring[(this.#head + i) & (this.#ring.length - 1)] as number
    this.#ring = larger
    this.#head = 0
  }
}
