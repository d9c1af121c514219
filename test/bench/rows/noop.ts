import { asking, least, type Row, started } from '../stage.ts'

/** Goals: the driver may spend about 5 microseconds on a task. */
export const noop: Row = {
  name: 'noop',
  title: 'no-op calls, 20,000 in flight',
  unit: 'calls/s',
  better: 'higher',
  budgetMs: 110_000,
  async play(stage) {
    const calls = stage.quick ? 5_000 : 20_000
    const warm = { warmCalls: calls }
    const programs = started([
      await stage.pool('Outpool', 'outpool', warm),
      await stage.pool('workerpool process', 'workerpool', { ...warm, workerType: 'process' }),
      await stage.pool('workerpool thread', 'workerpool', { ...warm, workerType: 'thread' }),
      await stage.pool('piscina', 'piscina', warm),
      await stage.pool('poolifier cluster', 'poolifier', { ...warm, kind: 'cluster' }),
      await stage.pool('poolifier thread', 'poolifier', { ...warm, kind: 'thread' }),
      await stage.pool('tinypool process', 'tinypool', { ...warm, runtime: 'child_process' }),
      await stage.pool('tinypool thread', 'tinypool', { ...warm, runtime: 'worker_threads' }),
    ])
    await stage.inTurn(programs.map((program) => asking(stage, program, 'flight', { calls })))
    stage.compare('Outpool', 'workerpool process', least(10), least(5, 'milestone'))
    stage.compare('Outpool', 'piscina', least(8))
    stage.compare('Outpool', 'poolifier cluster', least(4))
    stage.compare('Outpool', 'poolifier thread', least(4))
    stage.compare('Outpool', 'workerpool thread')
    stage.compare('Outpool', 'tinypool process')
    stage.compare('Outpool', 'tinypool thread')
  },
}
