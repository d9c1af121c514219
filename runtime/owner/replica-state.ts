/**
 * Objects that several nodes keep, as their owner sees to it. Each is, as long as it is referenced:
 *
 *               nobody is asked any more                    one that kept it is dead, or other nodes came
 *   1. copying --------------------------> 2. standing ------------------------------------------------> 1.
 *       |                                     (told once, the first time)
 *       +-- the first time, and nodes that could have taken it did not --> (gone: `failed`)
 *
 * It stands with fewer copies than wanted where there are no more nodes; it gets the others when nodes come. One that
 * stood and whose copy is lost is copied from another, as long as there is one.
 */
import type { NodeId, ObjectNumber } from '../base/ids.ts'
import type { NodeRow } from '../protocol/messages.ts'
import { placeReplicas } from '../scheduler/policy-replicas.ts'

export interface ReplicaEffects {
  /** Have that node keep a copy. Answers: `taken`, `refused`, or `nodeDead`. */
  ask(number: ObjectNumber, node: NodeId): void
  /** As many nodes keep it as were wanted, or as there are. Told once. */
  stands(number: ObjectNumber): void
  /** It cannot be kept by as many nodes as were wanted; instead of `stands`. */
  failed(number: ObjectNumber, reasons: readonly string[]): void
}

interface Replicated {
  readonly number: ObjectNumber
  readonly wanted: number
  readonly kept: Set<NodeId>
  readonly asked: Set<NodeId>
  /** Nodes that would not take it, and why; until there is news of the nodes. */
  readonly refused: Map<NodeId, string>
  stood: boolean
}

export class ReplicaState {
  readonly #effects: ReplicaEffects
  readonly #objects = new Map<ObjectNumber, Replicated>()
  #rows: readonly NodeRow[] = []

  constructor(effects: ReplicaEffects) {
    this.#effects = effects
  }

  get size(): number {
    return this.#objects.size
  }

  numbers(): readonly ObjectNumber[] {
    return [...this.#objects.keys()]
  }

  /** `kept`: the nodes that keep it already. */
  add(number: ObjectNumber, wanted: number, kept: readonly NodeId[], rows: readonly NodeRow[]): void {
    this.#rows = rows
    const object = { number, wanted, kept: new Set(kept), asked: new Set<NodeId>(), refused: new Map(), stood: false }
    this.#objects.set(number, object)
    this.#fill(object)
  }

  /** The nodes that there are now. */
  nodes(rows: readonly NodeRow[]): void {
    this.#rows = rows
    for (const object of [...this.#objects.values()]) {
      object.refused.clear()
      this.#fill(object)
    }
  }

  /** False where nobody refers to the object any more, or it was not asked of that node. */
  taken(number: ObjectNumber, node: NodeId): boolean {
    const object = this.#objects.get(number)
    if (object === undefined || !object.asked.delete(node)) return false
    object.kept.add(node)
    this.#fill(object)
    return true
  }

  refused(number: ObjectNumber, node: NodeId, reason: string): void {
    const object = this.#objects.get(number)
    if (object === undefined || !object.asked.delete(node)) return
    object.refused.set(node, reason)
    this.#fill(object)
  }

  nodeDead(node: NodeId): void {
    this.#rows = this.#rows.filter(({ id }) => id !== node)
    for (const object of [...this.#objects.values()]) {
      object.refused.delete(node)
      const lost = object.kept.delete(node)
      if (object.asked.delete(node) || lost) this.#fill(object)
    }
  }

  /** Nobody refers to it any more. */
  drop(number: ObjectNumber): void {
    this.#objects.delete(number)
  }

  close(): void {
    this.#objects.clear()
  }

  #fill(object: Replicated): void {
    const { number, wanted, kept, asked, refused } = object
    // Where nobody has it there is nothing to copy.
    const count = kept.size === 0 && object.stood ? 0 : wanted - kept.size - asked.size
    if (count > 0) {
      const request = { having: new Set([...kept, ...asked]), except: new Set(refused.keys()), count, turn: number }
      const chosen = placeReplicas(request, this.#rows)
      // All of them before the first is told: an answer may come at once.
      for (const node of chosen) asked.add(node)
      for (const node of chosen) this.#effects.ask(number, node)
    }
    if (asked.size > 0 || object.stood || this.#objects.get(number) !== object) return
    if (kept.size < wanted && refused.size > 0) {
      this.#objects.delete(number)
      return this.#effects.failed(
        number,
        [...refused].map(([node, reason]) => `node ${node}: ${reason}`),
      )
    }
    object.stood = true
    this.#effects.stands(number)
  }

  /** Throws where what is kept of the objects does not fit together. */
  validate(): void {
    for (const { number, wanted, kept, asked, refused, stood } of this.#objects.values()) {
      const all = [...kept, ...asked, ...refused.keys()]
      if (new Set(all).size !== all.length) throw new Error(`object ${number}: a node is in two states`)
      if (kept.size + asked.size > wanted) throw new Error(`object ${number}: more copies than ${wanted}`)
      if (!stood && asked.size === 0) throw new Error(`object ${number}: it neither stands nor is copied`)
    }
  }
}
