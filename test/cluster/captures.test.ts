import { expect } from 'chai'
import { cases } from './captures/cases.ts'
import { endCompiler, play, variants } from './captures/variants.ts'

const count = Object.values(cases).reduce((sum, members) => sum + Object.keys(members).length, 0)

describe('functions that capture', function () {
  this.timeout(120_000)

  after(endCompiler)

  it('are tried in at least five cases of each kind', () => {
    for (const [kind, members] of Object.entries(cases)) expect(Object.keys(members).length, kind).to.be.at.least(5)
  })

  const major = Number.parseInt(process.versions.node, 10)
  for (const [name, { from = 20 }] of Object.entries(variants)) {
    if (major < from) continue
    it(`do the same in a worker as here, twice, when the program is ${name}`, async () => {
      const output = await play(name)
      const lines = output.split('\n')
      expect(lines.filter((line) => line.startsWith('DIFFERS'))).deep.equal([])
      expect(output).to.include(`PLAYED ${count} cases`)
    })
  }
})
