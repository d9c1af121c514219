/** Programs and workers that compute for longer than a connection takes, as a seed draws them: every value is right. */
import { compute } from '../scenarios/computing.ts'
import type { Soak } from './soak.ts'
import { leftovers } from './soak.ts'

const programs = 4
const rounds = 10

export const long: Soak = {
  title:
    'four programs and their workers on three nodes, which compute for 13 s and more, in ten rounds: every value is right',
  async run(cluster, { note, check }) {
    const first = Number(process.env['OUTPOOL_SEED'] ?? Date.now() % 1_000_000)
    note(`again: npm run soak -- computing --seed ${first}`)
    const seeds = Array.from({ length: programs }, (_, i) => first + i)
    const played = await compute(cluster, {
      ...{ seeds, rounds, calls: 14 },
      onRound: (seed, { computedMs, calls, wrong }) =>
        note(`seed ${seed}: ${calls} calls, ${wrong.length} wrong; the program computed for ${computedMs} ms`),
    })
    played.forEach(({ rounds: all, left }, i) => {
      const wrong = all.flatMap((round) => round.wrong)
      const calls = all.reduce((sum, round) => sum + round.calls, 0)
      const held = all.filter(({ computedMs }) => computedMs > 0).length
      check(
        `seed ${first + i}: ${wrong.length} of ${calls} calls wrong ${wrong.slice(0, 5).join('; ')}`,
        wrong.length === 0,
      )
      check(`seed ${first + i}: the program itself computed in ${held} of ${all.length} rounds`, all.length === rounds)
      check(`seed ${first + i}: tables are empty ${leftovers(left)}`, leftovers(left) === '')
    })
  },
}
