import { expect } from 'chai'
import { compute } from './scenarios/computing.ts'
import { FailureCluster } from './support.ts'

/** Thirty rounds are `npm run soak -- computing`. `OUTPOOL_SEED` says another seed. */
const seed = Number(process.env['OUTPOOL_SEED'] ?? 21)
const calls = 12

describe('programs and workers that compute for long', function () {
  this.timeout(240_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it(`are waited for, and have all values right (seeds ${seed} and ${seed + 1})`, async () => {
    const played = await compute(cluster, { seeds: [seed, seed + 1], rounds: 1, calls })
    expect(played.flatMap(({ rounds }) => rounds.flatMap(({ wrong }) => wrong))).to.deep.equal([])
    expect(played.map(({ rounds }) => rounds.map((round) => round.calls))).to.deep.equal([[calls], [calls]])
    expect(played.map(({ left }) => left)).to.deep.equal([{}, {}])
  })
})
