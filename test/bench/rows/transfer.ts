import { least, type Row } from '../stage.ts'

interface Timed {
  readonly ms: number
  /** The longest time for which the receiver's loop stood still, in milliseconds. */
  readonly longest: number
  /** The longest time for which it was busy itself, in milliseconds of CPU; null where the system does not tell. */
  readonly busiest: number | null
}

const outpool = 'Outpool'
/** For so long the loop of a node manager may be blocked by one transfer, in milliseconds. */
const mostStillMs = 50

export const transfer: Row = {
  name: 'transfer',
  title: '1 GiB from node to node, beside plain TCP with data events and concat',
  unit: 'GB/s',
  better: 'higher',
  budgetMs: 40_000,
  async play(stage) {
    const sizeBytes = stage.quick ? 128 * 2 ** 20 : 1024 ** 3
    const program = await stage.start({ name: 'transfer', file: 'transfer.mjs', args: [JSON.stringify({ sizeBytes })] })
    if (program === undefined) return
    const longest = new Map<string, number>()
    const busiest = new Map<string, number | null>()
    const contender = (name: string, operation: string): Parameters<typeof stage.inTurn>[0][number] => ({
      name,
      async measure() {
        const timed = await stage.ask<Timed>(program, operation, { sizeBytes })
        longest.set(name, Math.max(longest.get(name) ?? 0, timed.longest))
        busiest.set(name, timed.busiest === null ? null : Math.max(busiest.get(name) ?? 0, timed.busiest))
        return sizeBytes / timed.ms / 1e6
      },
    })
    await stage.inTurn([contender('plain TCP, data and concat', 'collect'), contender(outpool, 'pull')])
    stage.compare(outpool, 'plain TCP, data and concat', least(1), least(2, 'goal'))
    for (const [name, ms] of longest) {
      const ran = busiest.get(name) ?? null
      const own = ran === null ? '' : `, and was busy itself for ${ran.toFixed(0)} ms at most`
      const met =
        name !== outpool ? '' : ` (goal: ${mostStillMs} ms by the clock: ${ms < mostStillMs ? 'MET' : 'MISSED'})`
      stage.note(`${name}: the receiver's loop stood still for ${ms.toFixed(0)} ms at most${own}${met}`)
    }
  },
}
