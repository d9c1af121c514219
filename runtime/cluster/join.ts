/**
 * Joining a running cluster as a driver. Any node manager serves as home.
 *
 *     address ──▶ ask who is there ──▶ its probe file can be read here, and its shared memory opened?
 *                                        yes: same machine: home link over node.sock, shared store
 *                                        no:  home link over the address
 *
 * The driver opens every connection itself; whoever wants to talk to it asks its home, and it calls back.
 */
import { existsSync } from 'node:fs'
import { newProcessId } from '../base/ids.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import { ConnectionLostError, OutpoolError } from '../base/errors.ts'
import { isWithinReach } from '../objects/arena-memory.ts'
import { nodeSocketOf, openHome } from '../owner/home.ts'
import type { Home, HomeHandlers } from '../owner/home.ts'
import { objectsFolderOf } from '../objects/arena-file.ts'
import { dial } from '../transport/dial.ts'
import { dialPatiently } from '../transport/patient.ts'
import type { TokenSource } from '../transport/tokens.ts'
import { parseClusterAddress } from './node-address.ts'
import { parseNodeInfo } from './node-info.ts'
import type { NodeInfo } from './node-info.ts'
import { probeMatches } from './run-folder.ts'

export interface JoinOptions extends HomeHandlers {
  /** `ws://host:port` of any node manager of the cluster. */
  readonly address: string
  readonly token: TokenSource
  /** This driver's incarnation, which is also the id of its job. */
  readonly process: ProcessId
  /** Said in the hello: a few hundred bytes of plain data. */
  readonly info?: Readonly<Record<string, unknown>>
  /** How long a lost home is dialled again, in milliseconds. Default 10,000. */
  readonly reconnectMs?: number
  /** Told, in words, where the node takes long to answer. */
  readonly onSlow?: (text: string) => void
  /** Whether a home on this machine is used over its unix socket and its store. Default true. */
  readonly sameMachine?: boolean
}

/** Who answers at an address. */
export interface FoundNode extends NodeInfo {
  readonly id: NodeId
  /** Where it was asked. */
  readonly url: string
}

const defaultReconnectMs = 10_000
const askTimeoutMs = 15_000

/**
 * Rejects with ConnectionLostError where nobody answers, AuthenticationError for a wrong token, ProtocolVersionError
 * where the versions do not work together, OutpoolError for an address that is none.
 */
export async function joinCluster(options: JoinOptions): Promise<Home> {
  const {
    address,
    token,
    process,
    info,
    reconnectMs = defaultReconnectMs,
    sameMachine = true,
    onSlow,
    ...handlers
  } = options
  const found = await findNode(address, token, { onSlow })
  const socket = nodeSocketOf(found.runFolder)
  const here =
    sameMachine && probeMatches(found.probe) && existsSync(socket) && isWithinReach(objectsFolderOf(found.runFolder))
  return openHome({
    ...handlers,
    kind: 'driver',
    process,
    node: found.id,
    address: here ? { unix: socket } : { url: found.url },
    token,
    reconnectMs,
    ...(onSlow && { onSlow }),
    ...(here && { runFolder: found.runFolder }),
    ...(info && { info }),
  })
}

export interface AskOptions {
  /** Told, in words, where the node takes long to answer. */
  readonly onSlow?: ((text: string) => void) | undefined
  /** Whether nobody depends on the answer: then the node has 15 s to answer, and not 30. */
  readonly isProbe?: boolean
}

/** Asks who is at an address, and leaves. Rejects as `joinCluster` does. */
export async function findNode(
  address: string,
  token: TokenSource,
  { onSlow, isProbe = false }: AskOptions = {},
): Promise<FoundNode> {
  const url = parseClusterAddress(address)
  // Not the asker's own id: this link is nobody's, and its end must not look like that of a driver.
  const nobody = newProcessId()
  const from = { kind: 'driver', node: nobody, process: nobody, info: { asking: true } } as const
  try {
    const wanted = { address: { url }, to: 'any', from, token, timeoutMs: askTimeoutMs } as const
    const link = await (isProbe ? dial(wanted) : dialPatiently(wanted, onSlow))
    link.close()
    const info = parseNodeInfo(link.peer.info)
    if (link.peer.kind !== 'node' || !info) throw new OutpoolError(`${url} is an Outpool ${link.peer.kind}, not a node`)
    return { ...info, id: link.peer.process, url }
  } catch (error) {
    throw withNextStep(error as Error, url)
  }
}

function withNextStep(error: Error, url: string): Error {
  const code = (error.cause as NodeJS.ErrnoException | undefined)?.code
  if (!(error instanceof ConnectionLostError) || code !== 'ECONNREFUSED') return error
  return new ConnectionLostError(
    `nothing listens at ${url}: is a head running there? Start one with: outpool start --head`,
    { cause: error, details: { address: url } },
  )
}
