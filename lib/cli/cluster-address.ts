/** Which cluster a command is about, and which of its nodes. */
import { endedRecords, listRecords } from '../../runtime/cluster/node-records.ts'
import type { NodeRecord } from '../../runtime/cluster/node-records.ts'
import { clusterStatus } from '../../runtime/cluster/status.ts'
import type { ClusterStatus, NodeSummary } from '../../runtime/cluster/status.ts'
import { findToken } from '../../runtime/cluster/token.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { say } from './say.ts'

export interface ClusterFlags {
  readonly address?: string
  readonly json?: boolean
}

export interface FoundCluster {
  readonly address: string
  readonly token: string
  readonly status: ClusterStatus
}

/** What was said, OUTPOOL_ADDRESS, the head that was started here, else any node that was. Throws CommandError. */
export function clusterAddress({ address }: ClusterFlags): string {
  // A variable that is empty is one that is not set.
  const found = address ?? (process.env['OUTPOOL_ADDRESS']?.trim() || localAddress())
  if (found) return found
  const ended = endedRecords().map((record) => `\n${howItEnded(record)}`)
  throw new CommandError(
    'no cluster is known here: start one with outpool start --head, or name a node with --address or OUTPOOL_ADDRESS' +
      ended.join(''),
    exitCodes.noCluster,
  )
}

/** A line about a node of this machine that ended by an error, or was killed, for people. */
export function howItEnded({ id, pid, url, head, logFile, ended }: NodeRecord): string {
  const log = logFile === '' ? '' : ` Its log: ${logFile}`
  const how =
    ended === undefined
      ? `(pid ${pid}) was killed, or went with its machine: it has said nothing (the system kills where memory runs out, see dmesg)`
      : `ended at ${new Date(ended.atMs).toISOString()}: ${ended.why}`
  return `Your ${head ? 'head' : 'node'} ${id} at ${url} ${how}.${log}`
}

function localAddress(): string | undefined {
  const records = listRecords()
  const [head, ...others] = records.filter((record) => record.head)
  if (head !== undefined && others.length > 0) {
    const urls = others.map(({ url }) => url).join(', ')
    console.error(
      `outpool: this is about the cluster of ${head.url}; there are more heads here: ${urls} (see --address)`,
    )
  }
  return (head ?? records[0])?.url
}

export async function findCluster(flags: ClusterFlags): Promise<FoundCluster> {
  const address = clusterAddress(flags)
  const { token } = findToken()
  try {
    return { address, token, status: await clusterStatus(address, token, say) }
  } catch (error) {
    const ended = endedRecords().findLast(({ url }) => url === address)
    if (ended !== undefined) console.error(howItEnded(ended))
    throw error
  }
}

/** The living node of that name, or whose id begins so. Throws CommandError when it is none, or several. */
export function chosenNode(nodes: readonly NodeSummary[], wanted: string): NodeSummary {
  const living = nodes.filter(({ state }) => state !== 'dead')
  const named = living.filter(({ labels }) => labels['name'] === wanted)
  const chosen = named.length > 0 ? named : living.filter(({ id }) => id.startsWith(wanted))
  const [only] = chosen
  if (only !== undefined && chosen.length === 1) return only
  const list = (rows: readonly NodeSummary[]): string => rows.map(({ id }) => id).join(', ')
  throw only === undefined
    ? new CommandError(`there is no living node ${wanted}; there are: ${list(living)}`, exitCodes.failure)
    : new CommandError(`${wanted} is not one node but ${chosen.length}: ${list(chosen)}`, exitCodes.usage)
}
