/** What a cluster looks like now: asked of its head through any node; of that node itself while the head is away. */
import { newProcessId } from '../base/ids.ts'
import type { NodeId } from '../base/ids.ts'
import type { NodeStatus } from '../control/control-store.ts'
import type { NodeRow, ResourceUnits } from '../protocol/messages.ts'
import { unitsOf, unitsPerOne } from '../scheduler/resources.ts'
import type { TokenSource } from '../transport/tokens.ts'
import { joinCluster } from './join.ts'

export interface NodeSummary {
  readonly id: NodeId
  readonly url: string
  readonly hostname: string
  readonly pid: number
  readonly head: boolean
  readonly state: NodeRow['state']
  readonly labels: Readonly<Record<string, string>>
  /** By name; memory in MiB. */
  readonly resources: Readonly<Record<string, { readonly used: number; readonly total: number }>>
  readonly queued: number
  readonly workers: number
  /** Since the head last heard of it; null for a node without a link to the head, or when the head was not asked. */
  readonly heartbeatAgeMs: number | null
  readonly reason?: string
}

export interface ClusterStatus {
  /** The node that was asked. */
  readonly answeredBy: NodeId
  /** Whether the head answered; otherwise these are the rows that the node knew last, and `problem` says why. */
  readonly fromHead: boolean
  readonly problem: string
  readonly nodes: readonly NodeSummary[]
}

/** How long the head may take before the node's own knowledge has to do, in milliseconds. */
const headTimeoutMs = 3_000

/** Rejects as `joinCluster` does, and with RequestTimeoutError when the node itself does not answer; `onSlow` as there. */
export async function clusterStatus(
  address: string,
  token: TokenSource,
  onSlow?: (text: string) => void,
): Promise<ClusterStatus> {
  const home = await joinCluster({
    address,
    token,
    process: newProcessId(),
    info: { asking: true },
    reconnectMs: 0,
    ...(onSlow && { onSlow }),
    onMessage: () => {},
    onLink: (link) => link.close(),
  })
  try {
    const { rows, problem } = await home.table('nodes', ['list', ''], headTimeoutMs).then(
      ({ error, rows: found }) => ({ rows: found.map(([, , value]) => decode(value)), problem: error }),
      (error: unknown) => ({ rows: [], problem: (error as Error).message }),
    )
    if (problem === '') return { answeredBy: home.node, fromHead: true, problem, nodes: rows.map(summary) }
    return { answeredBy: home.node, fromHead: false, problem, nodes: (await home.nodes()).map(summary) }
  } finally {
    home.close()
  }
}

function decode(value: Uint8Array): NodeStatus {
  return JSON.parse(new TextDecoder().decode(value)) as NodeStatus
}

function summary(row: NodeRow & { readonly heartbeatAgeMs?: number | null }): NodeSummary {
  const { id, url, hostname, pid, head, state, labels, queued, workers, reason, heartbeatAgeMs = null } = row
  const resources = usage(row.total, row.available, state === 'dead')
  const node = { id, url, hostname, pid, head, state, labels, resources, queued, workers, heartbeatAgeMs }
  return reason === undefined ? node : { ...node, reason }
}

function usage(total: ResourceUnits, available: ResourceUnits, dead: boolean): NodeSummary['resources'] {
  const amounts = total.map(([name, units]) => {
    const used = dead ? 0 : units - unitsOf(available, name)
    return [name, { used: used / unitsPerOne, total: units / unitsPerOne }] as const
  })
  return Object.fromEntries(amounts)
}
