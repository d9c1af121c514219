import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { nothingHeld } from './scenarios/scale.ts'
import { failures, underLoad } from './scenarios/under-load.ts'
import { FailureCluster, signal } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { isAlive } from '../tools/processes.mjs'

describe('a node manager that is killed under load', function () {
  this.timeout(120_000)
  let cluster: FailureCluster
  // Long enough that its workers are in the middle of some when it is killed.
  const load = { leastMs: 100, mostMs: 200, cpusPerNode: 2, more: 2 }

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  /** Resolves when nothing is left of it. */
  const kill = async (victim: DaemonFacts): Promise<void> => {
    const workers = cluster.workers(victim.id)
    expect(workers).to.have.length(2)
    signal(victim.pid, 'SIGKILL')
    await eventually(() => workers.every((pid) => !isAlive(pid)) || undefined)
    await eventually(() => !cluster.runFolders().includes(victim.id) || undefined)
  }

  it('takes its workers and its folder with it, and its tasks run again elsewhere', async () => {
    const load3 = await underLoad(cluster, { ...load, maxRetries: 3 })
    const [head, , third] = load3.named
    await kill(third)
    await load3.until(({ retried }) => retried > 0)
    await load3.more(20)
    const result = await load3.enough()
    expect(result.errors).to.deep.equal([])
    expect(result.tally).to.deep.equal({ succeeded: result.submitted, failed: {} })
    expect(result.wrong).to.equal(0)
    expect(cluster.executions().size).to.equal(result.submitted)
    expect(await load3.leave()).to.deep.equal({})
    await cluster.seen(head, ({ id, state }) => id === third.id && state === 'dead')
    await nothingHeld(cluster, head)
  })

  it('fails those of its tasks that must not run again, by name, and starts none twice', async () => {
    // So long that not both of its workers are between two tasks then, however slowly they get them.
    const load0 = await underLoad(cluster, { ...load, leastMs: 400, mostMs: 600, maxRetries: 0 })
    const [head, , third] = load0.named
    await kill(third)
    await cluster.seen(head, ({ id, state }) => id === third.id && state === 'dead')
    await load0.more(20)
    const result = await load0.enough()
    expect(result.tally.succeeded + failures(result)).to.equal(result.submitted)
    expect(failures(result)).to.be.within(1, 16)
    for (const name of Object.keys(result.tally.failed))
      expect(name).to.be.oneOf(['NodeDiedError', 'WorkerCrashedError'])
    expect([...cluster.executions()].filter(([, times]) => times > 1)).to.deep.equal([])
    expect(await load0.leave()).to.deep.equal({})
  })
})
