/** `outpool memory`: what lies in the object stores of a cluster, by node and by owner. */
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { NodeSummary } from '../../runtime/cluster/status.ts'
import type { StoreUsage } from '../../runtime/objects/store-usage.ts'
import { chosenNode, findCluster } from './cluster-address.ts'
import type { ClusterFlags } from './cluster-address.ts'
import { CommandError } from './exit-codes.ts'
import { byteText, coloured, renderTable } from './tables.ts'
import type { Column } from './tables.ts'

export interface MemoryFlags extends ClusterFlags {
  readonly node?: string
  readonly owners: number
}

interface NodeMemory {
  readonly node: string
  readonly url: string
  readonly usage: StoreUsage | null
  /** '' when the node answered. */
  readonly problem: string
}

const columns: readonly Column[] = [
  { name: 'node' },
  { name: 'owner' },
  { name: 'objects', align: 'right' },
  { name: 'bytes', align: 'right' },
]

export async function memory(flags: MemoryFlags): Promise<void> {
  const { status, token } = await findCluster(flags)
  const living = status.nodes.filter(({ state }) => state !== 'dead')
  const chosen = flags.node === undefined ? living : [chosenNode(status.nodes, flags.node)]
  const found = await Promise.all(chosen.map((node) => memoryOf(node, token)))
  if (flags.json) console.log(JSON.stringify({ nodes: found }, undefined, 2))
  else
    console.log(
      renderTable(
        columns,
        found.flatMap((one) => rows(one, flags.owners)),
      ),
    )
  const silent = found.filter(({ problem }) => problem !== '')
  if (silent.length > 0)
    throw new CommandError(silent.map(({ node, problem }) => `node ${node} did not answer: ${problem}`).join('\n'))
}

async function memoryOf({ id: node, url }: NodeSummary, token: string): Promise<NodeMemory> {
  try {
    return { node, url, usage: await askNodeJson<StoreUsage>(url, '/memory', token), problem: '' }
  } catch (error) {
    return { node, url, usage: null, problem: (error as Error).message }
  }
}

function rows({ node, usage }: NodeMemory, most: number): string[][] {
  if (usage === null) return [[node, '-', '-', '-']]
  const total = [node, coloured('bold', 'all'), String(usage.objects), byteText(usage.bytes)]
  const shown = usage.owners.slice(0, most)
  const rest = usage.owners.slice(most)
  const each = shown.map(({ owner, objects, bytes }) => ['', owner, String(objects), byteText(bytes)])
  if (rest.length === 0) return [total, ...each]
  const objects = rest.reduce((sum, one) => sum + one.objects, 0)
  const bytes = rest.reduce((sum, one) => sum + one.bytes, 0)
  return [total, ...each, ['', `${rest.length} more`, String(objects), byteText(bytes)]]
}
