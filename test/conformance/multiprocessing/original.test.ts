/** The scenarios on Python itself: it proves that the expected outcomes are the original's. Needs `python3`. */
import { expect } from 'chai'
import { playedByPython } from '../python.ts'
import { scenarios } from './suite.ts'

describe("multiprocessing: the original, Python's", () => {
  let outcomes: Record<string, unknown>

  before(async function () {
    const played = await playedByPython(new URL('original.py', import.meta.url))
    if (played === undefined) this.skip()
    else outcomes = played
  })

  it('plays the same scenarios', () => {
    expect(Object.keys(outcomes).sort()).to.deep.equal(Object.keys(scenarios).sort())
  })

  for (const [name, { expected }] of Object.entries(scenarios)) {
    it(name, () => {
      expect(inOurWords(outcomes[name])).to.deep.equal(expected)
    })
  }
})

/** Python's RuntimeError is JavaScript's Error. */
function inOurWords(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll('"RuntimeError"', '"Error"'))
}
