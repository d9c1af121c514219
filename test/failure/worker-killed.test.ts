import { expect } from 'chai'
import { killWorkers } from './scenarios/workers-killed.ts'
import type { WorkersKilled } from './scenarios/workers-killed.ts'
import { FailureCluster } from './support.ts'

describe('random workers that are killed every 100 ms', function () {
  this.timeout(120_000)
  let cluster: FailureCluster
  const tasks = 5_000

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  const run = (maxRetries: number): Promise<WorkersKilled> =>
    killWorkers(cluster, { tasks, maxRetries, killEveryMs: 100, mostKills: 100, seed: 7, init: { numCpus: 20 } })

  it('fail no task that may be retried without end', async () => {
    const result = await run(-1)
    expect(result.kills).to.be.above(10)
    expect(result.tally).to.deep.equal({ succeeded: tasks, failed: {} })
    expect(result.wrong).to.equal(0)
    const executions = cluster.executions()
    expect(executions.size).to.equal(tasks)
    expect(result.left).to.deep.equal({})
  })

  it('let no task start twice that must not be retried, and each settles', async () => {
    const result = await run(0)
    expect(result.kills).to.be.above(10)
    const { succeeded, failed } = result.tally
    expect(Object.keys(failed)).to.deep.equal(['WorkerCrashedError'])
    expect(succeeded + (failed['WorkerCrashedError'] ?? 0)).to.equal(tasks)
    expect(result.wrong).to.equal(0)
    const executions = cluster.executions()
    expect([...executions].filter(([, times]) => times > 1)).to.deep.equal([])
    expect(result.ids.filter((id) => executions.get(id) !== 1)).to.deep.equal([])
    expect(result.retried).to.equal(0)
    expect(result.left).to.deep.equal({})
  })
})
