/**
 * What one node believes about all nodes: the rows that the head sent, less what this node has redirected there since.
 * A redirect is counted at once, because a burst of requests would otherwise all be sent to the one node that was free
 * in the last view; the next load report of that node replaces the guess by the truth. A node whose load is as it was
 * (the request was withdrawn on its way, or served between two reports) reports nothing: such a guess ends by itself.
 */
import type { NodeId } from '../base/ids.ts'
import type { NodeRow, ResourceUnits } from '../protocol/messages.ts'
import { unitsOf } from './resources.ts'

/** What was sent to a node since it reported. */
interface Guess {
  readonly units: Map<string, number>
  requests: number
  /** When it ends, unless another request is sent there before. */
  endsAtMs: number
}

/** How long a redirect counts without a report: several times what the way there and back through the head takes. */
const guessMs = 500

export class ClusterViewState {
  /** As reported; `#redirected` holds what to subtract, by node. */
  readonly #rows = new Map<NodeId, NodeRow>()
  readonly #redirected = new Map<NodeId, Guess>()

  /** Takes rows that changed; a dead one is remembered as dead, so that nothing is sent there. */
  update(rows: readonly NodeRow[]): void {
    for (const row of rows) {
      this.#rows.set(row.id, row)
      this.#redirected.delete(row.id)
    }
  }

  /** Forgets everything, then takes these rows: what a (re)registration with the head answers. */
  replace(rows: readonly NodeRow[]): void {
    this.#rows.clear()
    this.#redirected.clear()
    this.update(rows)
  }

  /** Counts a request that was just sent to `node`, until that node reports. */
  redirected(node: NodeId, asked: ResourceUnits, nowMs: number): void {
    let entry = this.#redirected.get(node)
    if (entry === undefined) this.#redirected.set(node, (entry = { units: new Map(), requests: 0, endsAtMs: 0 }))
    entry.requests++
    entry.endsAtMs = nowMs + guessMs
    for (const [name, units] of asked) entry.units.set(name, (entry.units.get(name) ?? 0) + units)
  }

  /** Ends guesses whose time is over; returns whether there were any. */
  expire(nowMs: number): boolean {
    let any = false
    for (const [node, { endsAtMs }] of this.#redirected) {
      if (endsAtMs <= nowMs) any = this.#redirected.delete(node)
    }
    return any
  }

  /** When `expire` has something to do; infinite when it has not. */
  nextExpiryAtMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { endsAtMs } of this.#redirected.values()) next = Math.min(next, endsAtMs)
    return next
  }

  row(node: NodeId): NodeRow | undefined {
    const row = this.#rows.get(node)
    return row === undefined ? undefined : this.#adjusted(row)
  }

  /** All rows, dead ones included, ordered by id so that equal views give equal decisions. */
  rows(): NodeRow[] {
    return [...this.#rows.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map((row) => this.#adjusted(row))
  }

  #adjusted(row: NodeRow): NodeRow {
    const entry = this.#redirected.get(row.id)
    if (entry === undefined) return row
    const available = row.available.map(
      ([name]) => [name, Math.max(0, unitsOf(row.available, name) - (entry.units.get(name) ?? 0))] as const,
    )
    return { ...row, available, queued: row.queued + entry.requests }
  }
}
