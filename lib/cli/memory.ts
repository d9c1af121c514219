/** `outpool memory`: what lies in the object stores of a cluster, by node, by owner and by object. */
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { NodeSummary } from '../../runtime/cluster/status.ts'
import type { ObjectUsage, StoreUsage } from '../../runtime/objects/store-usage.ts'
import { chosenNode, findCluster } from './cluster-address.ts'
import type { ClusterFlags } from './cluster-address.ts'
import { CommandError } from './exit-codes.ts'
import { byteText, coloured, renderTable } from './tables.ts'
import type { Column } from './tables.ts'

export interface MemoryFlags extends ClusterFlags {
  readonly node?: string
  readonly owners: number
  readonly objects: number
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

const objectColumns: readonly Column[] = [
  { name: 'object' },
  { name: 'node' },
  { name: 'bytes', align: 'right' },
  { name: 'where' },
  { name: 'used by' },
]

export async function memory(flags: MemoryFlags): Promise<void> {
  const { status, token } = await findCluster(flags)
  const living = status.nodes.filter(({ state }) => state !== 'dead')
  const chosen = flags.node === undefined ? living : [chosenNode(status.nodes, flags.node)]
  const found = await Promise.all(chosen.map((node) => memoryOf(node, token, flags.objects)))
  if (flags.json) console.log(JSON.stringify({ nodes: found }, undefined, 2))
  else print(found, flags)
  const silent = found.filter(({ problem }) => problem !== '')
  if (silent.length > 0)
    throw new CommandError(silent.map(({ node, problem }) => `node ${node} did not answer: ${problem}`).join('\n'))
}

function print(found: readonly NodeMemory[], flags: MemoryFlags): void {
  console.log(
    renderTable(
      columns,
      found.flatMap((one) => rows(one, flags.owners)),
    ),
  )
  for (const { node, usage } of found) if (usage !== null) console.log(storeLine(node, usage))
  const areSited = found.some(({ usage }) => usage?.list.some(({ site }) => site !== undefined))
  const objects = found.flatMap(({ node, usage }) => (usage?.list ?? []).map((one) => objectRow(node, one, areSited)))
  if (objects.length === 0) return
  console.log(renderTable(areSited ? [...objectColumns, { name: 'made at' }] : objectColumns, objects))
}

async function memoryOf({ id: node, url }: NodeSummary, token: string, objects: number): Promise<NodeMemory> {
  try {
    const usage = await askNodeJson<StoreUsage>(url, `/memory?objects=${objects}`, token)
    return { node, url, usage, problem: '' }
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

function storeLine(node: string, { capacityBytes, usedBytes, spilledBytes, diskBytes, holders }: StoreUsage): string {
  if (capacityBytes === null) return `${node}: on files`
  const spilled = diskBytes === 0 ? '' : `, ${byteText(spilledBytes)} spilled (${byteText(diskBytes)} of disk)`
  const using = holders.filter(({ objects }) => objects > 0).length
  const by = using === 0 ? '' : `, ${using} processes use objects in place`
  return `${node}: ${byteText(usedBytes)} of ${byteText(capacityBytes)} shared memory${spilled}${by}`
}

function objectRow(node: string, object: ObjectUsage, isSited: boolean): string[] {
  const { key, sizeBytes, state, primary, holders, site } = object
  const row = [
    key,
    node,
    byteText(sizeBytes),
    primary === false ? `${state}, a copy` : state,
    holders.join('\n') || '-',
  ]
  return isSited ? [...row, site ?? '-'] : row
}
