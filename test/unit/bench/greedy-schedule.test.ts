import { expect } from 'chai'
import fc from 'fast-check'
import { greedySchedule } from '../../bench/greedy-schedule.ts'

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

describe('greedySchedule', () => {
  it('gives each task to the worker that is free first', () => {
    const { makespan, lists } = greedySchedule([5, 1, 1, 1, 4], 2)
    expect(lists).deep.equal([[0], [1, 2, 3, 4]])
    expect(makespan).equal(7)
  })

  it('divides equal tasks equally', () => {
    expect(greedySchedule(new Array<number>(64).fill(20), 4).makespan).equal(320)
    expect(greedySchedule([20, 20, 20], 2).makespan).equal(40)
  })

  it('ends at 0 when there is nothing to do', () => {
    expect(greedySchedule([], 3)).deep.equal({ makespan: 0, lists: [[], [], []] })
  })

  it('runs every task once, and stays within what no schedule and every greedy one can', () => {
    const durations = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 60 })
    fc.assert(
      fc.property(durations, fc.integer({ min: 1, max: 8 }), (tasks, workers) => {
        const { makespan, lists } = greedySchedule(tasks, workers)
        expect(lists.flat().toSorted((a, b) => a - b)).deep.equal(tasks.map((_, index) => index))
        const loads = lists.map((list) => sum(list.map((task) => tasks[task] ?? 0)))
        expect(makespan).equal(Math.max(...loads))
        const least = Math.max(sum(tasks) / workers, ...tasks)
        expect(makespan).at.least(least)
        // Graham's bound.
        expect(makespan).at.most((2 - 1 / workers) * least + 1e-9)
      }),
    )
  })
})
