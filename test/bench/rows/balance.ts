/**
 * CPU-bound tasks against the schedule that a pool without overhead would make of them. The length of a task is taken
 * alone on the machine, in the same round. "Bare processes" run exactly that schedule, with one message for each: what
 * they lose, the machine lost.
 */
import { greedySchedule } from '../greedy-schedule.ts'
import { least, type Contender, type Row, type Stage, started } from '../stage.ts'

const aloneTimes = 7
const greedy = 'greedy schedule'

async function play(stage: Stage, unitMs: number, lengths: readonly number[]): Promise<void> {
  const calibration = await stage.start({ name: 'calibration', file: 'calibrate.mjs', args: ['{}'] })
  if (calibration === undefined) return
  const unit = Math.round(unitMs * (await stage.ask<number>(calibration, 'iterationsPerMs')))
  const iterations = lengths.map((length) => length * unit)
  const { lists } = greedySchedule(lengths, stage.workers)
  const config = JSON.stringify({ workers: stage.workers })
  const bare = await stage.start({ name: 'bare processes', file: 'bare-processes.mjs', args: [config] })
  const pools = started([
    await stage.pool('Outpool', 'outpool'),
    await stage.pool('workerpool process', 'workerpool', { workerType: 'process' }),
    await stage.pool('piscina', 'piscina'),
  ])
  const contenders: Contender[] = pools.map((program) => ({
    name: program.name,
    measure: () => stage.ask<number>(program, 'work', { iterations }),
  }))
  contenders.push({
    name: greedy,
    async measure() {
      const longest = Math.max(...lengths)
      const aloneMs = await stage.ask<number>(calibration, 'alone', { iterations: longest * unit, times: aloneTimes })
      const taskMs = lengths.map((length) => (length * aloneMs) / longest)
      return greedySchedule(taskMs, stage.workers).makespan
    },
  })
  if (bare !== undefined) {
    const parts = { lists: lists.map((list) => list.map((task) => iterations[task])) }
    contenders.push({ name: bare.name, measure: () => stage.ask<number>(bare, 'work', parts) })
  }
  await stage.inTurn(contenders)
  stage.compare(greedy, 'Outpool', least(0.97))
  stage.compare(greedy, 'bare processes')
  stage.compare(greedy, 'workerpool process')
  stage.compare(greedy, 'piscina')
}

export const even: Row = {
  name: 'even-work',
  title: '64 tasks of 20 ms CPU: share of the ideal',
  unit: 'ms',
  better: 'lower',
  budgetMs: 30_000,
  play: (stage) => play(stage, 20, new Array<number>(stage.quick ? 32 : 64).fill(1)),
}

const shortMs = 2
const longTimes = 10

export const uneven: Row = {
  name: 'uneven-work',
  title: '1,024 tasks of 2 ms, one in ten 20 ms: share of the ideal',
  unit: 'ms',
  better: 'lower',
  budgetMs: 60_000,
  play: (stage) =>
    play(
      stage,
      shortMs,
      Array.from({ length: stage.quick ? 256 : 1_024 }, (_, task) => (task % 10 === 7 ? longTimes : 1)),
    ),
}
