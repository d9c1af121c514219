/** Large results made again: a chain and a fan, once after one kill, then for minutes under one kill each second. */
import { killHolder, killHolders } from '../scenarios/lineage.ts'
import type { Beat } from '../scenarios/lineage.ts'
import { FailureCluster } from '../support.ts'
import { leftovers } from './soak.ts'
import type { Soak } from './soak.ts'

const everyMs = 1_000

export const rebuilt: Soak = {
  title: 'a chain of 20 and a fan of 1,000 on three nodes: one killed, ten times; then one killed each second',
  async run(cluster, { note, check }) {
    for (let i = 0; i < 10; i++) {
      const own = new FailureCluster()
      try {
        const drop = i % 2 === 1
        const result = await killHolder(own, { depth: 20, width: 1_000, drop })
        const { onlyThere, again, values, wrong, failed, errors, left } = result
        note(`${onlyThere} objects only there${drop ? ', the chain dropped' : ''}: ${again} tasks ran again`)
        check(`${values} values, ${wrong} wrong`, wrong === 0)
        check(`${failed} failed ${errors.slice(0, 3).join('; ')}`, failed === 0)
        // Of a dropped chain nothing lies anywhere but its end.
        check('no task ran again whose result was somewhere else', again <= onlyThere + (drop ? 20 : 0))
        check(`tables of the driver are empty ${leftovers(left)}`, leftovers(left) === '')
      } finally {
        await own.close()
      }
    }
    const seconds = Number(process.env['OUTPOOL_SOAK_SECONDS'] ?? 300)
    const result = await killHolders(cluster, { depth: 20, width: 1_000, seconds, everyMs }, note)
    const { kills, beats, rounds, values, wrong, failed, errors, again, onKilled, left } = result
    const most = (of: (beat: Beat) => number): number => Math.round(Math.max(...beats.map(of)))
    const members = Math.min(...beats.map((beat) => beat.members))
    const inTime = beats.filter(({ lateMs }) => lateMs < everyMs / 10).length
    note(`another node in the place of one that was killed within ${most(({ replacedMs }) => replacedMs)} ms`)
    check(
      `${inTime} of ${kills} kills at their second, the latest ${most(({ lateMs }) => lateMs)} ms after it`,
      inTime === kills,
    )
    check(`${members} nodes or more at each kill`, members === 3)
    note(`${kills} kills, ${rounds} rounds; ${again} runs beyond the first, ${onKilled} runs on nodes that were killed`)
    check(`${values} values, ${wrong} wrong`, wrong === 0 && rounds > 0)
    check(`${failed} failed ${errors.slice(0, 3).join('; ')}`, failed === 0)
    check('no task ran again that had not run on a node that was killed', again <= onKilled)
    check(`tables of the driver are empty ${leftovers(left)}`, leftovers(left) === '')
  },
}
