import { expect } from 'chai'
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import type { NodeTables } from '../../runtime/node/counting.ts'
import type { StoreUsage } from '../../runtime/objects/store-usage.ts'
import { FailureCluster, type Program, signal } from './support.ts'
import { eventually } from '../tools/eventually.ts'

/** A worker of node "here" owns objects on node "there". */
interface Owning {
  readonly driver: Program
  readonly pid: number
  readonly owner: string
  readonly here: DaemonFacts
  readonly there: DaemonFacts
}

const objects = 3

describe('a worker that owns objects on another node, and ends while its job goes on', function () {
  this.timeout(120_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  const begin = async (): Promise<Owning> => {
    const head = await cluster.startHead({ numCpus: 1 })
    const here = await cluster.startNode(head.url, { numCpus: 1, resources: { here: 1 } })
    const there = await cluster.startNode(head.url, { numCpus: 1, resources: { there: 1 } })
    await cluster.knowEachOther([head, here, there])
    const driver = cluster.run('elsewhere-owner', { objects, bytes: 400_000 }, { address: head.url })
    const { pid, process: owner } = await driver.next<{ readonly pid: number; readonly process: string }>('owns')
    return { driver, pid, owner, here, there }
  }
  const objectsOf = async (owner: string, { url }: DaemonFacts): Promise<number> => {
    const { owners } = await askNodeJson<StoreUsage>(url, '/memory', cluster.token)
    return owners.find((one) => one.owner === owner)?.objects ?? 0
  }
  const ownersAt = async ({ url }: DaemonFacts): Promise<number> =>
    (await askNodeJson<NodeTables>(url, '/tables', cluster.token)).node['owners'] ?? 0

  for (const what of ['killed', 'killed with its node'])
    it(`leaves nothing there: ${what}`, async () => {
      const { driver, pid, owner, here, there } = await begin()
      expect(await objectsOf(owner, there)).to.equal(objects + 1)
      const before = await ownersAt(there)
      signal(what === 'killed' ? pid : here.pid, 'SIGKILL')
      await eventually(async () => (await objectsOf(owner, there)) === 0 || undefined)
      expect(await ownersAt(there)).to.be.below(before)
      driver.tell('leave')
      await driver.next('end')
    })
})
