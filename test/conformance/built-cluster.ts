/** Clusters of the built package: what the conformance suites of the shims run on, beside this machine. */
import { expect } from 'chai'
import { TestCluster } from '../cluster/support.ts'
import { eventually } from '../tools/eventually.ts'

type Outpool = typeof import('outpool')

export interface Place {
  readonly name: string
  /** Nodes with workers; 0: this machine, without daemons. */
  readonly nodes: number
}

export const places: readonly Place[] = [
  { name: 'on this machine', nodes: 0 },
  { name: 'on three nodes', nodes: 3 },
]

/**
 * Starts Outpool in this process at a place; returns what ends it, and the nodes behind it. In a cluster the node that
 * this process joins has no CPU, so what runs on a worker runs on another node.
 */
export async function joinPlace({ nodes }: Place): Promise<() => Promise<void>> {
  const outpool: Outpool = await import('outpool')
  // Another suite of this process may have started it.
  await outpool.shutdown()
  if (nodes === 0) {
    await outpool.init()
    return () => outpool.shutdown()
  }
  const cluster = new TestCluster()
  const head = await cluster.start({ head: true, numCpus: 0 })
  await Promise.all(Array.from({ length: nodes }, () => cluster.start({ head: false, address: head.url })))
  await eventually(async () => (await cluster.status(head)).nodes.length > nodes || undefined)
  await outpool.init({ address: head.url, token: cluster.token })
  return async () => {
    await outpool.shutdown()
    await cluster.close()
  }
}

/**
 * Asserts, for a place with nodes, that every test of the `describe` had another node run something, but for those of
 * these titles: what they do, the guide says, is the caller's.
 */
export function expectElsewhere({ nodes }: Place, here: readonly string[]): void {
  if (nodes === 0) return
  const stayed: string[] = []
  let before = 0
  beforeEach(async () => {
    before = await ranElsewhere()
  })
  afterEach(async function () {
    const title = this.currentTest?.title ?? ''
    if ((await ranElsewhere()) === before && !here.includes(title)) stayed.push(title)
  })
  after(() => expect(stayed, 'tests of which nothing ran on another node').to.deep.equal([]))
}

/** Tasks of this process that have ended on other nodes than the one that it joined. */
async function ranElsewhere(): Promise<number> {
  const outpool: Outpool = await import('outpool')
  const { node, tasksByNode } = outpool.explain()
  return Object.entries(tasksByNode).reduce((sum, [at, tasks]) => (at === node ? sum : sum + tasks), 0)
}
