/** The ways from this node to other processes, and through it for others. */
import { join } from 'node:path'
import { longestTimerMs } from '../base/clock.ts'
import { ConnectionLostError } from '../base/errors.ts'
import type { NodeId, ProcessAddress, ProcessId } from '../base/ids.ts'
import { directDialTimeoutMs, linkHighWaterBytes } from '../base/limits.ts'
import { MessageType } from '../protocol/messages.ts'
import type { NodeRow } from '../protocol/messages.ts'
import type { Abandon } from '../transport/abandon.ts'
import { isNotConnected } from '../transport/address-error.ts'
import { dial } from '../transport/dial.ts'
import type { DialOptions } from '../transport/dial.ts'
import { isRefusal } from '../transport/hello.ts'
import type { Link } from '../transport/link.ts'
import type { SpliceTarget } from '../transport/splice.ts'
import type { NodeParts } from './node-parts.ts'
import type { Ways } from './ways.ts'

/** Where a connection that came in for another process goes on. */
export async function resolveTarget(parts: NodeParts, to: ProcessAddress): Promise<SpliceTarget> {
  const { pool, connections, ways, grants, options } = parts
  if (to.node !== options.id) {
    const row = grants.row(to.node)
    if (row === undefined) return { kind: 'refuse', code: 'not-found', reason: `node ${to.node} is not known here` }
    if (row.state === 'dead')
      return { kind: 'refuse', code: 'gone', reason: `node ${to.node} is dead: ${row.reason ?? 'the head says so'}` }
    return onwards(parts, row)
  }
  if (pool.has(to.process)) return { kind: 'unix', path: pool.socketPath(to.process) }
  const driver = connections.find(to.process)
  if (driver === undefined)
    return { kind: 'refuse', code: 'gone', reason: `process ${to.process} is not on node ${options.id} (any more)` }
  const { ticket, socket } = ways.dialBacks.issue(to.process, {
    again: (asked) => {
      const newest = connections.find(to.process)
      // Who does not read finds what it was asked before, once it does.
      if (newest !== undefined && newest.bufferedBytes <= linkHighWaterBytes) askBack(newest, asked)
    },
  })
  askBack(driver, ticket)
  return { kind: 'socket', socket, cancel: (reason) => ways.dialBacks.cancel(ticket, reason) }
}

function askBack(driver: Link, ticket: string): void {
  driver.send([MessageType.dialBack, ticket])
  driver.flush()
}

/** Its own port; else a connection that it opens; else the head, which every node can reach. */
function onwards(parts: NodeParts, { id, url }: NodeRow): SpliceTarget | Promise<SpliceTarget> {
  const { callBacks } = parts.ways
  const instead = async (): Promise<SpliceTarget> => {
    try {
      return { kind: 'socket', socket: await callBacks.call(id) }
    } catch (error) {
      const head = headFor(parts, id)
      if (head !== undefined) return { kind: 'relay', url: head.url }
      return { kind: 'refuse', code: 'unreachable', reason: (error as Error).message }
    }
  }
  if (url === '' || !callBacks.mayDial(id)) return instead()
  return {
    kind: 'relay',
    url,
    instead: () => {
      callBacks.cannotDial(id)
      return instead()
    },
  }
}

/** What is needed of the node to find a way. */
export interface RouteParts {
  readonly options: Pick<NodeParts['options'], 'id' | 'token' | 'runFolder' | 'tls'>
  readonly grants: Pick<NodeParts['grants'], 'row' | 'rows'>
  readonly hello: NodeParts['hello']
  readonly ways: { readonly callBacks: Pick<Ways['callBacks'], 'mayDial' | 'cannotDial' | 'call'> }
}

/** The head, where it may pass on what is for that node. */
function headFor({ options, grants }: RouteParts, node: NodeId): NodeRow | undefined {
  const head = grants.rows().find((row) => row.head && row.state !== 'dead')
  return head === undefined || head.id === node || head.id === options.id || head.url === '' ? undefined : head
}

/**
 * A link or channel to another process of the cluster, over the port of its node. Where that cannot be dialled from here,
 * the node is asked to dial this one; where it cannot either, the head passes the bytes on, which every node can reach.
 */
export async function reach<Reached>(
  parts: RouteParts,
  to: ProcessAddress,
  open: (options: DialOptions) => Promise<Reached>,
): Promise<Reached> {
  const { options, grants, hello } = parts
  const { callBacks } = parts.ways
  const common = { to, from: hello, token: options.token, ...(options.tls && { tls: options.tls }) }
  // Its own listener knows the way to its own processes, those that have to be called back included.
  if (to.node === options.id) return open({ ...common, address: { unix: join(options.runFolder, 'node.sock') } })
  const row = grants.row(to.node)
  if (row === undefined || row.state === 'dead') {
    const why = row === undefined ? 'it is not known here' : 'it is dead'
    throw new ConnectionLostError(`node ${to.node} cannot be reached: ${why}`)
  }
  const { url } = row
  const directly = (): Promise<Reached> => open({ ...common, address: { url }, timeoutMs: directDialTimeoutMs })
  let failure: unknown
  if (url !== '' && callBacks.mayDial(to.node)) {
    try {
      return await directly()
    } catch (error) {
      if (isAnswer(error)) throw error
      // Of a node somebody took the connection where a driver or a worker of it, which may compute, says nothing.
      if (to.process === to.node || isNotConnected(error)) callBacks.cannotDial(to.node)
      failure = error
    }
  }
  try {
    return await open({ ...common, address: { socket: await callBacks.call(to.node) } })
  } catch (error) {
    if (isAnswer(error)) throw error
    failure ??= error
  }
  const head = headFor(parts, to.node)
  if (head !== undefined) {
    try {
      return await open({ ...common, address: { url: head.url } })
    } catch {
      // The head could not either: that says less than why the direct way failed.
    }
  }
  throw failure
}

/** Somebody was reached, or another way would end the same. */
function isAnswer(error: unknown): boolean {
  return !(error instanceof ConnectionLostError) || isRefusal(error)
}

/**
 * A link to the driver of a job that has none to this node. Its home is in the head's table of jobs. It may compute, and is
 * waited for, until that is given up.
 */
export async function dialDriver(parts: NodeParts, job: ProcessId, abandon: Abandon): Promise<Link> {
  const [row] = await parts.tables.ask('jobs', ['get', job])
  if (row === undefined) throw new ConnectionLostError(`job ${job} is not known to the head`)
  const { node } = JSON.parse(Buffer.from(row[2]).toString('utf8')) as { node: NodeId }
  const open = (options: DialOptions): Promise<Link> => dial({ ...options, helloTimeoutMs: longestTimerMs, abandon })
  return reach(parts, { node, process: job }, open)
}
