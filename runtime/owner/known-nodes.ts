/** What a process knows of the nodes: asked of its home on a miss, corrected by node events. */
import { BoundedSet } from '../base/bounded-set.ts'
import type { Clock } from '../base/clock.ts'
import type { NodeId } from '../base/ids.ts'
import type { NodeRow } from '../protocol/messages.ts'
import type { KnownNode } from './dial-process.ts'

/** Incarnations are never used again, so the dead are only remembered to refuse them faster. */
const maxDead = 1_000
/** A node may be named by a message that overtook the news of it: so long until it is asked for again, in milliseconds. */
const againAfterMs = [50, 200, 500]

export class KnownNodes {
  readonly #clock: Clock
  readonly #ask: () => Promise<readonly NodeRow[]>
  readonly #nodes: Map<NodeId, KnownNode> = new Map()
  readonly #dead = new BoundedSet<NodeId>(maxDead, (node) => this.#nodes.delete(node))
  #asking: Promise<unknown> | undefined

  /** `ask` must also `learn` what it answers. */
  constructor(clock: Clock, ask: () => Promise<readonly NodeRow[]>) {
    this.#clock = clock
    this.#ask = ask
  }

  /** undefined for a node that the home does not come to know within a second. */
  async find(node: NodeId): Promise<KnownNode | undefined> {
    for (const delayMs of [...againAfterMs, 0]) {
      const known = this.#nodes.get(node) ?? (await this.#asked(node))
      if (known || delayMs === 0) return known
      await new Promise<void>((resolve) => void this.#clock.after(delayMs, resolve, true))
    }
    return undefined
  }

  async #asked(node: NodeId): Promise<KnownNode | undefined> {
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined))
    await this.#asking
    return this.#nodes.get(node)
  }

  learn(rows: readonly NodeRow[]): void {
    for (const { id, url, state, reason } of rows) {
      if (state === 'dead') this.down(id, reason ?? 'its cluster says so')
      else if (!this.#dead.has(id)) this.#nodes.set(id, { url, dead: false, reason: '' })
    }
  }

  down(node: NodeId, reason: string): void {
    this.#nodes.set(node, { url: '', dead: true, reason })
    this.#dead.add(node)
  }
}
