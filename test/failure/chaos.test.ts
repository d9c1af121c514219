import { expect } from 'chai'
import { problemsOf } from './scenarios/chaos-checks.ts'
import { underChaos } from './scenarios/chaos.ts'
import { FailureCluster } from './support.ts'

/** The full length is that of `npm run soak -- chaos`. `OUTPOOL_SEED` says another seed. */
const seed = Number(process.env['OUTPOOL_SEED'] ?? 2026)
const seconds = 120

describe('a cluster in which everything goes wrong', function () {
  // Longer than the scenario waits for what never comes.
  this.timeout((seconds + 420) * 1_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it(`settles every call once, with its own value or an error by name (seed ${seed})`, async () => {
    const story: string[] = []
    const note = (text: string): void => void story.push(text)
    const problems: string[] = []
    const wrong = (text: string): void => void problems.push(text)
    const result = await underChaos(cluster, { seed, seconds, every: '0.5-2', drivers: 2, note, wrong })
    problems.push(...problemsOf(result))
    if (problems.length > 0) console.log(story.join('\n'))
    expect(problems).to.deep.equal([])
    for (const fault of ['kill-worker', 'kill-node', 'kill-head', 'cut', 'messages', 'restart'])
      expect(result.acts[fault] ?? 0, fault).to.be.above(0)
    for (const { counts } of result.drivers)
      for (const [kind, { accepted, succeeded }] of Object.entries(counts))
        if (kind !== 'cancelled') expect(succeeded, `${kind}: succeeded of ${accepted}`).to.be.above(0)
  })
})
