/**
 * The remote generators of this process: their items as they come from workers, on their way to who consumes them.
 *
 *     push -> allow -> item, item, ... -> done | failed                    (what decides: generator-state.ts)
 *                        |                   |
 *                        +-> buffered -> next() ... then the end: the value of the task itself, or its error
 */
import { objectKey, type NodeId, type ObjectNumber, type ProcessId } from '../base/ids.ts'
import { generatorBytes, generatorItems } from '../base/limits.ts'
import { MessageType, type GeneratorResult, type Message, type RefTuple } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { type Allowance, type GeneratorPorts, GeneratorState } from './generator-state.ts'
import type { OwnerHost } from './host.ts'
import type { NodeLinks } from './node-links.ts'
import type { ObjectTable } from './object-table.ts'
import type { OwnerValues } from './owner-values.ts'
import type { ReferenceState } from './reference-state.ts'
import type { TaskTable } from './task-table.ts'

export interface GeneratorParts {
  readonly host: OwnerHost
  readonly table: TaskTable
  readonly objects: ObjectTable
  readonly values: OwnerValues
  readonly nodes: NodeLinks
  references(): ReferenceState
  /** The task that stands at the lease of that link and epoch under that sequence; -1 where the message is late. */
  standing(link: Link, epoch: number, sequence: number): number
  cancel(number: number, reason: string): void
}

/** A number that no object has: what a late item contains belongs to nobody. */
const nobody = 0
const noRefs: readonly RefTuple[] = []

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
  open(number: number): OwnedGenerator {
    const generator = new OwnedGenerator(this.#parts, number)
    this.#open.set(number, generator)
    return generator
  }

  pushed(number: number, attempt: number, to: GeneratorPlace): void {
    this.#open.get(number)?.pushed(attempt, to)
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
      if (this.#takes(link, epoch, sequence, number, value.length)) {
        this.#parts.references().retainOwned(number)
        this.#parts.objects.settle(number, ['inline', value])
        this.#generatorAt(link, epoch, sequence)?.serve()
      }
      return true
    }
    if (message[0] !== MessageType.generatorResult) return false
    this.#result(link, message)
    return true
  }

  #result(link: Link, [, epoch, sequence, number, result, ackId]: GeneratorResult): void {
    const worker = link.peer
    const isStored = result[0] === 'stored'
    const taken = this.#takes(link, epoch, sequence, number, isStored ? result[1] : result[1].length)
    const references = this.#parts.references()
    if (taken) references.retainOwned(number)
    const results = [{ number: taken ? number : nobody, refs: result[2] }]
    if (result[2].length > 0) {
      references.replied({ worker, pins: noRefs, settled: true, borrowed: noRefs, results, ackId })
    }
    if (taken) {
      const { objects } = this.#parts
      objects.settle(number, isStored ? ['stored', result[1], [[worker.node, worker.node]]] : ['inline', result[1]])
      this.#generatorAt(link, epoch, sequence)?.serve()
    } else if (isStored) this.#parts.nodes.send(worker.node, [MessageType.free, [this.#keyOf(number)]], () => {})
  }

  #takes(link: Link, epoch: number, sequence: number, number: ObjectNumber, sizeBytes: number): boolean {
    return this.#generatorAt(link, epoch, sequence)?.item(number, sizeBytes) ?? false
  }

  #generatorAt(link: Link, epoch: number, sequence: number): OwnedGenerator | undefined {
    return this.#open.get(this.#parts.standing(link, epoch, sequence))
  }

  #keyOf(number: ObjectNumber): string {
    return objectKey({ owner: this.#parts.host.self.process, number })
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
  #leave: (() => void) | undefined
  #whenEnded: (() => void) | undefined
  #closed = false

  constructor(parts: GeneratorParts, number: number) {
    this.number = number
    this.#parts = parts
    this.#state = new GeneratorState(this, generatorItems, generatorBytes)
  }

  /** Who submitted it. */
  get process(): ProcessId {
    return this.#parts.host.self.process
  }

  /** Object number of the next item; undefined while none is here. */
  take(): ObjectNumber | undefined {
    return this.#state.take()
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
    this.#state.pushed(attempt)
  }

  item(number: ObjectNumber, sizeBytes: number): boolean {
    return this.#state.item(number, sizeBytes)
  }

  end(answered: boolean): void {
    this.#state.end(answered)
    this.#whenEnded?.()
    this.serve()
  }

  allocate(count: number): number {
    return this.#parts.table.allocate(count)
  }

  giveUp(number: number, count: number, stored: boolean): void {
    const { table, host, nodes } = this.#parts
    for (let i = 0; i < count; i++) table.release(number + i)
    const node: NodeId | undefined = this.#place?.link.peer.node
    if (!stored || node === undefined) return
    const keys = Array.from({ length: count }, (_, i) => objectKey({ owner: host.self.process, number: number + i }))
    nodes.send(node, [MessageType.free, keys], () => {})
  }

  allow({ index, number, count, taken }: Allowance): void {
    if (this.#place === undefined) return
    const { link, epoch, sequence } = this.#place
    link.send([MessageType.generatorAllow, epoch, sequence, index, number, count, taken])
  }

  #left(): void {
    this.#leave?.()
    this.#leave = undefined
  }
}
