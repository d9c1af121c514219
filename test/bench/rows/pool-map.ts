import { spawnSync } from 'node:child_process'
import { asking, least, type Row, started } from '../stage.ts'

export const poolMap: Row = {
  name: 'pool-map',
  title: 'Pool.map of x * x over 1,000,000 numbers',
  unit: 'items/s',
  better: 'higher',
  budgetMs: 30_000,
  async play(stage) {
    const items = stage.quick ? 200_000 : 1_000_000
    const args = [JSON.stringify({ workers: stage.workers, items })]
    const programs = started([
      await stage.start({ name: 'Outpool', file: 'pool-map-outpool.mjs', args }),
      hasPython() ? await stage.start({ name: 'Python', file: 'pool-map.py', args }) : undefined,
    ])
    if (!hasPython()) stage.skip('Python', 'python3 is not installed here')
    await stage.inTurn(programs.map((program) => asking(stage, program, 'map', {})))
    stage.compare('Outpool', 'Python', least(3))
  },
}

function hasPython(): boolean {
  return spawnSync('python3', ['-c', 'import multiprocessing'], { stdio: 'ignore' }).status === 0
}
