import { expect } from 'chai'
import { mix } from './scenarios/mixed.ts'
import { FailureCluster } from './support.ts'

/** Ten minutes of it are `npm run soak -- mixed`. `OUTPOOL_SEED` says another seed. */
const seed = Number(process.env['OUTPOOL_SEED'] ?? 204)
const rounds = 12

describe('a program that a seed draws, with each of the packages', function () {
  this.timeout(240_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  const play = async (how: { address: string } | { init: object }): Promise<void> => {
    const result = await mix(cluster, { seed, rounds, ...how })
    const wrong = result.rounds.filter(({ count }) => count > 0).map(({ label, problems }) => [label, ...problems])
    expect(wrong).to.deep.equal([])
    expect(result.rounds).to.have.length(rounds)
    expect(result.left).to.deep.equal({})
    expect(result.faults.stop, 'workers that were stopped').to.be.above(0)
    expect(result.faults.kill, 'workers that were killed').to.be.above(0)
  }

  it(`runs each call once, on this machine (seed ${seed})`, () => play({ init: { numCpus: 4 } }))

  it(`runs each call once, on two nodes (seed ${seed})`, async () => {
    const [head] = await cluster.startAll(1, { numCpus: 2 })
    await play({ address: head?.url ?? '' })
  })
})
