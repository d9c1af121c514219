/** A shim against its original: the same program, the other import. */
import { greedySchedule } from '../greedy-schedule.ts'
import type { Program } from '../program.ts'
import { least, type Row, type Stage, started } from '../stage.ts'

const shim = 'outpool/workerpool'
const original = 'workerpool'
const workerType = 'process'

async function both(stage: Stage, warmCalls: number): Promise<Program[]> {
  return started([
    await stage.pool(shim, 'workerpool', { from: shim, workerType, warmCalls }),
    await stage.pool(original, 'workerpool', { from: original, workerType, warmCalls }),
  ])
}

export const shimNoop: Row = {
  name: 'shim-noop',
  title: 'workerpool shim: no-op calls, 5,000 in flight',
  unit: 'calls/s',
  better: 'higher',
  budgetMs: 40_000,
  async play(stage) {
    const calls = stage.quick ? 1_000 : 5_000
    const programs = await both(stage, calls)
    const measure = (program: Program): Promise<number> => stage.ask<number>(program, 'flight', { calls })
    await stage.inTurn(programs.map((program) => ({ name: program.name, measure: () => measure(program) })))
    stage.compare(shim, original, least(0.95))
  },
}

export const shimWork: Row = {
  name: 'shim-work',
  title: 'workerpool shim: 64 tasks of 20 ms, tasks/s',
  unit: 'tasks/s',
  better: 'higher',
  budgetMs: 30_000,
  async play(stage) {
    const calibration = await stage.start({ name: 'calibration', file: 'calibrate.mjs', args: ['{}'] })
    if (calibration === undefined) return
    const unit = Math.round(20 * (await stage.ask<number>(calibration, 'iterationsPerMs')))
    const iterations = new Array<number>(stage.quick ? 32 : 64).fill(unit)
    const programs = await both(stage, 0)
    const rate = async (program: Program): Promise<number> =>
      (iterations.length / (await stage.ask<number>(program, 'work', { iterations }))) * 1000
    await stage.inTurn(programs.map((program) => ({ name: program.name, measure: () => rate(program) })))
    stage.note(
      `ideal: ${Math.round(
        (iterations.length * 1000) /
          greedySchedule(
            iterations.map(() => 20),
            stage.workers,
          ).makespan,
      )} tasks/s`,
    )
    stage.compare(shim, original, least(0.95))
  },
}

/** Their originals run everything in the program itself: a call of nothing is a call of a function there. */
const inCaller = ['p-queue', 'p-limit', 'p-map'] as const

async function bothOf(stage: Stage, name: string, options: object = {}, what = ''): Promise<Program[]> {
  const from = `outpool/${name}`
  return started([
    await stage.pool(`${from}${what}`, name, { from, ...options }),
    await stage.pool(`${name}${what}`, name, { from: name, ...options }),
  ])
}

/** These samples, of one thread and some tenths of a second each, differ by a factor of two where the host is busy. */
const noopRounds = 15

/** 500 calls in flight take less than a millisecond: a sample is of many such flights, when all code is compiled. */
export const queuesNoop: Row = {
  name: 'queues-noop',
  title: 'p-queue, p-limit, p-map shims: no-op calls, 500 in flight',
  unit: 'calls/s',
  better: 'higher',
  budgetMs: 60_000,
  async play(stage) {
    const calls = 500
    const times = stage.quick ? 20 : 200
    for (const fresh of [false, true]) {
      const what = fresh ? ', a new function each' : ''
      for (const name of inCaller) {
        const programs = await bothOf(stage, name, { warmCalls: calls, warmFlights: times, fresh }, what)
        const measure = (program: Program): Promise<number> => stage.ask<number>(program, 'flight', { calls, times })
        const contenders = programs.map((program) => ({ name: program.name, measure: () => measure(program) }))
        await stage.inTurn(contenders, stage.quick ? stage.rounds : noopRounds)
        stage.compare(`outpool/${name}${what}`, `${name}${what}`, least(0.95))
      }
    }
  },
}

export const queuesWork: Row = {
  name: 'queues-work',
  title: 'p-queue, p-limit, p-map shims: tasks of 20 ms that only compute, tasks/s',
  unit: 'tasks/s',
  better: 'higher',
  budgetMs: 60_000,
  async play(stage) {
    const calibration = await stage.start({ name: 'calibration', file: 'calibrate.mjs', args: ['{}'] })
    if (calibration === undefined) return
    const unit = Math.round(20 * (await stage.ask<number>(calibration, 'iterationsPerMs')))
    const iterations = new Array<number>(stage.quick ? 16 : 32).fill(unit)
    for (const name of inCaller) {
      const programs = await bothOf(stage, name)
      const rate = async (program: Program): Promise<number> =>
        (iterations.length / (await stage.ask<number>(program, 'work', { iterations }))) * 1000
      await stage.inTurn(programs.map((program) => ({ name: program.name, measure: () => rate(program) })))
      stage.compare(`outpool/${name}`, name, least(0.95))
    }
  },
}
