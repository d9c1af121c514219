/** The head killed and started again, twenty times, under load. */
import { restartUnderLoad } from '../scenarios/head-restarted.ts'
import { leftovers } from './soak.ts'
import type { Soak } from './soak.ts'

const mostMs = 5_000

export const restarted: Soak = {
  title:
    'the head killed and started again under load, twenty times: all are registered within 5 s, nothing is missing',
  async run(cluster, { note, check }) {
    const { outcomes, left, againMs, missing, acknowledged } = await restartUnderLoad(cluster, {
      kills: 20,
      cpusPerNode: 2,
    })
    note(`registered again after ${againMs.map((ms) => Math.round(ms)).join(', ')} ms`)
    check(
      `all within ${mostMs} ms`,
      againMs.every((ms) => ms < mostMs),
    )
    const { submitted, tally, wrong } = outcomes
    check(
      `${tally.succeeded} of ${submitted} tasks succeeded, ${wrong} with the value of another`,
      tally.succeeded === submitted && wrong === 0,
    )
    const twice = [...cluster.executions().values()].filter((times) => times !== 1).length
    check(`${twice} started twice`, twice === 0)
    check(`${missing.length} of ${acknowledged} acknowledged rows are missing`, missing.length === 0)
    check(`tables of the driver are empty ${leftovers(left)}`, leftovers(left) === '')
  },
}
