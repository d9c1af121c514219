import { median } from '../statistics.ts'
import { most, type Row, started } from '../stage.ts'

export const oneByOne: Row = {
  name: 'one-by-one',
  title: 'one call at a time, p50',
  unit: 'µs',
  better: 'lower',
  budgetMs: 40_000,
  async play(stage) {
    const calls = stage.quick ? 500 : 3_000
    const config = JSON.stringify({ workers: stage.workers })
    const programs = started([
      await stage.pool('Outpool', 'outpool'),
      await stage.start({ name: 'raw ping-pong', file: 'bare-transport.mjs', args: [config] }),
      await stage.pool('workerpool process', 'workerpool', { workerType: 'process' }),
      await stage.pool('piscina', 'piscina'),
    ])
    const contenders = programs.map((program) => ({
      name: program.name,
      measure: async () => median(await stage.ask<number[]>(program, 'oneByOne', { calls })) * 1000,
    }))
    await stage.inTurn(contenders)
    stage.compare('Outpool', 'raw ping-pong', most(1.2))
    stage.compare('Outpool', 'workerpool process')
    stage.compare('Outpool', 'piscina')
  },
}
