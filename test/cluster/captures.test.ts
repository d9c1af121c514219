import { expect } from 'chai'
import { endCompiler, play, variants } from './captures/variants.ts'

describe('functions that capture', function () {
  this.timeout(600_000)

  after(endCompiler)

  const major = Number.parseInt(process.versions.node, 10)
  for (const [name, { from = 20 }] of Object.entries(variants)) {
    if (major < from) continue
    it(`do the same in a worker as here, or are refused, twice, when the program is ${name}`, async () => {
      const { differs, whole, output } = await play(name)
      expect(differs).deep.equal([])
      expect(whole, output).to.match(/^2\d\d cases and \d\d refusals of \d\d kinds, twice each$/)
    })
  }
})
