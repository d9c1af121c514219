import { expect } from 'chai'
import { selectShims, shimFacts } from '../../../compat/shared/shim-names.ts'

describe('which names of packages a program wants to lead to shims', () => {
  const selected = (wanted: string | undefined): string[] => selectShims(wanted).shims.map(({ name }) => name)
  const all = shimFacts.map(({ name }) => name)

  it('are all of them without the variable, where it is empty, as files of variables have it, and by a word', () => {
    for (const wanted of [undefined, '', ' ', 'all']) expect(selected(wanted), String(wanted)).to.deep.equal(all)
  })

  it('are those that are named, or none', () => {
    expect(selected('p-queue, workerpool')).to.deep.equal(['workerpool', 'p-queue'])
    expect(selected('none')).to.deep.equal([])
  })
})
