import { expect } from 'chai'
import fc from 'fast-check'
import { advantage, type ComparisonReport, type RowReport } from '../../bench/report.ts'
import { median, quantile, ratiosByRound, spread, turnOrder, verdict } from '../../bench/statistics.ts'

describe('the statistics of the benchmark', () => {
  it('takes the middle sample, or the mean of the two in the middle', () => {
    expect(median([9, 1, 5])).equal(5)
    expect(median([4, 1, 3, 2])).equal(2.5)
    expect(median([])).to.satisfy(Number.isNaN)
    expect(quantile([10, 0], 0.25)).equal(2.5)
  })

  it('does not change the order of what it is given', () => {
    const samples = [3, 1, 2]
    median(samples)
    expect(samples).deep.equal([3, 1, 2])
  })

  it('keeps the median between the smallest and the largest sample', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 1e6 }), { minLength: 1 }), (samples) => {
        const { min, median: middle, max } = spread(samples)
        expect(middle).at.least(min).and.at.most(max)
        expect(samples.filter((sample) => sample < middle).length).at.most(samples.length / 2)
        expect(samples.filter((sample) => sample > middle).length).at.most(samples.length / 2)
      }),
    )
  })

  it('pairs samples of the same round, and leaves out a round that one side does not have', () => {
    expect(ratiosByRound([10, null, 30, 40], [5, 5, 10])).deep.equal([2, 3])
    expect(ratiosByRound([1, 2], [null, 4])).deep.equal([0.5])
    expect(ratiosByRound([1], [0])).deep.equal([])
  })

  it('gives the ratio of the rounds, not that of the medians, when the machine drifts', () => {
    // Each round the first is twice as fast; both slow down from round to round.
    expect(median(ratiosByRound([100, 50, 20], [50, 25, 10]))).equal(2)
  })

  it('says whether a goal is met, the bound itself included', () => {
    expect(verdict({ bound: 'least', ratio: 10 }, 10)).equal('MET')
    expect(verdict({ bound: 'least', ratio: 10 }, 9.99)).equal('MISSED')
    expect(verdict({ bound: 'most', ratio: 1.2 }, 1.2)).equal('MET')
    expect(verdict({ bound: 'most', ratio: 1.2 }, 1.21)).equal('MISSED')
    expect(verdict({ bound: 'least', ratio: 1 }, Number.NaN)).equal('MISSED')
  })

  it('lets each contender begin in turn', () => {
    expect([0, 1, 2, 3].map((round) => turnOrder(['a', 'b', 'c'], round).join(''))).deep.equal([
      'abc',
      'bca',
      'cab',
      'abc',
    ])
    expect(turnOrder([], 3)).deep.equal([])
  })
})

describe('advantage', () => {
  const row = (better: 'higher' | 'lower'): RowReport => ({ better }) as RowReport
  const pair = (of: string, against: string): ComparisonReport => ({ of, against }) as ComparisonReport

  it('is above 1 when Outpool is better, whichever way the ratio was taken', () => {
    expect(advantage(row('higher'), pair('Outpool', 'piscina'), 4)).equal(4)
    expect(advantage(row('lower'), pair('Outpool', 'piscina'), 0.5)).equal(2)
    expect(advantage(row('lower'), pair('ideal', 'Outpool'), 0.9)).closeTo(0.9, 1e-12)
    expect(advantage(row('higher'), pair('outpool/workerpool', 'workerpool'), 0.8)).equal(0.8)
  })

  it('is not there where neither side is Outpool', () => {
    expect(advantage(row('lower'), pair('ideal', 'piscina'), 0.9)).equal(undefined)
  })
})
