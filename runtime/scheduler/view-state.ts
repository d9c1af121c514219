/**
 * What one node believes about all nodes: the rows that the head sent, less what this node has redirected there since.
 * A redirect is counted at once, because a burst of requests would otherwise all be sent to the one node that was free
 * in the last view; the next load report of that node replaces the guess by the truth. A node whose load is as it was
 * (the request was withdrawn on its way, or served between two reports) reports nothing: such a guess ends by itself.
 *
 * While no head tells anything, what nodes had free when it was last told says less and less: after a while all of them
 * are asked, as if they were free. One that has no room says so to whoever is sent there.
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
/** The same while nobody reports: what is refused there waits at its home, in its turn, for most of this. */
const staleGuessMs = 5_000
/** How long loads count that nobody tells anew: a head that is started again is there by then. */
const staleMs = 2_000

export class ClusterViewState {
  /** As reported; `#redirected` holds what to subtract, by node. */
  readonly #rows = new Map<NodeId, NodeRow>()
  readonly #redirected = new Map<NodeId, Guess>()
  /** When the loads count no more; infinite while they are told, and when they count no more already. */
  #staleAtMs = Number.POSITIVE_INFINITY
  #areLoadsStale = false

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
    this.#staleAtMs = Number.POSITIVE_INFINITY
    this.#areLoadsStale = false
    this.update(rows)
  }

  /** The head is away: from now on nobody tells of loads, until `replace`. */
  untold(nowMs: number): void {
    if (!this.#areLoadsStale) this.#staleAtMs = nowMs + staleMs
  }

  /** Counts a request that was just sent to `node`, until that node reports. */
  redirected(node: NodeId, asked: ResourceUnits, nowMs: number): void {
    let entry = this.#redirected.get(node)
    if (entry === undefined) this.#redirected.set(node, (entry = { units: new Map(), requests: 0, endsAtMs: 0 }))
    entry.requests++
    entry.endsAtMs = nowMs + (this.#areLoadsStale ? staleGuessMs : guessMs)
    for (const [name, units] of asked) entry.units.set(name, (entry.units.get(name) ?? 0) + units)
  }

  /**
   * That node has refused such a request: while nobody reports, it is not asked again for as long as if it had just been
   * sent there, and is then, however late it has refused.
   */
  refused(node: NodeId, asked: ResourceUnits, nowMs: number): void {
    if (this.#areLoadsStale) this.redirected(node, asked, nowMs)
  }

  /** Ends guesses, and loads, whose time is over; returns whether there were any. */
  expire(nowMs: number): boolean {
    let any = this.#staleAtMs <= nowMs
    if (any) {
      this.#staleAtMs = Number.POSITIVE_INFINITY
      this.#areLoadsStale = true
    }
    for (const [node, { endsAtMs }] of this.#redirected) {
      if (endsAtMs <= nowMs) any = this.#redirected.delete(node)
    }
    return any
  }

  /** When `expire` has something to do; infinite when it has not. */
  nextExpiryAtMs(): number {
    let next = this.#staleAtMs
    for (const { endsAtMs } of this.#redirected.values()) next = Math.min(next, endsAtMs)
    return next
  }

  row(node: NodeId): NodeRow | undefined {
    const row = this.#rows.get(node)
    return row === undefined ? undefined : this.#adjusted(row)
  }

  /** All rows, dead ones included, ordered by id so that equal views give equal decisions. */
  rows(): NodeRow[] {
    return this.#ordered().map((row) => this.#adjusted(row))
  }

  /** The same, to decide by where something may go. */
  placingRows(): NodeRow[] {
    if (!this.#areLoadsStale) return this.rows()
    return this.#ordered().map((row) => this.#adjusted({ ...row, available: row.total, queued: 0 }))
  }

  #ordered(): NodeRow[] {
    return [...this.#rows.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
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
