import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { underLoad } from './scenarios/under-load.ts'
import { eventually, FailureCluster, signal } from './support.ts'

interface Joined {
  readonly waitedMs: number
  readonly name: string
  readonly message: string
}

describe('a head that is stopped', function () {
  this.timeout(60_000)
  let cluster: FailureCluster
  const load = { leastMs: 5, mostMs: 25, cpusPerNode: 2, headCpus: 0, more: 2, maxRetries: 0 }

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  /** Waits until its silence was noticed. */
  const stop = async (head: DaemonFacts, others: readonly DaemonFacts[]): Promise<void> => {
    signal(head.pid, 'SIGSTOP')
    for (const node of others) {
      await eventually(async () => ((await cluster.status(node)).fromHead ? undefined : true))
    }
  }

  it('is not missed by a driver: known and new functions run on both nodes', async () => {
    const work = await underLoad(cluster, load)
    const [head, home, third] = work.named
    await stop(head, [home, third])
    await work.more(200)
    const result = await work.enough()
    await work.ranOn(home.id)
    await work.ranOn(third.id)
    expect(result.errors).to.deep.equal([])
    expect(result.tally).to.deep.equal({ succeeded: result.submitted, failed: {} })
    signal(head.pid, 'SIGCONT')
    for (const { id } of [home, third]) await cluster.seen(head, (row) => row.id === id && row.state === 'alive')
    await work.ranOn(home.id)
    await work.ranOn(third.id)
    expect(await work.leave()).to.deep.equal({})
  })

  it('is missed by what needs it, which fails within its time and names it', async () => {
    const [head, home] = (await cluster.startAll(1)) as [DaemonFacts, DaemonFacts]
    await stop(head, [home])
    const { problem } = await cluster.status(home)
    expect(problem).to.contain('of the head')
    const driver = cluster.run('join', {}, { address: home.url })
    const { name, message, waitedMs } = await driver.next<Joined>('end')
    expect(name).to.equal('RequestTimeoutError')
    expect(message).to.contain('the start of the job')
    expect(waitedMs).to.be.within(5_000, 20_000)
    signal(head.pid, 'SIGCONT')
  })
})
