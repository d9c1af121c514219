/** A first-in first-out queue of numbers that also takes one back at its front; constant time, and no memory for what left. */
export class ChunkQueue {
  #items: number[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  push(chunk: number): void {
    this.#items.push(chunk)
  }

  pushFront(chunk: number): void {
    if (this.#head > 0) this.#items[--this.#head] = chunk
    else this.#items.unshift(chunk)
  }

  shift(): number | undefined {
    if (this.#head === this.#items.length) return undefined
    const chunk = this.#items[this.#head++]
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return chunk
  }

  clear(): number[] {
    const rest = this.#items.slice(this.#head)
    this.#items = []
    this.#head = 0
    return rest
  }
}
