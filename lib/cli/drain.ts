/** `outpool drain`: lets the work of a node finish elsewhere, then stops it. */
import { hostname } from 'node:os'
import type { NodeSummary } from '../../runtime/cluster/status.ts'
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
  const leaving = new Leaving(node, flags.deadline)
  const clean = await drainNode(node.url, token, {
    deadlineMs: flags.deadline,
    reason: `outpool drain on ${hostname()}`,
    onAsked: () => leaving.begin(),
  }).finally(() => leaving.end())
  if (flags.json) console.log(JSON.stringify({ node: node.id, url: node.url, clean, deadlineMs: flags.deadline }))
  else if (clean) console.log(`Node ${node.id} is empty and stops.`)
  if (!clean)
    throw new CommandError(`the deadline of ${seconds} s was over: node ${node.id} stops, and what was left there ends`)
}

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** What whoever ends this command while the node drains is told: the node goes on with it. */
class Leaving {
  readonly #node: NodeSummary
  readonly #deadlineMs: number
  #beganAtMs = 0

  constructor(node: NodeSummary, deadlineMs: number) {
    this.#node = node
    this.#deadlineMs = deadlineMs
  }

  begin(): void {
    this.#beganAtMs = performance.now()
    for (const signal of signals) process.on(signal, this.#left)
  }

  end(): void {
    for (const signal of signals) process.off(signal, this.#left)
  }

  readonly #left = (signal: NodeJS.Signals): void => {
    const { id } = this.#node
    const leftMs = Math.max(0, this.#deadlineMs - (performance.now() - this.#beganAtMs))
    console.error(
      `outpool: the drain of node ${id} goes on without this command: it takes nothing new, and stops when it is empty, ` +
        `in ${Math.ceil(leftMs / 1000)} s at the latest. outpool status shows it, and the ` +
        'same command waits for its end. It cannot be taken back: outpool start on that machine starts another node',
    )
    this.end()
    // As if nobody had listened: scripts see by which signal it ended.
    process.kill(process.pid, signal)
  }
}
