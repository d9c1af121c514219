/** A program with a queue, whose tasks only compute, on a cluster: nothing of it is changed, or its import alone. */
import { expect } from 'chai'
import { TestCluster } from '../../cluster/support.ts'
import { runProgram } from '../shim-programs.ts'

const tasks = 60

/** Prints what its queue was given; then, for the test, how many tasks each node ran, once all nodes had workers. */
const program = (name: string): string => `
  import PQueue from '${name}'
  import { explain, shutdown } from 'outpool'

  const isPrime = (n) => {
    for (let d = 2; d * d <= n; d++) if (n % d === 0) return false
    return true
  }
  const queue = new PQueue({ concurrency: 12 })
  const countPrimes = (from) => {
    let count = 0
    for (let n = from; n < from + 20_000; n++) if (isPrime(n)) count++
    return count
  }
  const count = () => queue.addAll(Array.from({ length: ${tasks} }, (_, i) => () => countPrimes(2 + i * 20_000)))

  do await count()
  while (Object.keys(explain().tasksByNode).length < 3)
  const before = explain()
  const counts = await count()
  const after = explain()
  const byNode = Object.entries(after.tasksByNode).map(([node, done]) => [node, done - (before.tasksByNode[node] ?? 0)])
  console.log(JSON.stringify({ counts, byNode: Object.fromEntries(byNode), inCaller: explain(queue).caller }))
  await shutdown()`

/** The same without Outpool, in this process. */
function expected(): number[] {
  return Array.from({ length: tasks }, (_, i) => {
    let count = 0
    for (let n = 2 + i * 20_000; n < 2 + (i + 1) * 20_000; n++) {
      let d = 2
      while (d * d <= n && n % d !== 0) d++
      if (d * d > n) count++
    }
    return count
  })
}

describe('p-queue: a program on three nodes of one CPU', () => {
  let cluster: TestCluster
  let nodes: readonly string[]
  let env: Record<string, string>

  before(async () => {
    cluster = new TestCluster()
    const all = await cluster.startAll(2)
    nodes = all.map(({ id }) => id)
    env = { OUTPOOL_ADDRESS: all[0]!.url, OUTPOOL_TOKEN: cluster.token }
  })
  after(() => cluster.close())

  async function expectOnAll(name: string, node: readonly string[]): Promise<void> {
    const packages = { 'p-queue': 'p-queue' }
    const { stdout, stderr } = await runProgram({
      ...{ packages, files: { 'main.mjs': program(name) }, main: 'main.mjs', node, env },
    })
    expect(stderr).to.equal('')
    const { counts, byNode, inCaller } = JSON.parse(stdout) as {
      counts: number[]
      byNode: Record<string, number>
      inCaller: number
    }
    expect(counts).to.deep.equal(expected())
    expect(inCaller).to.equal(0)
    expect(byNode).to.have.all.keys(...nodes)
    const shares = Object.values(byNode)
    expect(shares.reduce((sum, share) => sum + share, 0)).to.equal(tasks)
    for (const share of shares) expect(share).to.be.at.least(1)
  }

  it('runs its tasks on all of them by the import alone, none in itself', () => expectOnAll('outpool/p-queue', []))

  it('runs its tasks on all of them by registration alone, none in itself', () =>
    expectOnAll('p-queue', ['--import', 'outpool/register']))
})
