import { expect } from 'chai'
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import type { StoreUsage } from '../../runtime/objects/store-usage.ts'
import { nothingHeld } from './scenarios/scale.ts'
import { FailureCluster, signal } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { isAlive } from '../tools/processes.mjs'

describe('a driver that is killed', function () {
  this.timeout(120_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  /** Objects of a process in the stores of all nodes. */
  const objectsOf = async (nodes: readonly DaemonFacts[], owner: string): Promise<number> => {
    const stores = await Promise.all(nodes.map(({ url }) => askNodeJson<StoreUsage>(url, '/memory', cluster.token)))
    const owned = stores.flatMap(({ owners }) => owners.filter((one) => one.owner === owner))
    return owned.reduce((sum, { objects }) => sum + objects, 0)
  }

  it('ends its job: workers are ended, objects freed, resources back, on every node', async () => {
    const nodes = await cluster.startAll(2, { numCpus: 2 })
    const [head, home] = nodes as [DaemonFacts, DaemonFacts]
    const tasks = 6
    const driver = cluster.run('owner', { objects: 5, bytes: 300_000, tasks }, { address: home.url })
    const { process: id, refs } = await driver.next<{ readonly process: string; readonly refs: number }>('owning')
    await eventually(() => cluster.executions().size === tasks || undefined)
    const workers = nodes.map((node) => cluster.workers(node.id)).flat()
    expect(workers).to.have.length.at.least(tasks)
    expect(await objectsOf(nodes, id)).to.be.at.least(refs)
    signal(driver.pid, 'SIGKILL')
    await eventually(() => workers.every((pid) => !isAlive(pid)) || undefined)
    await eventually(async () => (await objectsOf(nodes, id)) === 0 || undefined)
    await nothingHeld(cluster, head)
    // The nodes go on, for others.
    const next = cluster.run('loop', { tasks: 20, loopMs: 0 }, { address: home.url })
    const outcomes = await next.next<{ readonly tally: object }>('outcomes')
    expect(outcomes.tally).to.deep.equal({ succeeded: 20, failed: {} })
    next.tell('leave')
    await next.next('end')
  })
})
