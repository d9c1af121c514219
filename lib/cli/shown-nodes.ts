/** Which nodes a person wants to see: a cluster remembers a thousand that are dead. */
import type { NodeSummary } from '../../runtime/cluster/status.ts'
import { counted } from './tables.ts'

/** Of the dead ones, those that died last. */
const mostDead = 10

export interface ShownNodes<T> {
  readonly nodes: readonly T[]
  /** Says how many are left out, where some are. */
  readonly lines: readonly string[]
}

/** `nodes` are as the head tells them: dead ones in the order in which they died. */
export function shownNodes<T extends Pick<NodeSummary, 'state'>>(nodes: readonly T[]): ShownNodes<T> {
  const dead = nodes.filter(({ state }) => state === 'dead')
  const shown = new Set(dead.slice(-mostDead))
  const left = dead.length - shown.size
  const text = `Not shown: ${counted(left, 'node')} that died before (--json lists all).`
  return { nodes: nodes.filter((node) => node.state !== 'dead' || shown.has(node)), lines: left === 0 ? [] : [text] }
}
