import { asking, type Contender, type Row, started } from '../stage.ts'

const sizeBytes = 64 * 2 ** 20

/** The goals of this row belong to a store in shared memory; until then it only shows where things stand. */
export const argument: Row = {
  name: 'argument',
  title: 'a 64 MiB Float64Array as an argument',
  unit: 'ms',
  better: 'lower',
  budgetMs: 40_000,
  async play(stage) {
    const outpool = await stage.pool('Outpool', 'outpool')
    const others = started([
      await stage.pool('workerpool process', 'workerpool', { workerType: 'process', serialization: 'advanced' }),
      await stage.pool('piscina (clone)', 'piscina'),
    ])
    const inline = { sizeBytes, byReference: false }
    const contenders: Contender[] = others.map((program) => asking(stage, program, 'argument', inline))
    for (const byReference of outpool === undefined ? [] : [false, true]) {
      contenders.push({
        name: byReference ? 'Outpool, by reference again' : 'Outpool, inline',
        measure: () => stage.ask<number>(outpool!, 'argument', { sizeBytes, byReference }),
      })
    }
    await stage.inTurn(contenders)
    stage.compare('workerpool process', 'Outpool, inline')
    stage.compare('workerpool process', 'Outpool, by reference again')
  },
}
