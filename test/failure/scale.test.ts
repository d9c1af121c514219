import { expect } from 'chai'
import { runMany } from './scenarios/scale.ts'
import type { Scale } from './scenarios/scale.ts'
import { FailureCluster } from './support.ts'

const mebibyte = 1024 * 1024

/** The full numbers are those of `npm run soak -- scale`. */
describe('very many tasks at once on three nodes', function () {
  this.timeout(120_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  const nothingLeft = ({ rounds, workers }: Scale): void => {
    for (const { name, left } of rounds) expect(left, name).to.deep.equal({})
    for (const { pid, left } of workers) expect(left, `worker ${pid}`).to.deep.equal({})
  }

  it('run once each', async () => {
    const tasks = 20_000
    const result = await runMany(cluster, { tasks, rounds: 1, kind: 'count', cpusPerNode: 1 })
    expect(result.rounds.map(({ wrong, failed, firstError }) => ({ wrong, failed, firstError }))).to.deep.equal([
      { wrong: 0, failed: 0, firstError: undefined },
    ])
    const executions = cluster.executions()
    expect(executions.size).to.equal(tasks)
    expect([...executions].filter(([, times]) => times !== 1)).to.deep.equal([])
    expect(Object.keys(result.tasksByNode)).to.have.length(3)
    nothingLeft(result)
  })

  it('leave no memory and no entry of any table behind', async () => {
    const result = await runMany(cluster, { tasks: 50_000, rounds: 2, kind: 'none', cpusPerNode: 1 })
    expect(result.rounds.map(({ wrong, failed }) => wrong + failed)).to.deep.equal([0, 0])
    const [first = 0, second = 0] = result.rounds.map(({ heldBytes }) => heldBytes)
    expect(second - first).to.be.below(20 * mebibyte)
    nothingLeft(result)
  })
})
