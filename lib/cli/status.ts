/** `outpool status`: the nodes of a cluster, as its head sees them now. */
import Table from 'cli-table3'
import { clusterStatus } from '../../runtime/cluster/status.ts'
import type { ClusterStatus, NodeSummary } from '../../runtime/cluster/status.ts'
import { listRecords } from '../../runtime/cluster/node-records.ts'
import { findToken } from '../../runtime/cluster/token.ts'
import { CommandError, exitCodes } from './exit-codes.ts'

export interface StatusFlags {
  readonly address?: string
  readonly json?: boolean
}

export async function status(flags: StatusFlags): Promise<void> {
  const address = flags.address ?? process.env['OUTPOOL_ADDRESS'] ?? localAddress()
  if (!address)
    throw new CommandError(
      'no cluster is known here: start one with outpool start --head, or name a node with --address or OUTPOOL_ADDRESS',
      exitCodes.noCluster,
    )
  const found = await clusterStatus(address, findToken().token)
  console.log(flags.json ? JSON.stringify(found, undefined, 2) : describe(found))
}

/** The head that was started here, else any node. */
function localAddress(): string | undefined {
  const records = listRecords()
  return (records.find((record) => record.head) ?? records[0])?.url
}

function describe(found: ClusterStatus): string {
  const table = new Table({
    head: ['node', 'url', 'state', 'CPUs', 'other resources', 'queued', 'workers', 'last heard'],
    style: { head: [], border: [] },
  })
  for (const node of found.nodes) table.push(tableRow(node))
  const lines = [table.toString()]
  for (const { id, reason } of found.nodes) if (reason !== undefined) lines.push(`${id} is dead: ${reason}`)
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
