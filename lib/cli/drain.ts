/** `outpool drain`: lets the work of a node finish elsewhere, then stops it. */
import { hostname } from 'node:os'
import { drainNode } from '../../runtime/cluster/drain.ts'
import { chosenNode, findCluster } from './cluster-address.ts'
import type { ClusterFlags } from './cluster-address.ts'
import { CommandError, exitCodes } from './exit-codes.ts'

export interface DrainFlags extends ClusterFlags {
  readonly deadline: number
}

export async function drain(wanted: string, flags: DrainFlags): Promise<void> {
  const { status, token } = await findCluster(flags)
  const node = chosenNode(status.nodes, wanted)
  if (node.head)
    throw new CommandError(
      `node ${node.id} is the head: without it no node can join; end it with outpool stop, or by SIGTERM, which drains too`,
      exitCodes.usage,
    )
  const seconds = flags.deadline / 1000
  if (!flags.json) console.log(`Draining node ${node.id} at ${node.url}: what runs there has ${seconds} s to end.`)
  const clean = await drainNode(node.url, token, flags.deadline, `outpool drain on ${hostname()}`)
  if (flags.json) console.log(JSON.stringify({ node: node.id, url: node.url, clean, deadlineMs: flags.deadline }))
  else if (clean) console.log(`Node ${node.id} is empty and stops.`)
  if (!clean)
    throw new CommandError(`the deadline of ${seconds} s was over: node ${node.id} stops, and what was left there ends`)
}
