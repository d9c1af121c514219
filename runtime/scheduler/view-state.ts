/**
 * What one node believes about all nodes: the rows that the head sent, less what this node has redirected there since.
 * A redirect is counted at once, because a burst of requests would otherwise all be sent to the one node that was free
 * in the last view; the next load report of that node replaces the guess by the truth.
 */
import type { NodeId } from '../base/ids.ts'
import type { NodeRow, ResourceUnits } from '../protocol/messages.ts'
import { unitsOf } from './resources.ts'

export class ClusterViewState {
  /** As reported; `#redirected` holds what to subtract, by node. */
  readonly #rows = new Map<NodeId, NodeRow>()
  readonly #redirected = new Map<NodeId, { readonly units: Map<string, number>; requests: number }>()

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
  redirected(node: NodeId, asked: ResourceUnits): void {
    let entry = this.#redirected.get(node)
    if (entry === undefined) this.#redirected.set(node, (entry = { units: new Map(), requests: 0 }))
    entry.requests++
    for (const [name, units] of asked) entry.units.set(name, (entry.units.get(name) ?? 0) + units)
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
