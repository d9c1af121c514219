/** The ways from this node to other processes, and through it for others. */
import { join } from 'node:path'
import { ConnectionLostError } from '../base/errors.ts'
import type { NodeId, ProcessAddress, ProcessId } from '../base/ids.ts'
import { MessageType } from '../protocol/messages.ts'
import { dial } from '../transport/dial.ts'
import type { DialOptions } from '../transport/dial.ts'
import type { Link } from '../transport/link.ts'
import type { SpliceTarget } from '../transport/splice.ts'
import type { NodeParts } from './node-parts.ts'

/** Where a connection that came in for another process goes on. */
export async function resolveTarget(parts: NodeParts, to: ProcessAddress): Promise<SpliceTarget> {
  const { pool, connections, dialBacks, grants, options } = parts
  if (to.node !== options.id) {
    const row = grants.row(to.node)
    if (row === undefined) return { kind: 'refuse', code: 'not-found', reason: `node ${to.node} is not known here` }
    if (row.state === 'dead')
      return { kind: 'refuse', code: 'gone', reason: `node ${to.node} is dead: ${row.reason ?? 'the head says so'}` }
    if (row.url === '') return { kind: 'refuse', code: 'not-found', reason: `node ${to.node} has no port` }
    return { kind: 'relay', url: row.url }
  }
  if (pool.has(to.process)) return { kind: 'unix', path: pool.socketPath(to.process) }
  const driver = connections.find(to.process)
  if (driver === undefined)
    return { kind: 'refuse', code: 'gone', reason: `process ${to.process} is not on node ${options.id} (any more)` }
  const { ticket, socket } = dialBacks.issue()
  driver.send([MessageType.dialBack, ticket])
  driver.flush()
  return { kind: 'socket', socket: await socket }
}

/** What is needed of the node to find a way. */
export interface RouteParts {
  readonly options: Pick<NodeParts['options'], 'id' | 'token' | 'runFolder' | 'tls'>
  readonly grants: Pick<NodeParts['grants'], 'row' | 'rows'>
  readonly hello: NodeParts['hello']
}

/**
 * A link or channel to another process of the cluster, over the port of its node. Where that cannot be dialled from
 * here, the head passes the bytes on, which every node can reach.
 */
export async function reach<Reached>(
  parts: RouteParts,
  to: ProcessAddress,
  open: (options: DialOptions) => Promise<Reached>,
): Promise<Reached> {
  const { options, grants, hello } = parts
  const common = { to, from: hello, token: options.token, ...(options.tls && { tls: options.tls }) }
  // Its own listener knows the way to its own processes, those that have to be called back included.
  if (to.node === options.id) return open({ ...common, address: { unix: join(options.runFolder, 'node.sock') } })
  const row = grants.row(to.node)
  if (row === undefined || row.state === 'dead' || row.url === '') {
    const why = row === undefined ? 'it is not known here' : row.state === 'dead' ? 'it is dead' : 'it has no port'
    throw new ConnectionLostError(`node ${to.node} cannot be reached: ${why}`)
  }
  try {
    return await open({ ...common, address: { url: row.url } })
  } catch (error) {
    const head = grants.rows().find(({ head: isHead, state }) => isHead && state !== 'dead')
    if (!(error instanceof ConnectionLostError) || head === undefined) throw error
    if (head.id === to.node || head.id === options.id || head.url === '') throw error
    return open({ ...common, address: { url: head.url } }).catch(() => {
      throw error
    })
  }
}

/** A link to the driver of a job that has none to this node. Its home is in the head's table of jobs. */
export async function dialDriver(parts: NodeParts, job: ProcessId): Promise<Link> {
  const [row] = await parts.tables.ask('jobs', ['get', job])
  if (row === undefined) throw new ConnectionLostError(`job ${job} is not known to the head`)
  const { node } = JSON.parse(Buffer.from(row[2]).toString('utf8')) as { node: NodeId }
  return reach(parts, { node, process: job }, dial)
}
