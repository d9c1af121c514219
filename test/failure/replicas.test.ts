import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { StoreUsage } from '../../runtime/objects/store-usage.ts'
import { elsewhere } from './apart.ts'
import { nothingStored } from './scenarios/objects.ts'
import { FailureCluster, signal, type Program } from './support.ts'
import { eventually } from '../tools/eventually.ts'

const bytes = 4 * 1024 * 1024
const names = ['first', 'second', 'third'] as const

describe('a replicated value', function () {
  this.timeout(120_000)
  let cluster: FailureCluster
  let nodes: DaemonFacts[]
  beforeEach(async () => {
    cluster = new FailureCluster()
    const [first, ...more] = names.map((name) => ({ numCpus: 1, resources: { [name]: 10 } }))
    const head = await cluster.startHead({ ...first, objectStoreMemory: 64 * 1024 * 1024 })
    nodes = [head, ...(await Promise.all(more.map((options) => cluster.startNode(head.url, options))))]
    await cluster.knowEachOther(nodes)
  })
  afterEach(() => cluster.close())

  /** Of those that live, the nodes that keep it: not as a copy that they may drop. */
  const keepers = async (id: string, living: readonly DaemonFacts[]): Promise<DaemonFacts[]> => {
    const found = await Promise.all(
      living.map((node) => askNodeJson<StoreUsage>(node.url, '/memory?objects=10', cluster.token)),
    )
    return living.filter((_, i) => found[i]?.list.some(({ key, primary }) => key === id && primary !== false))
  }
  const right = async (driver: Program, node: DaemonFacts): Promise<unknown> => {
    driver.tell(`read ${names[nodes.indexOf(node)]}`)
    return (await driver.next<{ right: unknown }>('read')).right
  }
  const put = async (driver: Program): Promise<string> => (await driver.next<{ id: string }>('put')).id
  const leave = async (driver: Program, living: readonly DaemonFacts[]): Promise<void> => {
    const readers = cluster.workers()
    driver.tell('leave')
    for (const node of living) await nothingStored(cluster, node)
    // Let go of by those that read it, and not because these end when they have been idle for long.
    expect(cluster.workers()).to.include.members(readers)
    driver.tell('end')
    await driver.next('end')
  }

  it('stands on as many nodes as were asked for when put resolves, and again after one of them was killed', async () => {
    const [head] = nodes as [DaemonFacts]
    const driver = cluster.run('replicas', { bytes, replicas: 2, nodes: names }, { address: head.url })
    const id = await put(driver)
    const before = await keepers(id, nodes)
    expect(before).to.have.length(2).and.include(head)
    const victim = before.find((node) => node !== head) as DaemonFacts
    signal(victim.pid, 'SIGKILL')
    const living = nodes.filter((node) => node !== victim)
    await eventually(async () => (await keepers(id, living)).length === 2 || undefined)
    for (const node of living) expect(await right(driver, node)).to.equal(true)
    await leave(driver, living)
  })

  it('survives its node: it is read from another where one that kept it was killed', async function () {
    const [head] = nodes as [DaemonFacts]
    // A driver that has no node's memory: the nodes that are chosen keep all that there is outside of it.
    const within = elsewhere(this, cluster)
    const driver = cluster.run('replicas', { bytes, replicas: 2, nodes: names }, { address: head.url, within })
    const id = await put(driver)
    const before = await keepers(id, nodes)
    expect(before).to.have.length(2)
    const victim = before.find((node) => node !== head) as DaemonFacts
    signal(victim.pid, 'SIGKILL')
    const living = nodes.filter((node) => node !== victim)
    for (const node of living) expect(await right(driver, node)).to.equal(true)
    await eventually(async () => (await keepers(id, living)).length === 2 || undefined)
    await leave(driver, living)
  })
})
