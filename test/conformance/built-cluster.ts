/** Clusters of the built package: what the conformance suites of the shims run on, beside this machine. */
import { TestCluster } from '../cluster/support.ts'

type Outpool = typeof import('outpool')

export interface Place {
  readonly name: string
  /** 0: this machine, without daemons. */
  readonly nodes: number
}

export const places: readonly Place[] = [
  { name: 'on this machine', nodes: 0 },
  { name: 'on three nodes', nodes: 3 },
]

/** Starts Outpool in this process at a place; returns what ends it, and the nodes behind it. */
export async function joinPlace({ nodes }: Place): Promise<() => Promise<void>> {
  const outpool: Outpool = await import('outpool')
  // Another suite of this process may have started it.
  await outpool.shutdown()
  const cluster = nodes === 0 ? undefined : new TestCluster()
  const [head] = cluster === undefined ? [] : await cluster.startAll(nodes - 1)
  await outpool.init(head === undefined || cluster === undefined ? {} : { address: head.url, token: cluster.token })
  return async () => {
    await outpool.shutdown()
    await cluster?.close()
  }
}
