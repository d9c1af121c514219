import { asking, type Contender, least, type Row } from '../stage.ts'

const sizeBytes = 64 * 2 ** 20
const tasks = 8

const ways = [
  ['by reference again', 'reference', 100],
  ['put, then by reference', 'first', 1],
  ['inline', 'inline', 1],
  ['a fresh one per task', 'fresh', 1],
] as const

/** By reference it is the store that counts, otherwise the copy into it. */
export const argument: Row = {
  name: 'argument',
  title: `a 64 MiB Float64Array as an argument of ${tasks} tasks at once`,
  unit: 'ms per task',
  better: 'lower',
  budgetMs: 60_000,
  async play(stage) {
    const outpool = await stage.pool('Outpool', 'outpool')
    const processes = await stage.pool('workerpool process', 'workerpool', {
      workerType: 'process',
      serialization: 'advanced',
    })
    const threads = await stage.pool('piscina (clone)', 'piscina')
    const contenders: Contender[] = []
    for (const other of [processes, threads])
      if (other !== undefined) contenders.push(asking(stage, other, 'argument', { sizeBytes, tasks, how: 'inline' }))
    const fresh = 'workerpool process, a fresh one per task'
    if (processes !== undefined)
      contenders.push({
        name: fresh,
        measure: () => stage.ask<number>(processes, 'argument', { sizeBytes, tasks, how: 'fresh' }),
      })
    for (const [name, how] of outpool === undefined ? [] : ways)
      contenders.push({
        name: `Outpool, ${name}`,
        measure: () => stage.ask<number>(outpool!, 'argument', { sizeBytes, tasks, how }),
      })
    await stage.inTurn(contenders)
    for (const [name, how, goal] of ways)
      stage.compare(how === 'fresh' ? fresh : 'workerpool process', `Outpool, ${name}`, least(goal))
  },
}
