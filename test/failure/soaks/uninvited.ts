/** Ten thousand connections that say nothing, and some that say the wrong thing. */
import { failures } from '../scenarios/under-load.ts'
import { sendUninvited } from '../scenarios/uninvited.ts'
import { leftovers } from './soak.ts'
import type { Soak } from './soak.ts'

const mebibyte = 1024 * 1024

export const refused: Soak = {
  title: '10,000 connections that say nothing, first frames of 200 MiB, wrong tokens: bounded memory, jobs go on',
  async run(cluster, { note, check }) {
    const result = await sendUninvited(cluster, { silent: 10_000, floodBytes: 200 * mebibyte })
    for (const { what, said } of result.answers) note(`${what}: ${said === '' ? '(hung up)' : said}`)
    for (const line of result.refusals) note(line)
    const { rssBefore, rssMost, outcomes, left } = result
    const grown = (rssMost - rssBefore) / mebibyte
    check(`${(rssMost / mebibyte).toFixed(0)} MiB resident at most, ${grown.toFixed(0)} more than before`, grown < 150)
    check(
      `${outcomes.submitted} tasks, ${failures(outcomes)} failed, ${outcomes.wrong} wrong`,
      failures(outcomes) === 0 && outcomes.wrong === 0 && outcomes.tally.succeeded === outcomes.submitted,
    )
    check(`tables of the driver are empty ${leftovers(left)}`, leftovers(left) === '')
  },
}
