import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { elsewhere } from './apart.ts'
import { Proxy } from './proxy.ts'
import { Load } from './scenarios/under-load.ts'
import { nothingHeld } from './scenarios/scale.ts'
import { FailureCluster } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { missedSoon } from '../tools/heartbeats.ts'
import { isAlive } from '../tools/processes.mjs'

/** All that the driver has of its home goes through a proxy; workers of other nodes it reaches directly. */
describe('a connection between a driver and its home', function () {
  this.timeout(120_000)
  let cluster: FailureCluster
  let nodes: DaemonFacts[]
  let proxy: Proxy

  beforeEach(async () => {
    cluster = new FailureCluster()
    nodes = await cluster.startAll(1, { numCpus: 2, ...missedSoon })
    proxy = await Proxy.start((nodes[1] as DaemonFacts).url)
  })
  afterEach(async () => {
    await proxy.close()
    await cluster.close()
  })

  const start = async (context: Mocha.Context, maxRetries: number): Promise<Load> => {
    const within = elsewhere(context, cluster)
    const options = { maxRetries, inFlight: 16, leastMs: 20, mostMs: 60 }
    const load = new Load(nodes, cluster.run('load', options, { address: proxy.url, within }))
    await load.until(({ tasksByNode }) => nodes.every(({ id }) => (tasksByNode[id] ?? 0) > 0))
    return load
  }

  /** Waits until nothing that runs at the home has settled for a while, in which the same work was done many times over. */
  const stands = async (load: Load): Promise<void> => {
    const home = (nodes[1] as DaemonFacts).id
    let still = 0
    let before = -1
    await load.until(({ tasksByNode }) => {
      const now = tasksByNode[home] ?? 0
      still = now === before ? still + 1 : 0
      before = now
      return still >= 40
    })
  }

  for (const direction of ['in', 'out'] as const)
    it(`may stand still ${direction === 'in' ? 'towards the node' : 'towards the driver'}: nothing is lost or done twice`, async function () {
      const load = await start(this, 0)
      proxy.stall(direction)
      // What the home's own workers do has stopped to come; nobody takes the driver or the home for dead.
      await stands(load)
      proxy.resume()
      await load.more(50)
      const result = await load.enough()
      expect(result.errors).to.deep.equal([])
      expect(result.tally).to.deep.equal({ succeeded: result.submitted, failed: {} })
      expect([...cluster.executions()].filter(([, times]) => times !== 1)).to.deep.equal([])
      expect(await load.leave()).to.deep.equal({})
    })

  it('is not idle for what lies between, while a task runs for longer than that bears', async function () {
    proxy.cutIdle(18_000)
    const options = { maxRetries: 0, inFlight: 4, leastMs: 30_000, mostMs: 30_000 }
    const within = elsewhere(this, cluster)
    const load = new Load(nodes, cluster.run('load', options, { address: proxy.url, within }))
    await load.driver.next('submitted')
    const result = await load.enough()
    expect(result.errors).to.deep.equal([])
    expect(result.tally).to.deep.equal({ succeeded: 4, failed: {} })
    expect(proxy.idleCuts).to.equal(0)
    expect(await load.leave()).to.deep.equal({})
  })

  it('may break again and again: the driver comes back, and its tasks succeed', async function () {
    const load = await start(this, -1)
    for (let i = 0; i < 5; i++) {
      const { connections } = proxy
      proxy.cut()
      await eventually(() => proxy.connections > connections || undefined)
      await load.more(20)
    }
    const result = await load.enough()
    expect(result.errors).to.deep.equal([])
    expect(result.tally).to.deep.equal({ succeeded: result.submitted, failed: {} })
    expect(result.wrong).to.equal(0)
    expect(cluster.executions().size).to.equal(result.submitted)
    expect(await load.leave()).to.deep.equal({})
    await nothingHeld(cluster, nodes[0] as DaemonFacts)
  })

  it('may break for good: the tasks fail by name, and the job ends on every node', async function () {
    const load = await start(this, -1)
    const workers = nodes.flatMap(({ id }) => cluster.workers(id))
    proxy.cut({ refuse: true })
    const result = await load.enough()
    expect(Object.keys(result.tally.failed)).to.deep.equal(['ConnectionLostError'])
    await eventually(() => workers.every((pid) => !isAlive(pid)) || undefined)
    await nothingHeld(cluster, nodes[0] as DaemonFacts)
  })
})
