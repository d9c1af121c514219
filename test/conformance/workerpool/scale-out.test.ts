/** A pool without a number of workers uses every CPU of the cluster, and those that join while it runs. */
import { expect } from 'chai'
import type { WorkerpoolReport } from '../../../compat/workerpool/index.ts'
import type { DaemonFacts } from '../../../runtime/cluster/daemon-options.ts'
import { usePlainWorkers, TestCluster } from '../../cluster/support.ts'
import { scriptPath } from './suite.ts'

describe('workerpool: the default pool', () => {
  let cluster: TestCluster
  let nodes: DaemonFacts[]
  let outpool: typeof import('outpool')
  usePlainWorkers()

  before(async () => {
    outpool = await import('outpool')
    await outpool.shutdown()
    cluster = new TestCluster()
    nodes = await cluster.startAll(2)
    await outpool.init({ address: nodes[0]!.url, token: cluster.token })
  })
  after(async () => {
    await outpool.shutdown()
    await cluster.close()
  })

  it('uses all CPUs of three nodes, and of a fourth that joins while it works', async () => {
    const workerpool = await import('outpool/workerpool')
    const pool = workerpool.pool(scriptPath('methods.mjs'))
    const usedNodes = (): Set<string> =>
      new Set((outpool.explain(pool as object) as WorkerpoolReport).workers.map(({ node }) => node))
    const workOn = async (count: number): Promise<void> => {
      while (usedNodes().size < count)
        await Promise.all(Array.from({ length: count * 3 }, async () => void (await pool.exec('sleep', [5]))))
    }
    await workOn(3)
    expect(pool.maxWorkers).to.equal(3)

    const working = workOn(4)
    const fourth = await cluster.start({ head: false, address: nodes[0]!.url })
    await working
    expect([...usedNodes()]).to.have.members([...nodes, fourth].map(({ id }) => id))
    expect(pool.maxWorkers).to.equal(4)
    expect(pool.stats().totalWorkers).to.equal(4)
    await pool.terminate()
  })

  it('keeps a number of workers that was given', async () => {
    const workerpool = await import('outpool/workerpool')
    const pool = workerpool.pool(scriptPath('methods.mjs'), { maxWorkers: 2 })
    await Promise.all(Array.from({ length: 12 }, async () => void (await pool.exec('sleep', [5]))))
    expect([pool.maxWorkers, pool.stats().totalWorkers]).to.deep.equal([2, 2])
    await pool.terminate()
  })
})
