/** Ten thousand histories of the simulated cluster, and as many of links that break. */
import { describeFinding, findFirst } from '../../simulation/seeds.ts'
import { runPeers } from '../../simulation/peers/seeds.ts'
import type { Counts } from '../../simulation/seeds.ts'
import type { Soak } from './soak.ts'

const perNote = 500

export const histories: Soak = {
  title: '10,000 seeds of the simulation: its invariants hold in every one of them',
  async run(_, { note, check }) {
    const seeds = Number(process.env['OUTPOOL_SEEDS'] ?? 10_000)
    const counts: Counts = new Map()
    let findings = 0
    for (let from = 1; from <= seeds; from += perNote) {
      const to = Math.min(seeds, from + perNote - 1)
      const [inCluster, ofPeers] = [await findFirst(from, to, counts), await findFirst(from, to, counts, runPeers)]
      if (inCluster !== undefined) check(describeFinding(inCluster), false)
      if (ofPeers !== undefined) check(describeFinding(ofPeers, 'peers'), false)
      findings += [inCluster, ofPeers].filter((finding) => finding !== undefined).length
      note(`seeds up to ${to}`)
      // So that the command can be interrupted.
      await new Promise((resolve) => setImmediate(resolve))
    }
    note([...counts].map(([what, count]) => `${what}: ${count}`).join(', '))
    check(`${seeds} histories came to rest with everything as it has to be`, findings === 0)
  },
}
