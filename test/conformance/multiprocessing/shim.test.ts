/** The scenarios on the shim, as a program has it: from the built package. */
import { expect } from 'chai'
import { scenarios, type Multiprocessing } from './suite.ts'

describe('multiprocessing: the shim', () => {
  let mp: Multiprocessing

  before(async () => {
    mp = (await import('outpool/multiprocessing')) as unknown as Multiprocessing
  })
  after(async () => {
    const { shutdown } = await import('outpool')
    await shutdown()
  })

  for (const [name, { expected, play }] of Object.entries(scenarios)) {
    it(name, async () => {
      expect(await play(mp)).to.deep.equal(expected)
    })
  }
})
