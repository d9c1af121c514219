/** Ten thousand histories of the simulated cluster, and as many of links that break. */
import { describeFinding, findFirst } from '../../simulation/seeds.ts'
import { runPeers } from '../../simulation/peers/seeds.ts'
import type { Counts, Finding } from '../../simulation/seeds.ts'
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
      findings += await every(from, to, (finding) => check(describeFinding(finding), false), counts)
      findings += await every(from, to, (finding) => check(describeFinding(finding, 'peers'), false), counts, runPeers)
      note(`seeds up to ${to}`)
      // So that the command can be interrupted.
      await new Promise((resolve) => setImmediate(resolve))
    }
    note([...counts].map(([what, count]) => `${what}: ${count}`).join(', '))
    check(`${seeds} histories came to rest with everything as it has to be`, findings === 0)
  },
}

/** Tells of every seed at which something does not hold; returns how many. */
async function every(
  from: number,
  to: number,
  tell: (finding: Finding) => void,
  counts: Counts,
  run?: typeof runPeers,
): Promise<number> {
  const finding = await findFirst(from, to, counts, run)
  if (finding === undefined) return 0
  tell(finding)
  return 1 + (await every(finding.seed + 1, to, tell, counts, run))
}
