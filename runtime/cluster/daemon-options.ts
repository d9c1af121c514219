/** What a node manager daemon is started with: plain data, since it travels to a process of its own. */
import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { NodeId } from '../base/ids.ts'
import type { StoreSizeOptions } from './node-resources.ts'
import type { TlsFiles } from './tls-files.ts'

export interface DaemonOptions extends StoreSizeOptions {
  /** Whether this node is the head: it then has the control store too. */
  readonly head: boolean
  /** `ws://host:port` of any node of the cluster to join. Of no use to a head. */
  readonly address?: string
  /** Where the one port listens. Default `127.0.0.1`; `0.0.0.0` for every network. */
  readonly host?: string
  /** Default 7420 for a head, else 0: any free port. */
  readonly port?: number
  /** Listens with TLS, `wss://`; every connection of this node must then use it too. */
  readonly tls?: TlsFiles
  /** The name or address under which others reach this node. Default: see `advertisedHost`. */
  readonly advertise?: string
  /** Further names that a request may give for this node in its `Host` header. */
  readonly allowedHosts?: readonly string[]
  /**
   * Where a head keeps its tables: a folder, or `memory` for one that need not survive its process. Default: a folder of
   * its port in Outpool's folder of this user; `memory` on any free port.
   */
  readonly storage?: string
  /** What the node offers. Default: the CPUs and the memory of the machine or the container, less what the system needs. */
  readonly numCpus?: number
  /** Default 0: tasks that ask for GPUs find them where somebody said that there are. */
  readonly numGpus?: number
  /** Bytes, or a text such as `'2GiB'`. */
  readonly memory?: number | string
  readonly resources?: Readonly<Record<string, number>>
  readonly labels?: Readonly<Record<string, string>>
  /** Default 1,000 and 5: how the head and its nodes find out that the other is gone. */
  readonly heartbeatIntervalMs?: number
  readonly heartbeatMisses?: number
  /** How long SIGTERM lets work finish before the node stops, in milliseconds. Default 10,000; 0 stops at once. */
  readonly drainMs?: number
  /** How long a request waits that no node can ever serve, in milliseconds. Default 30,000. */
  readonly infeasibleTimeoutMs?: number
  /** How long a program that lost its link may take to come back, in milliseconds. Default 10,000. */
  readonly driverGraceMs?: number
  /** Whether it obeys `outpool chaos`: faults in links, signals. Default: whether OUTPOOL_CHAOS is 1. */
  readonly allowChaos?: boolean
  /** Where code that programs send is kept across restarts. Default: in the run folder, until the node stops. */
  readonly codeCacheFolder?: string
  /** How much of it is kept. Default 4 GiB. */
  readonly codeCacheBytes?: number
  /** Where its output goes; '' in the foreground. */
  readonly logFile: string
}

/** What a daemon says when it is ready. */
export interface DaemonFacts {
  readonly id: NodeId
  readonly url: string
  readonly headUrl: string
  readonly pid: number
}

/**
 * The name under which others reach what listens on `host`. For `0.0.0.0` and `::` that is the address of this machine
 * from which it reaches `towards` (the head); without one, the first that is not loopback.
 */
export async function advertisedHost(host: string, towards: string): Promise<string> {
  if (host !== '0.0.0.0' && host !== '::') return host
  const chosen = towards === '' || isLoopback(towards) ? undefined : await addressTowards(towards)
  if (chosen !== undefined) return chosen
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? [])
  return addresses.find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1'
}

/** Which of several addresses routes there: asked of the kernel by connecting a datagram socket, which sends nothing. */
function addressTowards(host: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    const finish = (address: string | undefined): void => {
      socket.close()
      resolve(address)
    }
    socket.once('error', () => finish(undefined))
    socket.once('connect', () => finish(socket.address().address))
    socket.connect(9, host)
  })
}

/** What to tell people about a port that others reach, and that they can read along; '' where there is nothing to tell. */
export function clearTextWarning({ host = '127.0.0.1', tls }: Pick<DaemonOptions, 'host' | 'tls'>): string {
  if (tls !== undefined || isLoopback(host)) return ''
  return (
    `warning: ${host} is listened on without TLS: whoever can read along on that network gets the token and can run ` +
    'code. Use --tls-cert and --tls-key, or a network that you trust.'
  )
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d+){3}$/.test(host)
}
