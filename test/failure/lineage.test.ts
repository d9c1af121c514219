import { expect } from 'chai'
import { killHolder, killHolders } from './scenarios/lineage.ts'
import { FailureCluster } from './support.ts'

describe('large results on a node that is killed', function () {
  this.timeout(120_000)
  let cluster: FailureCluster
  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it('are made again, just those of which it had the only copy: a chain of 20 and a fan of 1,000', async () => {
    const result = await killHolder(cluster, { depth: 20, width: 1_000, drop: false })
    expect(result).to.include({ wrong: 0, failed: 0, values: 21 })
    expect(result.onlyThere).to.be.greaterThan(0)
    expect(result.again).to.be.greaterThan(0).and.at.most(result.onlyThere)
    expect(result.rebuilt).to.equal(result.again)
    expect(result.left).to.deep.equal({})
  })

  it('are made again from what their program had dropped: a whole chain', async () => {
    const result = await killHolder(cluster, { depth: 20, width: 2, drop: true })
    expect(result).to.include({ wrong: 0, failed: 0, values: 2 })
    expect(result.again).to.be.within(20, 22)
    expect(result.left).to.deep.equal({})
  })

  it('come right while a node is killed and replaced again and again', async () => {
    const result = await killHolders(cluster, { depth: 20, width: 100, kills: 4, everyMs: 500, leastRuns: 20 })
    expect(result.errors).to.deep.equal([])
    expect(result.wrong).to.equal(0)
    expect(result.kills).to.equal(4)
    expect(result.values).to.equal(result.rounds * 21)
    expect(result.again).to.be.at.most(result.onKilled)
    expect(result.left).to.deep.equal({})
  })
})
