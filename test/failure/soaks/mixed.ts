/** Programs that a seed draws, with each package, on this machine and on a cluster: each call runs once. */
import { mix } from '../scenarios/mixed.ts'
import type { Soak } from './soak.ts'
import { leftovers } from './soak.ts'

const rounds = 40

export const drawn: Soak = {
  title: 'programs that a seed draws, on this machine and on two nodes in turn, for ten minutes: each call runs once',
  async run(cluster, { note, check }) {
    const seconds = Number(process.env['OUTPOOL_SOAK_SECONDS'] ?? 600)
    const first = Number(process.env['OUTPOOL_SEED'] ?? Date.now() % 1_000_000)
    note(`again: npm run soak -- mixed --seed ${first} --seconds ${seconds}`)
    const [head] = await cluster.startAll(1, { numCpus: 2 })
    let [played, calls, wrong] = [0, 0, 0]
    const until = Date.now() + seconds * 1_000
    for (let seed = first; Date.now() < until; seed++) {
      const place = seed % 3 === 2 && head !== undefined ? { address: head.url } : { init: { numCpus: 4 } }
      const { left, faults } = await mix(cluster, {
        ...{ seed, rounds },
        ...place,
        onRound({ label, calls: made, problems, count }) {
          played++
          calls += made
          if (count === 0) return
          wrong++
          check(`seed ${seed}, ${label}: ${count} things: ${problems.join('; ')}`, false)
        },
      })
      note(`seed ${seed}: ${played} rounds so far, ${calls} calls; faults ${JSON.stringify(faults)}`)
      check(`seed ${seed}: tables are empty ${leftovers(left)}`, leftovers(left) === '')
    }
    check(`${wrong} of ${played} rounds were wrong, of ${calls} calls in all`, wrong === 0 && played > 0)
  },
}
