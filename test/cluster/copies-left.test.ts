import { expect } from 'chai'
import { get, init, type ObjectRef, remote, shutdown, wait } from 'outpool'
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import type { StoreUsage } from '../../runtime/objects/store-usage.ts'
import { ended, TestCluster, usePlainWorkers } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { canShare } from '../tools/native.ts'

const filled = (value: number): Float64Array => new Float64Array(200_000).fill(value)
const filledLater = async (value: number): Promise<Float64Array> => {
  await new Promise((resolve) => setTimeout(resolve, 300))
  return new Float64Array(200_000).fill(value)
}
const on = { resources: { maker: 1 }, numCpus: 0 }

describe('copies of values that others made', function () {
  usePlainWorkers()
  let cluster: TestCluster
  let head: DaemonFacts
  let maker: DaemonFacts

  beforeEach(async () => {
    cluster = new TestCluster()
    head = await cluster.start({ head: true, resources: { reader: 1 } })
    maker = await cluster.start({ head: false, address: head.url, resources: { maker: 2 } })
    await init({ address: head.url })
    await cluster.seen(head, maker.id, ({ state }) => state === 'alive')
  })
  afterEach(async () => {
    await shutdown()
    await cluster.close()
  })

  /** Whether the copies of the reader's node may be dropped when memory is short there. */
  async function kept(): Promise<readonly (boolean | null)[]> {
    const { list } = await askNodeJson<StoreUsage>(head.url, '/memory?objects=100', cluster.token)
    return list.map(({ primary }) => primary)
  }

  it('stay for good where the node that made the value is gone', async function () {
    if (!canShare) this.skip()
    const ref = remote(filled).options(on).remote(7)
    expect((await get(ref))[0]).to.equal(7)
    expect(await kept()).to.deep.equal([false])
    process.kill(maker.pid, 'SIGKILL')
    await ended(maker.pid)
    await eventually(async () => (await kept())[0] === true || undefined)
    expect((await get(ref))[5]).to.equal(7)
  })

  it('are brought also when the last handle goes meanwhile, and cut no link', async () => {
    const forgetful = remote(async (refs: readonly ObjectRef<Float64Array>[]) => {
      const [value] = refs as [ObjectRef<Float64Array>]
      const waiting = wait([value])
      value[Symbol.dispose]()
      await waiting
      return 'waited'
    })
    const ref = remote(filledLater).options(on).remote(3)
    const reader = forgetful.options({ resources: { reader: 1 } })
    expect(await reader.run([ref])).to.equal('waited')
    expect((await get(ref))[1]).to.equal(3)
  })
})
