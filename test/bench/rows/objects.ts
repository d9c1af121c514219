import { least, most, type Row } from '../stage.ts'

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

/**
 * Many refs of one call, beside as many plain calls; and each beside a tenth of it, because none may cost more by the
 * piece when there are more. Nobody else has refs to compare with.
 */
export const refs: Row = {
  name: 'refs',
  title: 'many refs at once, by the ref',
  unit: 'µs',
  better: 'lower',
  budgetMs: 60_000,
  async play(stage) {
    const outpool = await stage.pool('Outpool', 'outpool')
    if (outpool === undefined) return
    const cases = [
      ['refs as arguments of one task', 'arguments', 10_000],
      ['results of one task', 'results', 3_000],
      ['refs in one get', 'get', 10_000],
      ['items of one generator', 'generator', 100_000],
    ] as const
    const plain = 'plain calls, 10,000'
    const contender = (
      name: string,
      how: string,
      full: number,
      times = 1,
    ): Parameters<typeof stage.inTurn>[0][number] => ({
      name,
      measure: () => stage.ask<number>(outpool, 'refs', { how, count: stage.quick ? full / 10 : full, times }),
    })
    const named = cases.map(([what, how, count]) => {
      const nameOf = (of: number): string => `${of.toLocaleString('en')} ${what}`
      return { how, count, many: nameOf(count), few: nameOf(count / 10) }
    })
    await stage.inTurn([
      contender(plain, 'calls', 10_000),
      ...named.flatMap(({ how, count, many, few }) => [
        contender(many, how, count),
        contender(few, how, count / 10, 10),
      ]),
    ])
    for (const { many, few } of named) {
      stage.compare(many, plain, most(1.5))
      stage.compare(many, few, most(2))
    }
  },
}
