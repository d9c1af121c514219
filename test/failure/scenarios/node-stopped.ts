/** A node manager that is stopped for longer than the detection takes, while it has work, and goes on later. */
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { signal } from '../support.ts'
import { eventually } from '../../tools/eventually.ts'
import type { FailureCluster } from '../support.ts'
import { nothingHeld } from './scale.ts'
import { failures, underLoad } from './under-load.ts'
import type { LoadOptions, LoadOutcomes } from './under-load.ts'
import { isAlive } from '../../tools/processes.mjs'

export interface NodeStopped extends LoadOutcomes {
  readonly victim: DaemonFacts
  /** Its workers before it was stopped. */
  readonly workers: readonly number[]
  /** Why the head held it for dead. */
  readonly reason: string
  /** The id under which it came back. */
  readonly again: string
  readonly left: Readonly<Record<string, number>>
}

/**
 * Its workers go on while it is stopped: what they have done lies in its sockets, and comes when it goes on, at a time
 * when the same tasks run elsewhere.
 */
export async function stopNode(cluster: FailureCluster, options: LoadOptions): Promise<NodeStopped> {
  const load = await underLoad(cluster, options)
  const [head, , victim] = load.named
  const workers = cluster.workers(victim.id)
  signal(victim.pid, 'SIGSTOP')
  const { reason = '' } = await cluster.seen(head, ({ id, state }) => id === victim.id && state === 'dead')
  if (options.maxRetries === 0) await load.more(4 * load.nodes.length * options.cpusPerNode)
  else await load.until(({ retried }) => retried > 0)
  signal(victim.pid, 'SIGCONT')
  const again = await cluster.seen(head, ({ pid, state }) => pid === victim.pid && state === 'alive')
  await eventually(() => workers.every((pid) => !isAlive(pid)) || undefined)
  const outcomes = await load.enough()
  await load.ranOn(again.id)
  const left = await load.leave()
  await nothingHeld(cluster, head)
  return { ...outcomes, ...{ victim, workers, reason, again: again.id, left } }
}

/** Tasks that ran more than once and yet were settled by a worker of the node that was dead. */
export function settledByTheDead(cluster: FailureCluster, { answeredBy, workers }: NodeStopped): string[] {
  const executions = cluster.executions()
  return answeredBy.filter(([id, pid]) => (executions.get(id) ?? 0) > 1 && workers.includes(pid)).map(([id]) => id)
}

export function unsettled(result: LoadOutcomes): number {
  return result.submitted - result.tally.succeeded - failures(result)
}
