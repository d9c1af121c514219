import { existsSync } from 'node:fs'
import { most, type Contender, type Row } from '../stage.ts'

const pools: readonly (readonly [name: string, pool: string, options: object])[] = [
  ['Outpool', 'outpool', {}],
  ['workerpool process', 'workerpool', { workerType: 'process' }],
  ['workerpool thread', 'workerpool', { workerType: 'thread' }],
]

export const memory: Row = {
  name: 'memory',
  title: 'memory of all processes (PSS) with idle workers',
  unit: 'MiB',
  better: 'lower',
  budgetMs: 45_000,
  async play(stage) {
    if (!existsSync('/proc/self/smaps_rollup')) return stage.skip('all', 'this system has no /proc/PID/smaps_rollup')
    const processes = new Map<string, number>()
    const contenders: Contender[] = pools.map(([name, pool, options]) => ({
      name,
      async measure() {
        const program = await stage.pool(name, pool, options)
        if (program === undefined) throw new Error(`${name} did not start`)
        const found = await stage.ask<{ mebibytes: number; processes: number }>(program, 'memory', { restMs: 500 })
        processes.set(name, found.processes)
        const problem = await program.close()
        if (problem !== undefined) throw new Error(problem)
        return found.mebibytes
      },
    }))
    await stage.inTurn(contenders)
    for (const [name, count] of processes) stage.note(`${name}: ${count} processes`)
    stage.compare('Outpool', 'workerpool process', most(1.1))
    stage.compare('Outpool', 'workerpool thread')
  },
}
