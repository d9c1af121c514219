/** Whether a task costs more when many are queued. Against the cheapest of the smaller sizes, so that no latency flatters. */
import type { Program } from '../program.ts'
import { most, type Row, type Stage } from '../stage.ts'

const best = 'Outpool, cheapest of the smaller'
const nameOf = (tasks: number): string => `Outpool, ${tasks.toLocaleString('en')} queued`

/** All sizes, one after the other; the largest last. Its cost is the sample of the round. */
async function measure(stage: Stage, program: Program, sizes: readonly number[], round: number): Promise<number> {
  const costs: number[] = []
  for (const tasks of sizes) {
    const times = Math.max(1, Math.round(20_000 / tasks))
    costs.push(await stage.ask<number>(program, 'queued', { tasks, times }))
  }
  const last = costs.pop() ?? Number.NaN
  costs.forEach((cost, index) => stage.sample(nameOf(sizes[index] ?? 0), round, cost))
  stage.sample(best, round, Math.min(...costs))
  return last
}

export const queue: Row = {
  name: 'queue',
  title: 'time per task, from 1,000 to 1,000,000 queued',
  unit: 'µs/task',
  better: 'lower',
  budgetMs: 100_000,
  async play(stage) {
    const program = await stage.pool('Outpool', 'outpool')
    if (program === undefined) return
    const sizes = stage.quick ? [1_000, 10_000, 100_000] : [1_000, 10_000, 100_000, 1_000_000]
    const largest = nameOf(Math.max(...sizes))
    await stage.inTurn([{ name: largest, measure: (round) => measure(stage, program, sizes, round) }])
    stage.compare(largest, best, most(1.5))
  },
}
