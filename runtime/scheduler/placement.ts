/**
 * Where a lease request goes: the words in which policies answer. A policy looks at one request and one view and says
 * one of four things; "later" (somebody could, nobody can now) and "never" (nobody has that much) are different
 * answers, because the first one waits in a queue and the second one fails after a bounded wait.
 *
 * Assumptions: rows are ordered by id, the row of the asking node included; `available` is never negative; a node that
 * is not `alive` gets nothing.
 */
import type { NodeId } from '../base/ids.ts'
import type { ArgumentBytes, NodeRow, ResourceUnits } from '../protocol/messages.ts'
import { adviceOn, fits, formatResources } from './resources.ts'

export interface PlacementRequest {
  readonly resources: ResourceUnits
  /** A compiled strategy: `[name, ...arguments]`; null is DEFAULT. */
  readonly strategy: readonly unknown[] | null
  /** Nodes that need not be considered again: they were asked and had nothing free. */
  readonly visited: readonly NodeId[]
  /** Of the task that is to run: how many bytes of its large arguments lie where. */
  readonly argumentBytes?: ArgumentBytes | null | undefined
}

export interface PlacementView {
  readonly self: NodeId
  readonly rows: readonly NodeRow[]
  /** Whether this node would grant it now; the rows may say otherwise, since others may be before it in the queue. */
  readonly freeHere: boolean
}

export type Placement =
  | { readonly kind: 'here' }
  | { readonly kind: 'node'; readonly node: NodeId; readonly url: string }
  /** `here`: this node can run it one day. `nodes`: which others can. */
  | { readonly kind: 'later'; readonly here: boolean; readonly nodes: readonly NodeId[] }
  | { readonly kind: 'never'; readonly text: string }

/** What was asked, what each node has and what helps, for the message of a request that nobody can satisfy. */
export function explainInfeasible(asked: ResourceUnits, rows: readonly NodeRow[]): string {
  const nodes = rows
    .filter((row) => row.state !== 'dead')
    .map(
      (row) =>
        `${row.id} (${row.hostname}${row.state === 'draining' ? ', draining' : ''}): ${formatResources(row.total)}`,
    )
  const lacking = asked.filter(
    ([name, units]) => !rows.some((row) => row.state === 'alive' && fits(row.total, [[name, units]])),
  )
  const why =
    lacking.length > 0
      ? `no node has ${formatResources(lacking)}`
      : `each part exists, but no node has all of it together`
  const has = nodes.length === 0 ? 'none' : nodes.join('; ')
  const { flags, options } = adviceOn(lacking.length > 0 ? lacking : asked)
  const next = `Ask for less, or start a node that has it: outpool start ... ${flags} (without an address: init(${options}))`
  return `asked for ${formatResources(asked)}; ${why}. Nodes: ${has}. ${next}`
}
