import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import type { NodeSummary } from '../../runtime/cluster/status.ts'
import { underLoad } from './scenarios/under-load.ts'
import { FailureCluster, signal } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { missedSoon } from '../tools/heartbeats.ts'

interface Joined {
  readonly waitedMs: number
  readonly name: string
  readonly message: string
}

describe('a head that is stopped', function () {
  this.timeout(120_000)
  let cluster: FailureCluster
  const load = { leastMs: 5, mostMs: 25, cpusPerNode: 2, headCpus: 0, more: 2, maxRetries: 0, ...missedSoon }

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  /** A node may be asked before it has missed the head itself: then the head has not answered in time, which says less. */
  const isMissed = (by: DaemonFacts, head: DaemonFacts): Promise<true> =>
    eventually(async () => {
      const { problem } = await cluster.status(by)
      return problem.includes(`the head ${head.url} is away`) || undefined
    })

  it('is not missed by a driver, but by what needs it, which fails within its time and names it', async () => {
    const work = await underLoad(cluster, load)
    const [head, home, third] = work.named
    signal(head.pid, 'SIGSTOP')
    // A new job is entered in the head's tables; the old one goes on meanwhile, with functions old and new.
    const joining = cluster.run('join', {}, { address: home.url }).next<Joined>('end')
    for (const node of [home, third]) await isMissed(node, head)
    await work.more(200)
    const result = await work.enough()
    await work.ranOn(home.id)
    await work.ranOn(third.id)
    expect(result.errors).to.deep.equal([])
    expect(result.tally).to.deep.equal({ succeeded: result.submitted, failed: {} })
    const { name, message, waitedMs } = await joining
    expect(name).to.equal('RequestTimeoutError')
    expect(message)
      .to.contain('of which the head must know')
      .and.contain(`the head ${head.url} `)
      .and.contain('10000 ms')
    expect(waitedMs).to.be.above(5_000)
    signal(head.pid, 'SIGCONT')
    for (const { id } of [home, third]) await cluster.seen(head, (row) => row.id === id && row.state === 'alive')
    await work.ranOn(home.id)
    await work.ranOn(third.id)
    expect(await work.leave()).to.deep.equal({})
  })

  it('is waited for where only the program behind it has the module of a task', async () => {
    const head = await cluster.startHead({ numCpus: 0 })
    const start = (i: number): Promise<DaemonFacts> => cluster.startNode(head.url, { resources: { [`n${i}`]: 1 } })
    const [first, second] = await Promise.all([start(1), start(2)])
    await cluster.knowEachOther([head, first, second])
    const file = join(cluster.folder, 'now')
    const [outer, inner] = [1, 2].map((i) => ({ numCpus: 0, resources: { [`n${i}`]: 1 } }))
    const program = cluster.run('later', { id: 'outer', file, outer, inner }, { address: head.url })
    await eventually(() => cluster.executions().get('outer'))
    signal(head.pid, 'SIGSTOP')
    writeFileSync(file, '')
    // Longer than a process is tried by each of the ways to it.
    await sleep(7_000)
    signal(head.pid, 'SIGCONT')
    expect(await program.next<{ node?: string; error?: string }>('end')).to.include({ node: second.id })
  })

  it('is not needed for work to go where everything was taken when it was last heard of', async () => {
    const head = await cluster.startHead({ ...missedSoon, numCpus: 0 })
    const others = [1, 2].map(() => cluster.startNode(head.url, { ...missedSoon, numCpus: 2 }))
    const [home, third] = (await Promise.all(others)) as [DaemonFacts, DaemonFacts]
    await cluster.knowEachOther([head, home, third])
    const driver = cluster.run('full', { cpus: 4, ms: 3_000 }, { address: home.url })
    const isFull = ({ id, resources }: NodeSummary): boolean => id === third.id && resources['CPU']?.used === 2
    await cluster.seen(head, isFull)
    // Some time to tell the others.
    await sleep(300)
    signal(head.pid, 'SIGSTOP')
    await eventually(async () => {
      const { nodes } = await driver.next<{ nodes: readonly string[] }>('seen')
      return nodes.includes(third.id) || undefined
    })
    signal(head.pid, 'SIGCONT')
    await cluster.seen(head, ({ id, state }) => id === third.id && state === 'alive')
    driver.tell('leave')
    await driver.next('end')
  })
})
