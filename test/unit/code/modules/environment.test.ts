import { expect } from 'chai'
import { ProtocolError } from '../../../../runtime/base/errors.ts'
import { newProcessId } from '../../../../runtime/base/ids.ts'
import { environmentWord, parseEnvironment } from '../../../../runtime/code/modules/environment.ts'
import type { RefTuple } from '../../../../runtime/protocol/messages.ts'

describe('the word of an environment', () => {
  const workingDir = [newProcessId(), 7, newProcessId()] as unknown as RefTuple

  it('is the same for equal ones, another for others, and empty for none', () => {
    expect(environmentWord({ env: { B: '2', A: '1' }, workingDir })).to.equal(
      environmentWord({ env: { A: '1', B: '2' }, workingDir }),
    )
    expect(environmentWord({ env: { A: '1' }, workingDir })).to.not.equal(
      environmentWord({ env: { A: '1' }, workingDir: undefined }),
    )
    expect(environmentWord({ env: { A: 'B' }, workingDir: undefined })).to.not.equal(
      environmentWord({ env: { A: 'C' }, workingDir: undefined }),
    )
    expect(environmentWord({ env: {}, workingDir: undefined })).to.equal('')
  })

  it('says all of it', () => {
    for (const environment of [
      { env: { A: '1', B: 'x "y"\n' }, workingDir },
      { env: {}, workingDir: undefined },
      { env: {}, workingDir },
    ])
      expect(parseEnvironment(environmentWord(environment))).to.deep.equal(environment)
  })

  it('is refused where it says something else', () => {
    for (const word of ['x', '{}', '[]', '[[["A",1]],null]', '[[["A"]],null]', '[[],["a",1,"b"]]', '[[],5]', 'null'])
      expect(() => parseEnvironment(word), word).to.throw(ProtocolError)
  })
})
