/**
 * Seeded histories of answers that workers leave in shared memory, where each process may be held up at any operation on
 * it. `OUTPOOL_SEEDS=10000` runs more of them, `OUTPOOL_SEED=17` runs that one alone.
 */
import { expect } from 'chai'
import { runAnswers } from './answers/seeds.ts'
import { describeFinding, findFirst, type Counts } from './seeds.ts'

const single = Number(process.env['OUTPOOL_SEED'] ?? 0)
const seeds = Number(process.env['OUTPOOL_SEEDS'] ?? 1_000)
const perBlock = 250

describe('answers that are left in shared memory', function () {
  // A block takes some seconds, however slow the machine is.
  this.timeout(0)
  const counts: Counts = new Map()
  const holds = async (from: number, to: number): Promise<void> => {
    const finding = await findFirst(from, to, counts, runAnswers)
    if (finding !== undefined) throw new Error(describeFinding(finding, 'answers'))
  }

  if (single > 0) {
    it(`are told once, in order and in time, with seed ${single}`, () => holds(single, single))
    return
  }

  for (let from = 1; from <= seeds; from += perBlock) {
    const to = Math.min(seeds, from + perBlock - 1)
    it(`are told once, in order and in time, with seeds ${from} to ${to}`, () => holds(from, to))
  }

  it('have met everything that they are there for', function () {
    if (seeds < 1_000) this.skip()
    for (const name of ['held up', 'took', 'rests', 'recalled', 'idle', 'left', 'told again'])
      expect(counts.get(name) ?? 0, name).to.be.at.least(10)
  })
})
