import { least, type Row } from '../stage.ts'

/** What storing costs beyond the copy that it is. */
export const putting: Row = {
  name: 'put',
  title: 'put of 64 MiB into memory that was used before, beside a plain copy',
  unit: 'GB/s',
  better: 'higher',
  budgetMs: 20_000,
  async play(stage) {
    const outpool = await stage.pool('Outpool', 'outpool')
    if (outpool === undefined) return
    const times = stage.quick ? 5 : 15
    const contender = (name: string, how: string): Parameters<typeof stage.inTurn>[0][number] => ({
      name,
      measure: () => stage.ask<number>(outpool, 'putting', { sizeBytes: 64 * 2 ** 20, times, how }),
    })
    await stage.inTurn([contender('a copy within the process', 'copy'), contender('Outpool, put', 'put')])
    stage.compare('Outpool, put', 'a copy within the process', least(0.7))
  },
}

/** Many at once; nobody else has refs to compare with. */
export const refs: Row = {
  name: 'refs',
  title: 'many refs and results at once',
  unit: 'ms',
  better: 'lower',
  budgetMs: 30_000,
  async play(stage) {
    const outpool = await stage.pool('Outpool', 'outpool')
    if (outpool === undefined) return
    const cases = [
      ['10,000 refs as arguments of one task', 'arguments', 10_000],
      ['3,000 results of one task', 'results', 3_000],
      ['get of 10,000 refs', 'get', 10_000],
    ] as const
    await stage.inTurn(
      cases.map(([name, how, count]) => ({
        name,
        measure: () => stage.ask<number>(outpool, 'refs', { how, count: stage.quick ? count / 10 : count }),
      })),
    )
  },
}
