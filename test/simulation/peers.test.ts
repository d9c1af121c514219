/**
 * Seeded histories of processes whose links break while refs go between them. `OUTPOOL_SEEDS=10000` runs more of them,
 * `OUTPOOL_SEED=17` runs that one alone.
 */
import { expect } from 'chai'
import { runPeers } from './peers/seeds.ts'
import { describeFinding, findFirst, type Counts } from './seeds.ts'

const single = Number(process.env['OUTPOOL_SEED'] ?? 0)
const seeds = Number(process.env['OUTPOOL_SEEDS'] ?? 1_000)
const perBlock = 250

describe('processes whose links break', function () {
  // A block takes some seconds, however slow the machine is.
  this.timeout(0)
  const counts: Counts = new Map()
  const holds = async (from: number, to: number): Promise<void> => {
    const finding = await findFirst(from, to, counts, runPeers)
    if (finding !== undefined) throw new Error(describeFinding(finding, 'peers'))
  }

  if (single > 0) {
    it(`free nothing that is held and leave nothing, with seed ${single}`, () => holds(single, single))
    return
  }

  for (let from = 1; from <= seeds; from += perBlock) {
    const to = Math.min(seeds, from + perBlock - 1)
    it(`free nothing that is held and leave nothing, with seeds ${from} to ${to}`, () => holds(from, to))
  }

  it('have met everything that they are there for', function () {
    if (seeds < 1_000) this.skip()
    for (const name of [
      'cut a link',
      'cut a call',
      'busy',
      'parted without a link',
      'dial',
      'refused',
      'parted',
      'held for sure',
      'held in doubt',
    ])
      expect(counts.get(name) ?? 0, name).to.be.at.least(10)
  })
})
