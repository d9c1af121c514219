/** Three node managers and a head that are killed, stopped and cut off at random, under programs that go on. */
import { underChaos } from '../scenarios/chaos.ts'
import { problemsOf } from '../scenarios/chaos-checks.ts'
import type { Soak } from './soak.ts'

export const everything: Soak = {
  title: 'three nodes and the head killed, stopped and cut off every 0.5 to 2 s under two programs, for 30 minutes',
  async run(cluster, { note, check, keepIn }) {
    const seconds = Number(process.env['OUTPOOL_SOAK_SECONDS'] ?? 1_800)
    const seed = Number(process.env['OUTPOOL_SEED'] ?? Date.now() % 1_000_000)
    note(`again: npm run soak -- chaos --seed ${seed} --seconds ${seconds}`)
    let wrongs = 0
    const wrong = (text: string): void => {
      wrongs++
      check(text, false)
    }
    const result = await underChaos(cluster, { seed, seconds, every: '0.5-2', drivers: 2, note, wrong, keepIn })
    note(`acts: ${JSON.stringify(result.acts)}`)
    for (const { counts, retried, lives } of result.drivers)
      note(`${lives.length} lives, ${retried} run again: ${JSON.stringify(counts)}`)
    note(`looked ${result.looks} times; the most that there was: ${JSON.stringify(result.peaks)}`)
    const problems = problemsOf(result)
    for (const problem of problems) check(problem, false)
    check(
      'every call settled once, with its own value or an error by name, nobody holds more and more, and nobody is missing',
      problems.length + wrongs === 0,
    )
  },
}
