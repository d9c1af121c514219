import { most, type Row } from '../stage.ts'

/** The same function where captured variables cannot be read at all: what their being readable costs those without. */
const alone = 'nothing, and nothing beside it'
const without = 'the same where there is no inspector'

/** What reading and sending captured variables costs, as ratios to a function without. */
export const captures: Row = {
  name: 'captures',
  title: 'a call of a known function, by what it captures',
  unit: 'µs',
  better: 'lower',
  budgetMs: 30_000,
  async play(stage) {
    const config = JSON.stringify({ workers: stage.workers })
    const outpool = await stage.start({ name: 'captures', file: 'captures.mjs', args: [config] })
    if (outpool === undefined) return
    const count = stage.quick ? 200 : 2_000
    const blind = await stage.start({ name: 'captures-blind', file: 'captures.mjs', args: [config, 'blind'] })
    const seeing = await stage.start({ name: 'captures-seeing', file: 'captures.mjs', args: [config] })
    if (blind === undefined || seeing === undefined) return
    const cases = [
      ['nothing', 'none', count],
      ['one constant', 'one', count],
      ['ten values', 'ten', count],
      ['an array of 10,000 numbers', 'large', count / 4],
      ['a variable that changes', 'changing', count / 4],
    ] as const
    await stage.inTurn([
      ...cases.map(([name, of, calls]) => ({
        name,
        measure: () => stage.ask<number>(outpool, 'calls', { of, count: calls }),
      })),
      { name: alone, measure: () => stage.ask<number>(seeing, 'calls', { of: 'none', count: count * 5 }) },
      { name: without, measure: () => stage.ask<number>(blind, 'calls', { of: 'none', count: count * 5 }) },
    ])
    stage.compare(alone, without, most(1.1))
    for (const [name] of cases.slice(1)) stage.compare(name, 'nothing', ...(name === 'one constant' ? [most(4)] : []))
  },
}
