/**
 * Where further copies of an object go: nodes that are alive and have none, those on other machines than the copies
 * that there are before the others. Among equals the turn decides, so that the copies of many objects spread evenly.
 */
import type { NodeId } from '../base/ids.ts'
import type { NodeRow } from '../protocol/messages.ts'

export interface ReplicaRequest {
  /** Nodes that have it, or are getting it. */
  readonly having: ReadonlySet<NodeId>
  /** Nodes that would not take it. */
  readonly except: ReadonlySet<NodeId>
  readonly count: number
  /** Rises with each object. */
  readonly turn: number
}

/** At most `count` nodes; fewer where there are no more. */
export function placeReplicas({ having, except, count, turn }: ReplicaRequest, rows: readonly NodeRow[]): NodeId[] {
  const free = rows.filter(({ id, state }) => state === 'alive' && !having.has(id) && !except.has(id))
  free.sort((a, b) => (a.id < b.id ? -1 : 1))
  const first = free.length === 0 ? 0 : turn % free.length
  const inTurn = [...free.slice(first), ...free.slice(0, first)]
  const machines = new Set(rows.filter(({ id }) => having.has(id)).map(({ hostname }) => hostname))
  const chosen: NodeId[] = []
  while (chosen.length < count && inTurn.length > 0) {
    const elsewhere = inTurn.findIndex(({ hostname }) => !machines.has(hostname))
    const [node] = inTurn.splice(Math.max(0, elsewhere), 1) as [NodeRow]
    machines.add(node.hostname)
    chosen.push(node.id)
  }
  return chosen
}
