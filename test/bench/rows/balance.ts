/**
 * CPU-bound tasks against the schedule that a pool without overhead would make of them. The length of a task is taken
 * alone on the machine, in the same round. "Bare processes" run exactly that schedule, with one message for each: what
 * they lose, the machine lost.
 *
 * The work of the calibration and of the bare processes is compiled before it is measured, and so are the pools: each has
 * made many calls before, and these tasks six times. What a program has of its first tasks is measured beside it.
 *
 * Behind the rounds each plays the same again and says where the time of its workers went: what lies between tasks is
 * the pool's own work for each of them, in a worker and in the program, for which a worker stands aside.
 */
import { greedySchedule } from '../greedy-schedule.ts'
import type { Program } from '../program.ts'
import { least, type Contender, type Row, type Stage, started } from '../stage.ts'
import { spread } from '../statistics.ts'

const aloneTimes = 7
const timelines = 3
/** More than elsewhere: one process of the machine that has something to do meanwhile shows in these. */
const rounds = 9
const greedy = 'greedy schedule'
const warmCalls = 20_000
const warmRounds = 6
const notWarm = 'Outpool, not warmed up'

async function play(stage: Stage, unitMs: number, lengths: readonly number[]): Promise<void> {
  const calibration = await stage.start({ name: 'calibration', file: 'calibrate.mjs', args: ['{}'] })
  if (calibration === undefined) return
  const unit = Math.round(unitMs * (await stage.ask<number>(calibration, 'iterationsPerMs')))
  const iterations = lengths.map((length) => length * unit)
  const { lists } = greedySchedule(lengths, stage.workers)
  const config = JSON.stringify({ workers: stage.workers })
  /** Milliseconds for a task of length 1. */
  const alone = async (): Promise<number> => {
    const longest = Math.max(...lengths)
    const parameters = { iterations: longest * unit, times: aloneTimes }
    return (await stage.ask<number>(calibration, 'alone', parameters)) / longest
  }
  const bare = await stage.start({ name: 'bare processes', file: 'bare-processes.mjs', args: [config] })
  const pools = started([
    await stage.pool('Outpool', 'outpool', { warmCalls }),
    await stage.pool(notWarm, 'outpool'),
    await stage.pool('workerpool process', 'workerpool', { workerType: 'process', warmCalls }),
    await stage.pool('piscina', 'piscina', { warmCalls }),
  ])
  const contenders: Contender[] = pools.map((program) => ({
    name: program.name,
    measure: () => stage.ask<number>(program, 'work', { iterations }),
  }))
  contenders.push({
    name: greedy,
    async measure() {
      const lengthMs = await alone()
      return greedySchedule(
        lengths.map((length) => length * lengthMs),
        stage.workers,
      ).makespan
    },
  })
  const parts = { lists: lists.map((list) => list.map((task) => iterations[task])) }
  if (bare !== undefined) contenders.push({ name: bare.name, measure: () => stage.ask<number>(bare, 'work', parts) })
  const warm = contenders.filter(({ name }) => name !== notWarm)
  for (let i = 0; i < warmRounds && !stage.quick; i++) for (const contender of warm) await contender.measure(i)
  await stage.inTurn(contenders, stage.quick ? stage.rounds : rounds)
  const aloneMs = await alone()
  const wholeMs = lengths.reduce((sum, length) => sum + length * aloneMs, 0)
  for (const program of pools) await noteTimeline(stage, program, { iterations }, wholeMs)
  if (bare !== undefined) await noteTimeline(stage, bare, parts, wholeMs)
  stage.compare(greedy, 'Outpool', least(0.97))
  stage.compare(greedy, notWarm)
  stage.compare(greedy, 'bare processes')
  stage.compare(greedy, 'workerpool process')
  stage.compare(greedy, 'piscina')
}

interface Timeline {
  readonly before: number
  readonly between: number
  readonly behind: number
  readonly tasksMs: number
}

/** The row says where the time of its workers went. */
async function noteTimeline(stage: Stage, program: Program, parameters: object, wholeMs: number): Promise<void> {
  const played: Timeline[] = []
  for (let i = 0; i < (stage.quick ? 1 : timelines); i++)
    played.push(await stage.ask<Timeline>(program, 'timeline', parameters))
  const median = (pick: (timeline: Timeline) => number): number => spread(played.map(pick)).median
  const percent = (pick: (timeline: Timeline) => number): string => `${(100 * median(pick)).toFixed(1)} %`
  stage.note(
    `${program.name}: of the time of its workers ${percent(({ before }) => before)} went by before their first task, ` +
      `${percent(({ between }) => between)} between tasks, ${percent(({ behind }) => behind)} behind the last; tasks ` +
      `took ${median(({ tasksMs }) => tasksMs / wholeMs).toFixed(2)}x as long as alone`,
  )
}

export const even: Row = {
  name: 'even-work',
  title: '64 tasks of 20 ms CPU: share of the ideal',
  unit: 'ms',
  better: 'lower',
  budgetMs: 50_000,
  play: (stage) => play(stage, 20, new Array<number>(stage.quick ? 32 : 64).fill(1)),
}

const shortMs = 2
const longTimes = 10

export const uneven: Row = {
  name: 'uneven-work',
  title: '1,024 tasks of 2 ms, one in ten 20 ms: share of the ideal',
  unit: 'ms',
  better: 'lower',
  budgetMs: 120_000,
  play: (stage) =>
    play(
      stage,
      shortMs,
      Array.from({ length: stage.quick ? 256 : 1_024 }, (_, task) => (task % 10 === 7 ? longTimes : 1)),
    ),
}
