/**
 * How many copies of one object a holder sends at a time. Beyond that pullers are told who has got it meanwhile: an
 * object that N nodes want leaves its first holder a few times only, and spreads through those that have it.
 */
import type { NodeId } from '../base/ids.ts'

const copiesAtOnce = 2
/** Nodes that are named to who comes too late, the last first. */
const mostNamed = 8
/** Objects of which it is remembered who got them. */
const mostObjects = 1_000

interface Sending {
  active: number
  readonly nodes: Set<NodeId>
}

export class ServeLimit {
  readonly #objects = new Map<string, Sending>()

  /** Undefined where one more copy may be sent: `end` must follow. Else those who have got the object. */
  begin(key: string): readonly NodeId[] | undefined {
    const sending = this.#objects.get(key) ?? { active: 0, nodes: new Set<NodeId>() }
    if (sending.active >= copiesAtOnce) return [...sending.nodes].slice(-mostNamed).reverse()
    this.#objects.delete(key)
    this.#objects.set(key, sending)
    sending.active++
    if (this.#objects.size > mostObjects) this.#forgetOne()
    return undefined
  }

  /** A copy was sent, to `node` where it arrived. */
  end(key: string, node: NodeId | undefined): void {
    const sending = this.#objects.get(key)
    if (sending === undefined) return
    sending.active--
    if (node !== undefined) {
      sending.nodes.delete(node)
      sending.nodes.add(node)
    }
    if (sending.active === 0 && sending.nodes.size === 0) this.#objects.delete(key)
  }

  #forgetOne(): void {
    for (const [key, { active }] of this.#objects) {
      if (active > 0) continue
      this.#objects.delete(key)
      return
    }
  }
}
