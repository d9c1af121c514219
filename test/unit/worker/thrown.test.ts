import { expect } from 'chai'
import { evaluateSource } from '../../../runtime/code/evaluate-source.ts'
import { portable } from '../../../runtime/worker/thrown.ts'

const thrownBy = async (text: string): Promise<Error> => {
  try {
    await evaluateSource(text, 'f')()
  } catch (error) {
    return portable(error) as Error
  }
  throw new Error('it did not throw')
}

describe('what user code threw, on its way back', () => {
  it('says of a package that the text of a function imports where it was looked for, and what to do', async () => {
    const error = await thrownBy("async () => import('no-such-package')")
    expect(error).to.have.property('code', 'ERR_MODULE_NOT_FOUND')
    expect(error.message).to.match(/^Cannot find package 'no-such-package': /)
    expect(error.message).to.include(process.cwd()).and.include('Import it at the top of the module')
  })

  it('is left as it is otherwise', async () => {
    const error = await thrownBy("async () => { throw new RangeError('so it is') }")
    expect([error.name, error.message]).to.deep.equal(['RangeError', 'so it is'])
  })
})
