/** `outpool status`: the nodes of a cluster, as its head sees them now. */
import type { ClusterStatus, NodeSummary } from '../../runtime/cluster/status.ts'
import { endedRecords } from '../../runtime/cluster/node-records.ts'
import { findCluster, howItEnded } from './cluster-address.ts'
import type { ClusterFlags } from './cluster-address.ts'
import { shownNodes } from './shown-nodes.ts'
import { renderTable } from './tables.ts'

export async function status(flags: ClusterFlags): Promise<void> {
  const { status: found } = await findCluster(flags)
  console.log(flags.json ? JSON.stringify(found, undefined, 2) : describe(found))
  const known = new Set(found.nodes.map(({ id }) => id))
  for (const record of endedRecords()) if (known.has(record.id)) console.error(howItEnded(record))
}

function describe(found: ClusterStatus): string {
  const names = ['node', 'url', 'state', 'CPUs', 'other resources', 'queued', 'workers', 'last heard']
  const columns = names.map((name) => ({ name }))
  const shown = shownNodes(found.nodes)
  const lines = [renderTable(columns, shown.nodes.map(tableRow))]
  for (const { id, reason } of shown.nodes) if (reason !== undefined) lines.push(`${id} is dead: ${reason}`)
  lines.push(...shown.lines)
  if (!found.fromHead)
    lines.push(`The head does not answer (${found.problem}); this is what node ${found.answeredBy} knew last.`)
  return lines.join('\n')
}

function tableRow(node: NodeSummary): string[] {
  const { CPU: cpu, ...others } = node.resources
  const name = node.labels['name']
  const amounts = Object.entries(others).map(
    ([key, { used, total }]) => `${key} ${short(used)}/${short(total)}${key === 'memory' ? ' MiB' : ''}`,
  )
  return [
    `${node.id}${name === undefined ? '' : ` (${name})`}`,
    node.url,
    node.head ? `${node.state}, head` : node.state,
    cpu === undefined ? '0/0' : `${short(cpu.used)}/${short(cpu.total)}`,
    amounts.join('\n'),
    String(node.queued),
    String(node.workers),
    node.heartbeatAgeMs === null ? '-' : `${(node.heartbeatAgeMs / 1000).toFixed(1)} s ago`,
  ]
}

function short(amount: number): string {
  return String(Number(amount.toFixed(amount >= 1024 ? 0 : 4)))
}
