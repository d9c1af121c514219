/** What a node manager is made of, and what it tells its host. */
import type { Clock } from '../base/clock.ts'
import type { NodeId } from '../base/ids.ts'
import type { Random } from '../base/random.ts'
import type { ArenaHost } from '../objects/arena-host.ts'
import type { ObjectStore } from '../objects/store.ts'
import type { ResourceUnits } from '../protocol/messages.ts'
import type { HeartbeatOptions } from '../transport/heartbeat-state.ts'
import { defaultHeartbeat } from '../transport/heartbeat-state.ts'
import type { ClientTls } from '../transport/splice.ts'
import type { TokenSource } from '../transport/tokens.ts'
import type { CodeCacheLimits } from './code-cache-state.ts'
import type { EarlyWorker } from './early-worker.ts'
import { defaultLeaseOptions } from './lease-types.ts'
import type { LeaseOptions } from './lease-types.ts'
import type { ClaimPages } from './worker-pool.ts'

export interface NodeManagerOptions {
  /** The incarnation of this node manager, which names the node. */
  readonly id: NodeId
  readonly token: TokenSource
  /** Made by the host, 0700, with the folders `logs`, `pages` and `objects`; removed when the node ends. */
  readonly runFolder: string
  /** Where the node's one port is reached; '' in local mode. */
  readonly url: string
  readonly hostname: string
  readonly total: ResourceUnits
  readonly labels: Readonly<Record<string, string>>
  /** Whether the head of the cluster is in this process. */
  readonly head: boolean
  /** The module that a worker process runs. */
  readonly workerEntry: string
  /** The first worker, when it was started before the node manager; it takes `prestart` above 0. */
  readonly earlyWorker?: EarlyWorker
  /** For messages: the address of the head, or `local`. */
  readonly headName: string
  /** Variables for workers beside those that pass (see child-settings.ts). */
  readonly environment?: Readonly<Record<string, string>>
  readonly leases?: Partial<LeaseOptions>
  /** Where code that was sent here lies, and how much of it. Default: `code` in the run folder, 4 GiB, 500 entries. */
  readonly codeCache?: Partial<CodeCacheLimits> & { readonly folder?: string }
  /** How long a job outlives the link of its driver. Default 10,000 ms. */
  readonly driverGraceMs?: number
  /** How long a request that needs the head may take. Default 10,000 ms. */
  readonly headTimeoutMs?: number
  /** The least time between two load reports. Default 50 ms. */
  readonly loadIntervalMs?: number
  readonly heartbeat?: HeartbeatOptions
  readonly tls?: ClientTls
}

export interface NodeManagerPorts {
  readonly store: ObjectStore
  /** The shared memory of this node, where `store` is in it. Closed by the host, after the node manager. */
  readonly arena?: ArenaHost
  /** Default: pages on files (runtime/objects/claim-page.ts). */
  readonly claimPages?: ClaimPages
  readonly clock: Clock
  readonly random: Random
  readonly events: NodeManagerEvents
}

export interface NodeManagerEvents {
  /**
   * The cluster holds this node for dead. Its workers are being ended and its links are closed already; the host stops
   * this node manager and joins again as a new incarnation.
   */
  declaredDead(reason: string): void
  /** Somebody asked this node to let its work finish elsewhere and then to stop; `drained` tells the asker how it went. */
  drainRequested(deadlineMs: number, reason: string, drained: (clean: boolean) => void): void
  /** Something that a person should see: a line for stderr. */
  warn(text: string): void
}

export interface CompiledNodeOptions extends NodeManagerOptions {
  readonly leases: LeaseOptions
  readonly driverGraceMs: number
  readonly headTimeoutMs: number
  readonly loadIntervalMs: number
  readonly heartbeat: HeartbeatOptions
}

export function compileNodeOptions(options: NodeManagerOptions): CompiledNodeOptions {
  return {
    ...options,
    leases: { ...defaultLeaseOptions, ...options.leases },
    driverGraceMs: options.driverGraceMs ?? 10_000,
    headTimeoutMs: options.headTimeoutMs ?? 10_000,
    loadIntervalMs: options.loadIntervalMs ?? 50,
    heartbeat: options.heartbeat ?? defaultHeartbeat,
  }
}
