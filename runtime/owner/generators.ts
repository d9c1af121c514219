/**
 * The remote generators of this process: their items as they come from workers, on their way to who consumes them.
 *
 *     push -> allow -> item, item, ... -> done | failed                    (what decides: generator-state.ts)
 *                        |                   |
 *                        +-> buffered -> next() ... then the end: the value of the task itself, or its error
 */
import type { NodeId, ObjectNumber, ProcessId } from '../base/ids.ts'
import { generatorBytes, generatorItems, mostGeneratorItems } from '../base/limits.ts'
import {
  MessageType,
  type GeneratorResult,
  type Message,
  type ObjectTuple,
  type RefTuple,
} from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import {
  again,
  type Allowance,
  type GeneratorItems,
  type GeneratorLimits,
  type GeneratorPorts,
  GeneratorState,
  inAll,
} from './generator-state.ts'
import type { OwnerHost } from './host.ts'
import type { LostObjects } from './lost-objects.ts'
import type { ObjectTable } from './object-table.ts'
import type { OwnerValues } from './owner-values.ts'
import type { ReferenceState } from './reference-state.ts'
import type { TaskTable } from './task-table.ts'

export interface GeneratorParts {
  readonly host: OwnerHost
  readonly table: TaskTable
  readonly objects: ObjectTable
  readonly values: OwnerValues
  references(): ReferenceState
  lost(): LostObjects
  /** The task that stands at the lease of that link and epoch under that sequence; -1 where the message is late. */
  standing(link: Link, epoch: number, sequence: number): number
  cancel(number: number, reason: string): void
  /** Whether a generator that has a time limit is held up by its consumer. */
  paused(number: number, isPaused: boolean): void
  /** Lets go of `refs` when the worker is done with a task that has settled. False where it is, or there is none. */
  keepLate(number: number, refs: readonly RefTuple[]): boolean
}

/** A number that no object has: what a late item contains belongs to nobody. */
const nobody = 0
const noRefs: readonly RefTuple[] = []
const limits: GeneratorLimits = { items: generatorItems, mostItems: mostGeneratorItems, bytes: generatorBytes }
const noItems: GeneratorItems = { count: 0, stored: [] }
/** Stored items that are noted before it is looked which of them are gone. */
const manyItems = 64

/** Where the present attempt runs. */
export interface GeneratorPlace {
  readonly link: Link
  readonly epoch: number
  readonly sequence: number
}

export class Generators {
  readonly #parts: GeneratorParts
  readonly #open = new Map<number, OwnedGenerator>()

  constructor(parts: GeneratorParts) {
    this.#parts = parts
  }

  /** Generators whose task has not settled. */
  get size(): number {
    return this.#open.size
  }

  /** For a task that is about to be submitted; the consumer holds its number. */
  open(number: number, isTimed: boolean): OwnedGenerator {
    const generator = new OwnedGenerator(this.#parts, number, isTimed)
    this.#open.set(number, generator)
    return generator
  }

  pushed(number: number, attempt: number, to: GeneratorPlace): void {
    const generator = this.#open.get(number)
    if (generator !== undefined) return generator.pushed(attempt, to)
    // It has ended before, and runs again for items that were lost.
    const { lineage, recovery } = this.#parts.lost()
    const { count, stored } = lineage.specOf(number)?.items ?? noItems
    const lost = stored.filter((item) => recovery.wantsItem(item.number))
    for (const { index, number: item } of lost) allow(to, { index, number: item, count: 1, taken: again })
    allow(to, { index: count, number: 0, count: inAll, taken: count })
  }

  /** What the generator of a task has made, when that is about to settle; undefined for any other task. */
  itemsOf(number: number): GeneratorItems | undefined {
    return this.#open.get(number)?.items
  }

  /** The task has settled, by its worker's `answer` or from outside; its outcome is kept until the consumer comes to it. */
  settled(number: number, answered: boolean): void {
    const generator = this.#open.get(number)
    this.#open.delete(number)
    generator?.end(answered)
  }

  /** An item of a running generator; false for any other message. */
  received(link: Link, message: Message): boolean {
    if (message[0] === MessageType.generatorItem) {
      const [, epoch, sequence, number, value] = message
      const task = this.#parts.standing(link, epoch, sequence)
      const generator = this.#open.get(task)
      if (generator?.item(number, value.length, false) === true) {
        this.#parts.references().retainOwned(number)
        this.#parts.objects.settle(number, ['inline', value])
        generator.serve()
      } else if (this.#wants(task, number)) this.#parts.lost().recovery.itemMade(number, ['inline', value])
      return true
    }
    if (message[0] !== MessageType.generatorResult) return false
    this.#result(link, message)
    return true
  }

  /** Whether an item that is not the next one was lost, and is here again. */
  #wants(task: number, number: ObjectNumber): boolean {
    const { objects } = this.#parts
    if (!objects.isItem(number) || objects.taskOf(number) !== task) return false
    return this.#parts.lost().recovery.wantsItem(number)
  }

  #result(link: Link, [, epoch, sequence, number, result, ackId]: GeneratorResult): void {
    const worker = link.peer
    const isStored = result[0] === 'stored'
    const outcome: ObjectTuple = isStored ? ['stored', result[1], [[worker.node, worker.node]]] : ['inline', result[1]]
    const task = this.#parts.standing(link, epoch, sequence)
    const generator = this.#open.get(task)
    const isNext = generator?.item(number, isStored ? result[1] : result[1].length, isStored) === true
    const references = this.#parts.references()
    if (isNext) references.retainOwned(number)
    const isTaken = isNext || this.#wants(task, number)
    if (result[2].length > 0) {
      const results = [{ number: isTaken ? number : nobody, refs: result[2] }]
      references.replied({ worker, pins: noRefs, settled: true, borrowed: noRefs, results, ackId })
    }
    if (isNext) {
      this.#parts.objects.settle(number, outcome)
      generator?.serve()
    } else if (isTaken) this.#parts.lost().recovery.itemMade(number, outcome)
    else if (isStored) this.#parts.values.frees.tell(worker.node, number)
  }
}

/** Called once, when an item is here (which it takes), or no more will come. */
type Waiter = () => void

/** One generator between its task and its consumer. Whoever consumes it holds its items from `take` on. */
export class OwnedGenerator implements GeneratorPorts {
  /** Of its task. */
  readonly number: number
  readonly #parts: GeneratorParts
  readonly #state: GeneratorState
  readonly #waiters: Waiter[] = []
  #place: GeneratorPlace | undefined
  /** Where what is not taken may lie: of the attempt before while the next one begins. */
  #node: NodeId | undefined
  #leave: (() => void) | undefined
  #whenEnded: (() => void) | undefined
  #closed = false
  #isRead = false
  /** Whether it has a time limit, and whether it was said that it is paused. */
  readonly #isTimed: boolean
  #isPaused = false
  /** Items that lie in a store, those included that nobody holds any more. */
  #stored: GeneratorItems['stored'][number][] = []
  #lookAt = manyItems

  constructor(parts: GeneratorParts, number: number, isTimed: boolean) {
    this.number = number
    this.#isTimed = isTimed
    this.#parts = parts
    this.#state = new GeneratorState(this, limits)
  }

  /** Who submitted it. */
  get process(): ProcessId {
    return this.#parts.host.self.process
  }

  /** Object number of the next item; undefined while none is here. */
  take(): ObjectNumber | undefined {
    const number = this.#state.take()
    if (number !== undefined) this.read()
    if (this.#isTimed) this.#tellPause()
    return number
  }

  /** Somebody consumes it. Where it fails ahead of what he takes, that is no failure that nobody asked about. */
  read(): void {
    if (this.#isRead || this.#closed) return
    this.#isRead = true
    this.#parts.objects.passedOn(this.number)
  }

  /** Nothing will come that is not here. */
  get ended(): boolean {
    return this.#state.ended
  }

  /** Called back when the task has settled. */
  whenEnded(then: () => void): void {
    if (this.#state.ended) then()
    else this.#whenEnded = then
  }

  /** Calls back when something is here, or nothing will come; in the order of the calls. The process waits until then. */
  wait(waiter: Waiter): void {
    this.#leave ??= this.#parts.host.enterWait()
    this.#waiters.push(waiter)
  }

  /** What the generator returned, or the error that it ended with. Once, after `ended`. */
  async result(): Promise<unknown> {
    const { process, node } = this.#parts.host.self
    try {
      return await this.#parts.values.get([process, this.number, node])
    } finally {
      this.close()
    }
  }

  /** The consumer takes no more: a task that runs is cancelled, what was not taken is freed. May be called again. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (!this.#state.ended) this.#parts.cancel(this.number, 'its consumer takes no more of its items')
    const { values, host } = this.#parts
    for (let item = this.#state.take(); item !== undefined; item = this.#state.take()) {
      values.release(host.self.process, item)
    }
    values.release(host.self.process, this.number)
    this.serve()
  }

  /** Wakes who waits, as many as there is something for. */
  serve(): void {
    while (this.#waiters.length > 0 && (this.#state.buffered > 0 || this.#state.ended || this.#closed)) {
      const waiter = this.#waiters.shift() as Waiter
      if (this.#waiters.length === 0) this.#left()
      waiter()
    }
  }

  pushed(attempt: number, to: GeneratorPlace): void {
    this.#place = to
    const { recovery } = this.#parts.lost()
    this.#state.pushed(
      attempt,
      this.#stored.filter(({ number }) => recovery.wantsItem(number)),
    )
    this.#node = to.link.peer.node
    this.#isPaused = false
    if (this.#isTimed) this.#tellPause()
  }

  item(number: ObjectNumber, sizeBytes: number, isStored: boolean): boolean {
    if (!this.#state.item(number, sizeBytes)) return false
    if (isStored) this.#note({ index: this.#state.arrived - 1, number })
    if (this.#isTimed) this.#tellPause()
    return true
  }

  get items(): GeneratorItems {
    const { values } = this.#parts
    return { count: this.#state.arrived, stored: this.#stored.filter(({ number }) => values.isHeld(number)) }
  }

  /** Those that are gone are looked for when there are twice as many as at the last look. */
  #note(item: GeneratorItems['stored'][number]): void {
    if (this.#stored.push(item) < this.#lookAt) return
    this.#stored = this.#stored.filter(({ number }) => this.#parts.values.isHeld(number))
    this.#lookAt = Math.max(manyItems, this.#stored.length * 2)
  }

  end(answered: boolean): void {
    this.#state.end(answered)
    this.#whenEnded?.()
    this.serve()
  }

  allocate(count: number): number {
    return this.#parts.objects.allocateItems(this.number, count)
  }

  giveUp(number: number, count: number, stored: boolean): void {
    const { table, host, values } = this.#parts
    const { process, node: home } = host.self
    const items = Array.from({ length: count }, (_, i): RefTuple => [process, number + i, home])
    if (!stored || this.#node === undefined) return items.forEach(([, item]) => table.release(item))
    for (const [, item] of items) {
      values.frees.stray(this.#node, item)
      this.#parts.references().retainOwned(item)
    }
    // A worker that runs on may store more of them, and be ended before it tells.
    if (this.#state.ended && this.#parts.keepLate(this.number, items)) return
    for (const [, item] of items) values.release(process, item)
  }

  allow(allowance: Allowance): void {
    if (this.#place !== undefined) allow(this.#place, allowance)
  }

  #tellPause(): void {
    const { paused } = this.#state
    if (paused !== this.#isPaused) this.#parts.paused(this.number, paused)
    this.#isPaused = paused
  }

  #left(): void {
    this.#leave?.()
    this.#leave = undefined
  }
}

function allow({ link, epoch, sequence }: GeneratorPlace, { index, number, count, taken }: Allowance): void {
  link.send([MessageType.generatorAllow, epoch, sequence, index, number, count, taken])
}
