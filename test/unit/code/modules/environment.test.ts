import { expect } from 'chai'
import { ProtocolError } from '../../../../runtime/base/errors.ts'
import { newProcessId } from '../../../../runtime/base/ids.ts'
import { environmentWord, parseEnvironment, type Environment } from '../../../../runtime/code/modules/environment.ts'
import type { RefTuple } from '../../../../runtime/protocol/messages.ts'

const none: Environment = { env: {}, workingDir: undefined, preloads: [] }
const preloads = ['outpool:compat/register/index.js']

describe('the word of an environment', () => {
  const workingDir = [newProcessId(), 7, newProcessId()] as unknown as RefTuple

  it('is the same for equal ones, another for others, and empty for none', () => {
    const word = (some: Partial<Environment>): string => environmentWord({ ...none, ...some })
    expect(word({ env: { B: '2', A: '1' }, workingDir })).to.equal(word({ env: { A: '1', B: '2' }, workingDir }))
    expect(word({ env: { A: '1' }, workingDir })).to.not.equal(word({ env: { A: '1' } }))
    expect(word({ env: { A: 'B' } })).to.not.equal(word({ env: { A: 'C' } }))
    expect(word({ preloads })).to.not.equal(word({}))
    expect(word({})).to.equal('')
  })

  it('says all of it', () => {
    for (const environment of [
      { env: { A: '1', B: 'x "y"\n' }, workingDir, preloads: [] },
      none,
      { ...none, workingDir },
      { env: { A: '1' }, workingDir, preloads },
    ])
      expect(parseEnvironment(environmentWord(environment))).to.deep.equal(environment)
  })

  it('is refused where it says something else', () => {
    const words = [
      'x',
      '{}',
      '[]',
      '[[["A",1]],null,[]]',
      '[[["A"]],null,[]]',
      '[[],["a",1,"b"],[]]',
      '[[],5,[]]',
      'null',
    ]
    for (const word of words) expect(() => parseEnvironment(word), word).to.throw(ProtocolError)
  })

  it('is refused where it names code that is not of Outpool, or nothing that could be code', () => {
    for (const module of ['file:///tmp/x.js', 'outpool:../x.js', 'outpool:lib/../../x.js', 'node:fs', 5])
      expect(() => parseEnvironment(JSON.stringify([[], null, [module]])), String(module)).to.throw(ProtocolError)
  })
})
