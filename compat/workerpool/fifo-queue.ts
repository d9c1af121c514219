/**
 * The queue of a pool that runs what came first first. Tasks that were sent ahead of their turn wait in it all the same,
 * as the original would have it:
 *
 *     sent to workers: 3 5 7 | 4 6 8     waiting: 9 10 11 ...
 */
import type { QueuedTask, TaskQueue } from './original.ts'

/** So many places in front may stand empty. */
const mostEmpty = 1024

export class FifoQueue implements TaskQueue {
  /** From `#head` on, in their order; before that there is nothing any more. */
  #waiting: (QueuedTask | undefined)[] = []
  #head = 0
  readonly #sent = new Set<QueuedTask>()
  #nextPlace = 0
  #chosen: QueuedTask | undefined

  push(task: QueuedTask): void {
    task.place = this.#nextPlace++
    this.#waiting.push(task)
  }

  /** The task that was chosen, or the first that was not sent. */
  pop(): QueuedTask | undefined {
    const chosen = this.#chosen
    if (chosen === undefined) return this.#shift()
    this.#chosen = undefined
    this.#sent.delete(chosen)
    return chosen
  }

  size(): number {
    return this.#waiting.length - this.#head + this.#sent.size
  }

  contains(task: QueuedTask): boolean {
    return this.#sent.has(task) || this.#waiting.includes(task, this.#head)
  }

  clear(): void {
    this.#waiting = []
    this.#head = 0
    this.#sent.clear()
    this.#chosen = undefined
  }

  /** The next `pop` gives this one, which was sent ahead. */
  choose(task: QueuedTask): void {
    this.#chosen = task
  }

  /** The first that was not sent. */
  get first(): QueuedTask | undefined {
    return this.#waiting[this.#head]
  }

  /** It is sent ahead of its turn. */
  sendFirst(): void {
    const task = this.#shift()
    if (task !== undefined) this.#sent.add(task)
  }

  /** One that was sent is over, or runs, without having been popped. */
  drop(task: QueuedTask): void {
    this.#sent.delete(task)
  }

  /** These were sent ahead, in this order, and have not started. */
  putBack(tasks: readonly QueuedTask[]): void {
    const all = tasks.filter((task) => this.#sent.delete(task))
    const last = all.at(-1)
    if (last === undefined) return
    // Others may have come back before, from another worker.
    for (let { first } = this; first !== undefined && first.place < last.place; { first } = this) {
      all.push(first)
      this.#shift()
    }
    all.sort((one, other) => one.place - other.place)
    this.#waiting.splice(0, this.#head, ...all)
    this.#head = 0
  }

  #shift(): QueuedTask | undefined {
    const task = this.#waiting[this.#head]
    if (task === undefined) return undefined
    this.#waiting[this.#head++] = undefined
    if (this.#head > mostEmpty && this.#head * 2 > this.#waiting.length) {
      this.#waiting.splice(0, this.#head)
      this.#head = 0
    }
    return task
  }
}
