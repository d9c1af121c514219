/** The parts of a node manager, as they see each other; node-manager.ts puts them together. */
import type { LocalHello } from '../transport/hello.ts'
import type { NodeChaos } from './chaos.ts'
import type { NodeCode } from './code-effects.ts'
import type { ClusterLink } from './cluster-link.ts'
import type { Connections } from './connections.ts'
import type { Jobs } from './jobs.ts'
import type { LeaseGrants } from './lease-grants-state.ts'
import type { LogRouter } from './log-router.ts'
import type { Counting } from './counting.ts'
import type { CompiledNodeOptions, NodeManagerPorts } from './node-options.ts'
import type { ObjectSites } from './object-sites.ts'
import type { TableForwarding } from './table-forwarding.ts'
import type { ObjectPuller } from './transfer.ts'
import type { Ways } from './ways.ts'
import type { WorkerDeaths } from './worker-deaths.ts'
import type { WorkerPool } from './worker-pool.ts'

export interface NodeParts {
  readonly options: CompiledNodeOptions
  readonly ports: NodeManagerPorts
  readonly grants: LeaseGrants
  readonly pool: WorkerPool
  readonly connections: Connections
  readonly cluster: ClusterLink
  readonly tables: TableForwarding
  readonly jobs: Jobs
  readonly logs: LogRouter
  readonly puller: ObjectPuller
  readonly code: NodeCode
  readonly ways: Ways
  readonly chaos: NodeChaos
  readonly counting: Counting
  readonly sites: ObjectSites
  readonly deaths: WorkerDeaths
  /** Tells the lease machine something; then its timer is set again and the load is told. */
  readonly change: (event: () => void) => void
  /** What this process says of itself in a hello. */
  readonly hello: LocalHello
}
