import { expect } from 'chai'
import { didYouMean } from '../../../lib/suggest.ts'

const known = ['numCpus', 'numGpus', 'memory', 'maxRetries', 'retryExceptions', 'timeout', 'signal']

describe('didYouMean', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['maxRetrys', 'maxRetries'],
    ['max_retries', 'maxRetries'],
    ['MAXRETRIES', 'maxRetries'],
    ['numcpu', 'numCpus'],
    ['memry', 'memory'],
    ['timout', 'timeout'],
    ['retryException', 'retryExceptions'],
    ['signals', 'signal'],
  ]
  for (const [given, meant] of cases) {
    it(`knows that ${given} is meant to be ${meant}`, () => {
      expect(didYouMean(given, known)).to.equal(` (did you mean '${meant}'?)`)
    })
  }

  for (const given of ['xyz', 'schedulingStrategy', '', 'q']) {
    it(`does not guess at '${given}'`, () => {
      expect(didYouMean(given, known)).to.equal('')
    })
  }

  it('knows nothing near where nothing is known', () => {
    expect(didYouMean('numCpus', [])).to.equal('')
  })
})
