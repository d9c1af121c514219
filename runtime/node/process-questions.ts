/** What one node asks another of its processes: whether they live. */
import { afterFairly } from '../base/clock.ts'
import { ConnectionLostError } from '../base/errors.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import { type Message, MessageType, type ProcessStatus } from '../protocol/messages.ts'
import { dial } from '../transport/dial.ts'
import type { NodeParts } from './node-parts.ts'
import { reach } from './routes.ts'

/** How long a node may take, in milliseconds. */
const answerMs = 10_000

/** What of a node tells of its processes. */
interface ProcessParts {
  readonly options: Pick<NodeParts['options'], 'id'>
  readonly pool: Pick<NodeParts['pool'], 'has'>
  readonly connections: Pick<NodeParts['connections'], 'find'>
  readonly jobs: Pick<NodeParts['jobs'], 'isHome'>
  readonly grants: Pick<NodeParts['grants'], 'row'>
}

/** As far as this node knows: it knows its own, and which nodes are dead. */
export function statusOf(parts: ProcessParts, node: NodeId, process: ProcessId): ProcessStatus[2] {
  const { options, pool, connections, jobs, grants } = parts
  if (node !== options.id) return grants.row(node)?.state === 'dead' ? 'dead' : 'unknown'
  if (process === options.id || pool.has(process) || connections.find(process) !== undefined) return 'alive'
  // A driver whose link is gone may come back as long as its job is not over.
  return jobs.isHome(process) ? 'unknown' : 'dead'
}

/** The state of each, as their node says over a link of its own; rejects with ConnectionLostError where it says nothing. */
export async function askStatusOf(
  parts: NodeParts,
  node: NodeId,
  processes: readonly ProcessId[],
): Promise<ProcessStatus[2][]> {
  if (statusOf(parts, node, node) === 'dead') return processes.map(() => 'dead')
  const link = await reach(parts, { node, process: node }, dial)
  link.unref()
  const states = processes.map((): ProcessStatus[2] => 'unknown')
  let left = processes.length
  await new Promise<void>((resolve, reject) => {
    const text = `node ${node} did not say within ${answerMs} ms which of its processes live`
    const timer = afterFairly(parts.ports.clock, answerMs, () => link.close(new ConnectionLostError(text)))
    link.onClose = (reason) => {
      timer.cancel()
      reject(reason)
    }
    link.onMessage = (received) => {
      const message = received as unknown as Message
      if (message[0] !== MessageType.processStatus) return
      states[message[1]] = message[2]
      if (--left === 0) resolve()
    }
    for (const [i, process] of processes.entries()) link.send([MessageType.processQuery, i, node, process])
    link.flush()
  }).finally(() => link.close(new ConnectionLostError('all questions are answered')))
  return states
}
