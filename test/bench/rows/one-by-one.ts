import { median } from '../statistics.ts'
import { most, type Row, started } from '../stage.ts'

/** As in the row of no-op calls, the code of all of them is compiled before anything is measured. */
const warmCalls = 20_000
/**
 * Long enough to see what lasts: for 50 to 100 ms Linux leaves two processes that talk to each other on one CPU, where a
 * round trip of nothing takes 15 µs; then it parts them, and it takes 50 to 150.
 */
const calls = 10_000

export const oneByOne: Row = {
  name: 'one-by-one',
  title: 'one call at a time, p50',
  unit: 'µs',
  better: 'lower',
  budgetMs: 40_000,
  async play(stage) {
    const config = JSON.stringify({ workers: stage.workers, warmCalls })
    const programs = started([
      await stage.pool('Outpool', 'outpool', { warmCalls }),
      await stage.start({ name: 'raw ping-pong', file: 'bare-transport.mjs', args: [config] }),
      await stage.pool('workerpool process', 'workerpool', { workerType: 'process', warmCalls }),
      await stage.pool('piscina', 'piscina', { warmCalls }),
    ])
    const contenders = programs.map((program) => ({
      name: program.name,
      measure: async () =>
        median(await stage.ask<number[]>(program, 'oneByOne', { calls: stage.quick ? 500 : calls })) * 1000,
    }))
    await stage.inTurn(contenders)
    stage.compare('Outpool', 'raw ping-pong', most(1.2))
    stage.compare('Outpool', 'workerpool process')
    stage.compare('Outpool', 'piscina')
  },
}
