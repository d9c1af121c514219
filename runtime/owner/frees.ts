/**
 * Node managers are told which objects of this process are gone. A link that breaks may have lost what it carried last:
 * that is told again over the next one. And copies are freed of which the directory does not know: what an attempt had
 * stored whose worker then died, what was brought here for a read that failed.
 */
import { NodeDiedError } from '../base/errors.ts'
import { type NodeId, objectKey, type ObjectNumber } from '../base/ids.ts'
import { MessageType, type Holder, type RefTuple } from '../protocol/messages.ts'
import type { OwnerHost } from './host.ts'
import type { NodeLinks } from './node-links.ts'
import type { ObjectTable } from './object-table.ts'
import type { TaskTable } from './task-table.ts'

/** As many as a link may lose at its end. */
const mostRemembered = 8_192
/** A node that cannot be reached is tried again after this, until it is declared dead, in milliseconds. */
const againMs = 1_000

export interface FreesParts {
  readonly host: OwnerHost
  readonly nodes: NodeLinks
  readonly objects: ObjectTable
  readonly table: TaskTable
}

export class Frees {
  readonly #host: OwnerHost
  readonly #nodes: NodeLinks
  readonly #objects: ObjectTable
  readonly #table: TaskTable
  /** What each node was told over its present link, the oldest first. */
  readonly #told = new Map<NodeId, ObjectNumber[]>()
  /** What nodes could not be told yet. */
  readonly #owed = new Map<NodeId, ObjectNumber[]>()
  readonly #strays = new Map<ObjectNumber, Set<NodeId>>()
  /** Nothing is owed to these, whatever comes of what was sent to them before. */
  readonly #dead = new Set<NodeId>()
  #closed = false

  constructor({ host, nodes, objects, table }: FreesParts) {
    this.#host = host
    this.#nodes = nodes
    this.#objects = objects
    this.#table = table
  }

  /** Objects that may have copies nobody knows of, and what is owed to nodes. */
  get size(): number {
    return this.#strays.size + this.#owed.size
  }

  /** An object is freed where it lies. */
  free(number: ObjectNumber, holders: readonly Holder[]): void {
    const { self, store } = this.#host
    for (const [node, process] of holders)
      if (process === self.process) void store.delete(objectKey({ owner: process, number })).catch(() => {})
      else this.tell(node, number)
  }

  /** The home was asked for a copy of an object of this process, and may get it when nobody waits for it any more. */
  mayComeHere([owner, number]: RefTuple): void {
    const { self, storeHolder } = this.#host
    if (owner === self.process && storeHolder[1] === self.node) this.stray(self.node, number)
  }

  /** The object has no value any more: the store of that node lets go of it. */
  tell(node: NodeId, number: ObjectNumber): void {
    if (this.#dead.has(node)) return
    let told = this.#told.get(node)
    if (told === undefined) this.#told.set(node, (told = []))
    told.push(number)
    if (told.length > 2 * mostRemembered) told.splice(0, told.length - mostRemembered)
    this.#send(node, [number])
  }

  /** A copy may lie there, until the object is gone. */
  stray(node: NodeId, number: ObjectNumber): void {
    if (this.#dead.has(node)) return
    const nodes = this.#strays.get(number)
    if (nodes === undefined) this.#strays.set(number, new Set([node]))
    else nodes.add(node)
  }

  /** Whether that node will be told once the object is gone. */
  isStray(node: NodeId, number: ObjectNumber): boolean {
    return this.#strays.get(number)?.has(node) === true
  }

  /** An attempt of a task ended with its worker: results of it may lie in the store of that node, whatever comes after. */
  leftBehind(task: ObjectNumber, results: number, node: NodeId): void {
    for (let number = task; number < task + results; number++) this.untaken(number, node)
  }

  /** A result that nobody takes may lie on that node; under its name there may be another one that is taken. */
  untaken(number: ObjectNumber, node: NodeId): void {
    if (this.#table.has(number)) this.stray(node, number)
    else this.tell(node, number)
  }

  /** The object is gone: strays of it are, too. */
  dropped(number: ObjectNumber): void {
    const nodes = this.#strays.get(number)
    if (nodes === undefined) return
    this.#strays.delete(number)
    for (const node of nodes) this.tell(node, number)
  }

  linkGone(node: NodeId): void {
    const told = this.#told.get(node)
    if (told === undefined || this.#closed) return
    // Made again meanwhile, it is not to be freed.
    const numbers = told.slice(-mostRemembered).filter((number) => !this.#stands(node, number))
    this.#told.set(node, numbers)
    if (numbers.length > 0) this.#send(node, numbers)
  }

  nodeDead(node: NodeId): void {
    this.#dead.add(node)
    this.#told.delete(node)
    this.#owed.delete(node)
    for (const [number, nodes] of this.#strays) {
      nodes.delete(node)
      if (nodes.size === 0) this.#strays.delete(number)
    }
  }

  close(): void {
    this.#closed = true
    this.#told.clear()
    this.#owed.clear()
    this.#strays.clear()
  }

  #send(node: NodeId, numbers: readonly ObjectNumber[]): void {
    const { process } = this.#host.self
    const keys = numbers.map((number) => objectKey({ owner: process, number }))
    this.#nodes.send(node, [MessageType.free, keys], (reason) => this.#owe(node, numbers, reason))
  }

  #owe(node: NodeId, numbers: readonly ObjectNumber[], reason: Error): void {
    if (this.#closed || this.#dead.has(node) || reason instanceof NodeDiedError) return
    const owed = this.#owed.get(node)
    if (owed !== undefined) return void owed.push(...numbers)
    this.#owed.set(node, [...numbers])
    this.#host.clock.after(againMs, () => {
      const now = this.#owed.get(node) ?? []
      this.#owed.delete(node)
      const left = now.filter((number) => !this.#stands(node, number))
      if (left.length > 0) this.#send(node, left)
    })
  }

  #stands(node: NodeId, number: ObjectNumber): boolean {
    const outcome = this.#objects.outcome(number)
    return outcome?.[0] === 'stored' && outcome[2].some(([holder]) => holder === node)
  }
}
