import { asking, type Row } from '../stage.ts'

export const bare: Row = {
  name: 'bare',
  title: 'no-op calls against a bare transport (unix sockets, batches, promises)',
  unit: 'calls/s',
  better: 'higher',
  budgetMs: 30_000,
  async play(stage) {
    const calls = stage.quick ? 5_000 : 20_000
    const config = JSON.stringify({ workers: stage.workers, warmCalls: calls })
    const outpool = await stage.pool('Outpool', 'outpool', { warmCalls: calls })
    const transport = await stage.start({ name: 'bare transport', file: 'bare-transport.mjs', args: [config] })
    const programs = [outpool, transport].filter((program) => program !== undefined)
    await stage.inTurn(programs.map((program) => asking(stage, program, 'flight', { calls })))
    stage.compare('Outpool', 'bare transport')
  },
}
