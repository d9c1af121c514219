/** `outpool nodes`: every node of a cluster with what it says of itself. */
import { someAtOnce } from '../../runtime/base/some-at-once.ts'
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { NodeHealth } from '../../runtime/cluster/node-http.ts'
import type { NodeSummary } from '../../runtime/cluster/status.ts'
import { findCluster } from './cluster-address.ts'
import type { ClusterFlags } from './cluster-address.ts'
import { shownNodes } from './shown-nodes.ts'
import { coloured, durationText, renderTable } from './tables.ts'
import type { Column } from './tables.ts'

interface NodeReport extends NodeSummary {
  /** null where the node could not be asked from here; `problem` then says why. */
  readonly health: NodeHealth | null
  readonly problem: string
}

const healthTimeoutMs = 3_000
/** Each takes a file descriptor. */
const askedAtOnce = 32

const columns: readonly Column[] = [
  ...['node', 'state', 'url', 'host', 'pid', 'outpool', 'Node'].map((name) => ({ name })),
  ...['CPUs', 'memory MiB', 'queued', 'workers', 'up', 'last heard'].map((name) => ({ name, align: 'right' as const })),
  { name: 'resources and labels' },
]

export async function nodes(flags: ClusterFlags): Promise<void> {
  const { status, token } = await findCluster(flags)
  const reports = await someAtOnce(status.nodes, askedAtOnce, (node) => reportOf(node, token))
  if (flags.json) return console.log(JSON.stringify({ ...status, nodes: reports }, undefined, 2))
  const shown = shownNodes(reports)
  console.log(renderTable(columns, shown.nodes.map(row)))
  for (const { id, state, reason, problem } of shown.nodes) {
    if (reason !== undefined) console.log(`${id} is dead: ${reason}`)
    else if (problem !== '' && state !== 'dead') console.log(`${id} did not answer from here: ${problem}`)
  }
  for (const line of shown.lines) console.log(line)
  if (!status.fromHead)
    console.log(`The head does not answer (${status.problem}); this is what node ${status.answeredBy} knew last.`)
}

async function reportOf(node: NodeSummary, token: string): Promise<NodeReport> {
  if (node.state === 'dead') return { ...node, health: null, problem: '' }
  try {
    const health = await askNodeJson<NodeHealth>(node.url, '/healthz', token, { timeoutMs: healthTimeoutMs })
    return { ...node, health, problem: '' }
  } catch (error) {
    return { ...node, health: null, problem: (error as Error).message }
  }
}

function row(node: NodeReport): string[] {
  const { health, labels, resources } = node
  const { CPU: cpu, memory, ...others } = resources
  const { name, ...otherLabels } = labels
  const amounts = Object.entries(others).map(([key, { used, total }]) => `${key} ${used}/${total}`)
  const pairs = Object.entries(otherLabels).map(([key, value]) => `${key}=${value}`)
  return [
    `${node.id}${name === undefined ? '' : ` (${name})`}`,
    stateText(node),
    node.url,
    node.hostname,
    String(node.pid),
    health?.version ?? '-',
    health?.nodeVersion ?? '-',
    cpu === undefined ? '0/0' : `${cpu.used}/${cpu.total}`,
    memory === undefined ? '-' : `${Math.round(memory.used)}/${Math.round(memory.total)}`,
    String(node.queued),
    String(node.workers),
    health === null ? '-' : durationText(health.uptimeSeconds),
    node.heartbeatAgeMs === null ? '-' : `${(node.heartbeatAgeMs / 1000).toFixed(1)} s ago`,
    [...amounts, ...pairs].join('\n'),
  ]
}

function stateText({ state, head, health }: NodeReport): string {
  const text = coloured(state === 'alive' ? 'green' : state === 'draining' ? 'yellow' : 'red', state)
  const unready = state === 'alive' && health !== null && !health.ready ? ', not ready' : ''
  return `${text}${unready}${head ? ', head' : ''}`
}
