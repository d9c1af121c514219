/**
 * What a node tells Prometheus. Made from what the node knows anyway, when it is asked; nothing is counted for it while
 * tasks run. Labels are words of fixed lists (states, results) alone: nothing that users or clusters make grows a series.
 */
import type { Gauge, Registry } from 'prom-client'
import type { NodeStats } from '../node/node-manager.ts'
import type { StoreUsage } from '../objects/store-usage.ts'
import type { NodeRow } from '../protocol/messages.ts'
import { cpuName, unitsOf, unitsPerOne } from '../scheduler/resources.ts'

export interface MetricFacts {
  readonly stats: NodeStats
  /** '' when the node takes work. */
  readonly notReady: string
  /** All nodes as this one sees them, itself included. */
  readonly nodes: readonly NodeRow[]
  readonly own: NodeRow
  readonly store: StoreUsage
}

type Values = Readonly<Record<string, number>>

interface Metric {
  readonly name: string
  readonly help: string
  /** The label's name; without it the metric has one value, under ''. */
  readonly label?: string
  readonly values: (facts: MetricFacts) => Values
}

const cpus = (row: NodeRow, which: 'total' | 'available'): number => unitsOf(row[which], cpuName) / unitsPerOne
const living = (facts: MetricFacts): NodeRow[] => facts.nodes.filter(({ state }) => state !== 'dead')
const sum = (rows: readonly NodeRow[], pick: (row: NodeRow) => number): number =>
  rows.reduce((total, row) => total + pick(row), 0)

const metrics: readonly Metric[] = [
  {
    name: 'outpool_node_ready',
    help: '1 when the node is registered with the head and accepts leases.',
    values: ({ notReady }) => ({ '': notReady === '' ? 1 : 0 }),
  },
  {
    name: 'outpool_node_cpus',
    help: 'CPUs that this node offers, and those that no lease holds.',
    label: 'kind',
    values: ({ own }) => ({ total: cpus(own, 'total'), available: cpus(own, 'available') }),
  },
  {
    name: 'outpool_node_leases',
    help: 'Leases that are held on this node, and requests that wait for one here.',
    label: 'state',
    values: ({ stats }) => ({ granted: stats.leases, queued: stats.queued }),
  },
  {
    name: 'outpool_node_workers',
    help: 'Worker processes of this node. A blocked one awaits what other tasks compute; its CPU is lent.',
    label: 'state',
    values: ({ stats }) => ({
      starting: stats.starting,
      idle: stats.idle,
      leased: Math.max(0, stats.workers - stats.starting - stats.idle - stats.blocked),
      blocked: stats.blocked,
      ending: Math.max(0, stats.processes - stats.workers),
    }),
  },
  {
    name: 'outpool_node_jobs',
    help: 'Programs whose home is this node.',
    values: ({ stats }) => ({ '': stats.jobs }),
  },
  {
    name: 'outpool_node_connections',
    help: 'Control links of processes to this node.',
    values: ({ stats }) => ({ '': stats.connections }),
  },
  {
    name: 'outpool_node_pulls',
    help: 'Objects that are being brought here from other nodes.',
    values: ({ stats }) => ({ '': stats.pulls }),
  },
  {
    name: 'outpool_store_objects',
    help: 'Objects in the store of this node.',
    values: ({ store }) => ({ '': store.objects }),
  },
  {
    name: 'outpool_store_bytes',
    help: 'Bytes of the objects in the store of this node.',
    values: ({ store }) => ({ '': store.bytes }),
  },
  {
    name: 'outpool_store_memory_bytes',
    help: 'Shared memory of the store of this node: what it has, and what of it is in use. Zero where it is on files.',
    label: 'kind',
    values: ({ store }) => ({ capacity: store.capacityBytes ?? 0, used: store.usedBytes }),
  },
  {
    name: 'outpool_store_spilled_bytes',
    help: 'Bytes of objects of this node that are on disk only.',
    values: ({ store }) => ({ '': store.spilledBytes }),
  },
  {
    name: 'outpool_code_cache_entries',
    help: 'Bundles, folders and packages that were sent to this node and are kept.',
    values: ({ stats }) => ({ '': stats.code.entries }),
  },
  {
    name: 'outpool_code_cache_bytes',
    help: 'Bytes of what the code cache of this node keeps.',
    values: ({ stats }) => ({ '': stats.code.bytes }),
  },
  {
    name: 'outpool_code_cache_made',
    help: 'Entries of the code cache that were unpacked or installed since the node manager started.',
    values: ({ stats }) => ({ '': stats.code.made }),
  },
  {
    name: 'outpool_node_head_silence_seconds',
    help: 'Since this node last heard of the head. Absent at the head itself, and while there is no link to it.',
    values: ({ stats }): Values =>
      stats.headSilentMs === undefined ? {} : { '': Math.max(0, stats.headSilentMs) / 1000 },
  },
  {
    name: 'outpool_cluster_nodes',
    help: 'Nodes of the cluster as this node knows them.',
    label: 'state',
    values: ({ nodes }) => {
      const count = (state: NodeRow['state']): number => nodes.filter((row) => row.state === state).length
      return { alive: count('alive'), draining: count('draining'), dead: count('dead') }
    },
  },
  {
    name: 'outpool_cluster_cpus',
    help: 'CPUs of all living nodes as this node knows them.',
    label: 'kind',
    values: (facts) => ({
      total: sum(living(facts), (row) => cpus(row, 'total')),
      available: sum(living(facts), (row) => cpus(row, 'available')),
    }),
  },
  {
    name: 'outpool_cluster_queued',
    help: 'Lease requests that wait at the living nodes, as this node knows them.',
    values: (facts) => ({ '': sum(living(facts), (row) => row.queued) }),
  },
  {
    name: 'process_resident_memory_bytes',
    help: 'Resident memory of the node manager.',
    values: () => ({ '': process.memoryUsage.rss() }),
  },
  {
    name: 'process_start_time_seconds',
    help: 'When the node manager process started, in seconds since 1970.',
    values: () => ({ '': Math.round(Date.now() / 1000 - process.uptime()) }),
  },
]

export class NodeMetrics {
  readonly #registry: Registry
  readonly #gauges: readonly (readonly [Metric, Gauge])[]

  /** Loads the library: only a node that is asked for its metrics does. */
  static async open(): Promise<NodeMetrics> {
    const library = await import('prom-client')
    const registry = new library.Registry()
    const gauges = metrics.map((metric) => {
      const { name, help, label } = metric
      const labelNames = label === undefined ? [] : [label]
      return [metric, new library.Gauge({ name, help, labelNames, registers: [registry] })] as const
    })
    return new NodeMetrics(registry, gauges)
  }

  private constructor(registry: Registry, gauges: readonly (readonly [Metric, Gauge])[]) {
    this.#registry = registry
    this.#gauges = gauges
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  render(facts: MetricFacts): Promise<string> {
    for (const [metric, gauge] of this.#gauges) {
      gauge.reset()
      const values = metric.values(facts)
      if (metric.label === undefined && values[''] === undefined) gauge.remove()
      for (const [word, value] of Object.entries(values))
        if (metric.label === undefined) gauge.set(value)
        else gauge.set({ [metric.label]: word }, value)
    }
    return this.#registry.metrics()
  }
}
