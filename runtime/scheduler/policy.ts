/** Picks the policy that the strategy of a request names. */
import type { Placement, PlacementRequest, PlacementView } from './placement.ts'
import { placeByDefault } from './policy-default.ts'

/** Decides by the policy that the request's strategy names. */
export function place(request: PlacementRequest, view: PlacementView): Placement {
  const name = request.strategy?.[0] ?? 'DEFAULT'
  if (name === 'DEFAULT') return placeByDefault(request, view)
  return { kind: 'never', text: `the scheduling strategy ${JSON.stringify(name)} is not known to this node` }
}
