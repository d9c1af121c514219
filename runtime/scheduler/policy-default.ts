/**
 * DEFAULT: the free node on which most bytes of the task's large arguments lie. Where none has more of them than here,
 * here when it is free here (arguments and results of nested work lie here, and a grant costs no second trip), else the
 * node on which the request fits the most times over, ties by the fewest waiting requests, then the fewest
 * workers, then the id. A node in `visited` was found busy and is left out until the view changes.
 */
import type { NodeId } from '../base/ids.ts'
import type { ArgumentBytes, NodeRow, ResourceUnits } from '../protocol/messages.ts'
import type { Placement, PlacementRequest, PlacementView } from './placement.ts'
import { explainInfeasible } from './placement.ts'
import { fits, unitsOf } from './resources.ts'

const noBytes: ArgumentBytes = []

export function placeByDefault(request: PlacementRequest, { self, rows, freeHere }: PlacementView): Placement {
  const { resources, visited } = request
  const bytes = request.argumentBytes ?? noBytes
  const here = freeHere ? bytesOn(self, bytes) : -1
  if (freeHere && !bytes.some(([, count]) => count > here)) return { kind: 'here' }
  const feasible = rows.filter((row) => row.state === 'alive' && fits(row.total, resources))
  if (feasible.length === 0 && !freeHere) return { kind: 'never', text: explainInfeasible(resources, rows) }
  const others = feasible.filter((row) => row.id !== self)
  const free = others.filter((row) => !visited.includes(row.id) && fits(row.available, resources))
  const most = free.reduce((so, row) => Math.max(so, bytesOn(row.id, bytes)), here)
  if (freeHere && most === here) return { kind: 'here' }
  const best = mostFree(
    free.filter((row) => bytesOn(row.id, bytes) === most),
    resources,
  )
  if (best !== undefined) return { kind: 'node', node: best.id, url: best.url }
  return { kind: 'later', here: others.length < feasible.length, nodes: others.map((row) => row.id) }
}

function bytesOn(node: NodeId, bytes: ArgumentBytes): number {
  for (const [holder, count] of bytes) if (holder === node) return count
  return 0
}

function mostFree(rows: readonly NodeRow[], asked: ResourceUnits): NodeRow | undefined {
  let best: NodeRow | undefined
  for (const row of rows) if (best === undefined || better(row, best, asked)) best = row
  return best
}

function better(a: NodeRow, b: NodeRow, asked: ResourceUnits): boolean {
  const difference = timesOver(a, asked) - timesOver(b, asked)
  if (difference !== 0) return difference > 0
  if (a.queued !== b.queued) return a.queued < b.queued
  if (a.workers !== b.workers) return a.workers < b.workers
  return a.id < b.id
}

/** How many such requests the node could take now; 0 for a request of nothing, where only ties decide. */
function timesOver(row: NodeRow, asked: ResourceUnits): number {
  let least = Number.POSITIVE_INFINITY
  for (const [name, units] of asked) least = Math.min(least, unitsOf(row.available, name) / units)
  return Number.isFinite(least) ? least : 0
}
