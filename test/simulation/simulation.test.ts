/**
 * Seeded histories of a whole cluster. `OUTPOOL_SEEDS=10000` runs more of them, `OUTPOOL_SEED=17` runs that one alone
 * and prints all of its story.
 */
import { expect } from 'chai'
import { type Counts, describeFinding, findFirst, runSeed } from './seeds.ts'

const single = Number(process.env['OUTPOOL_SEED'] ?? 0)
const seeds = Number(process.env['OUTPOOL_SEEDS'] ?? 1_000)
const perBlock = 100
/** Seeds beyond those that are played every time, of histories that went wrong once. */
const remembered = [1_611, 1_833, 1_885, 2_082, 6_493, 7_791, 7_857, 66_836]

/** What the histories are there for: each of it has to happen in a thousand of them, often. */
const expected = [
  ...['story recalled', 'story returned', 'story retried', 'story fenced', 'story cancelled', 'story timed out'],
  ...['redirected', 'refused', 'reclaim', 'leaseReturn', 'workerEnd answered', 'recall answered', 'blocked', 'resumed'],
  ...['refAdd', 'refAck', 'refRemove', 'replyAck', 'objectValue', 'nodeEvent', 'nodeDeclaredDead', 'jobEnd', 'exit'],
  ...['message twice', 'message overtaken', 'message late', 'message torn', 'cut one way', 'silent head'],
  ...[
    'spill',
    'restore',
    'collect',
    'disk full',
    'channel breaks',
    'pulled',
    'objectCopied',
    'objectLost',
    'look again',
    'late report',
  ],
  ...['rebuilt', 'story rebuilt', 'value lost', 'not rebuilt: retries disabled', 'not rebuilt: lineage evicted'],
  ...['cut', 'dies', 'drain', 'shared worker', 'missed heartbeats', 'register again', 'ask again', 'called back'],
  ...['prefetch', 'objectBring', 'brought ahead'],
  ...['head restored', 'jobsHeld', 'nodesHeld', 'home dies', 'long line', 'owner not asked'],
  ...['head away', 'redirected without head'],
  ...['answers rest', 'answer left', 'left answer taken', 'left answer sent', 'held up'],
  ...[
    'nodeCall',
    'nodeCallFailed',
    'item',
    'item skipped',
    'generator paused',
    'lends its CPU',
    'item stored',
    'item read',
  ],
]

describe('a simulated cluster', function () {
  // A block takes some seconds, however slow the machine is.
  this.timeout(0)
  const counts: Counts = new Map()

  if (single > 0) {
    it(`holds its promises, with seed ${single}`, async () => {
      const finding = await runSeed(single)
      if (finding !== undefined) throw new Error(describeFinding(finding))
    })
    return
  }

  for (let from = 1; from <= seeds; from += perBlock) {
    const to = Math.min(seeds, from + perBlock - 1)
    it(`holds its promises, with seeds ${from} to ${to}`, async () => {
      const finding = await findFirst(from, to, counts)
      if (finding !== undefined) throw new Error(describeFinding(finding))
    })
  }

  it('holds its promises, with seeds that found something', async () => {
    for (const seed of remembered) {
      const finding = await runSeed(seed)
      if (finding !== undefined) throw new Error(describeFinding(finding))
    }
  })

  it('has met everything that it is there for', function () {
    if (seeds < 1_000) this.skip()
    for (const name of expected) expect(counts.get(name) ?? 0, name).to.be.at.least(10)
  })

  it('repeats a history exactly', async () => {
    const [first, second]: [Counts, Counts] = [new Map(), new Map()]
    for (let seed = 1; seed <= 20; seed++) {
      await runSeed(seed, first)
      await runSeed(seed, second)
    }
    expect([...second]).to.deep.equal([...first])
  })
})
