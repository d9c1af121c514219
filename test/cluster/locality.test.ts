import { expect } from 'chai'
import { context, explain, init, put, remote, shutdown, wait } from 'outpool'
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import type { NodeSummary } from '../../runtime/cluster/status.ts'
import type { StoreUsage } from '../../runtime/objects/store-usage.ts'
import { plainWorkers, TestCluster } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { canShare } from '../tools/native.ts'

const mebibyte = 1024 * 1024
const bytes = 16 * mebibyte

const made = remote((length: number) => new Float64Array(length).fill(1))
const whereIs = remote((_array: Float64Array) => context().node)
const sum = remote((a: Float64Array, b: Float64Array) => [context().node, (a[0] as number) + (b[0] as number)] as const)

describe('where tasks with large arguments go', () => {
  let cluster: TestCluster
  let nodes: DaemonFacts[]
  let restore: () => void
  beforeEach(async () => {
    restore = plainWorkers()
    cluster = new TestCluster()
    const head = await cluster.start({ head: true, numCpus: 2, resources: { first: 1 } })
    const others = ['second', 'third'].map((name) =>
      cluster.start({ head: false, address: head.url, numCpus: 2, resources: { [name]: 1 } }),
    )
    nodes = [head, ...(await Promise.all(others))]
    await init({ address: head.url })
    for (const { id } of nodes) await cluster.seen(head, id, ({ state }) => state === 'alive')
  })
  afterEach(async () => {
    await shutdown()
    await cluster.close()
    restore()
  })

  /** Bytes that lie somewhere as a copy of what another node keeps. */
  const moved = async (): Promise<number> => {
    const usages = nodes.map((node) => askNodeJson<StoreUsage>(node.url, '/memory?objects=1000', cluster.token))
    const lists = (await Promise.all(usages)).flatMap(({ list }) => list)
    return lists.filter(({ primary }) => primary === false).reduce((all, { sizeBytes }) => all + sizeBytes, 0)
  }

  /** Waits until no lease is left that a task could go to without being placed, and every node is known to be free. */
  const idle = (): Promise<true> =>
    eventually(async () => {
      if ((explain().tables['leases'] ?? 0) > 0) return undefined
      const { nodes: rows } = await cluster.status(nodes[0] as DaemonFacts)
      const isFree = ({ resources }: NodeSummary): boolean => Object.values(resources).every(({ used }) => used === 0)
      return rows.every(isFree) || undefined
    })

  it('is the node that has them: nothing is moved', async () => {
    const [first, second, third] = nodes as [DaemonFacts, DaemonFacts, DaemonFacts]
    const on = (name: string, length = bytes / 8): ReturnType<typeof made.remote> =>
      made.options({ numCpus: 0, resources: { [name]: 1 } }).remote(length)
    const refs = [on('second'), on('third'), await put(new Float64Array(bytes / 8))] as const
    const small = on('second', mebibyte / 8)
    const places = [[refs[0], second], [refs[1], third], [refs[2], first], [small, second]] as const // prettier-ignore
    for (const [ref, { id }] of places) {
      await wait([ref], { fetchLocal: false })
      await idle()
      expect(await whereIs.run(ref)).to.equal(id)
    }
    expect(await moved()).to.equal(0)
    // Where they are apart it is the smaller one that moves.
    await idle()
    expect(await sum.run(small, refs[1])).to.deep.equal([third.id, 2])
    if (canShare) expect(await moved()).to.be.within(mebibyte, 2 * mebibyte)
  })

  it('is no matter to who waits for them: they come to his machine, unless he says that they need not', async () => {
    const ref = made.options({ numCpus: 0, resources: { second: 1 } }).remote(bytes / 8)
    expect(await wait([ref], { fetchLocal: false })).to.deep.equal([[ref], []])
    expect(await moved()).to.equal(0)
    expect(await wait([ref, ref], { count: 2 })).to.deep.equal([[ref, ref], []])
    if (canShare) expect(await moved()).to.be.within(bytes, bytes + mebibyte)
    ref[Symbol.dispose]()
    await eventually(async () => (await moved()) === 0 || undefined)
  })
})
