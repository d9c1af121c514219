import { expect } from 'chai'
import { withoutMaking } from '../../../runtime/code/class-text.ts'
import { analyseFunction } from '../../../runtime/code/free-variables.ts'

function analysed(text: string) {
  const analysis = analyseFunction(text)
  if (analysis.kind !== 'class') throw new Error('no class')
  return analysis
}

describe('the text by which a class is made again', () => {
  it('has nothing of what is static but methods, and all else where it was', () => {
    const text = `class A {
  a = 1
  static made = [1,
    2]
  static { register(this) }
  static use() { return 1 }
  static get one() { return 2 }
  b = 2; static last
  static [key] = 1
}`
    const { lasting } = analysed(text)
    expect(lasting.length).equal(text.length)
    expect(lasting.split('\n').map((line) => line.trimEnd())).deep.equal([
      'class A {',
      '  a = 1',
      '  ;',
      '',
      '  ;',
      '  static use() { return 1 }',
      '  static get one() { return 2 }',
      '  b = 2; ;',
      '  ;',
      '}',
    ])
    expect(analysed(lasting).freeVariables).deep.equal([])
  })

  it('is the same where nothing is', () => {
    const text = 'class extends (made, Base) { [key]() {} static use() {} }'
    expect(analysed(text).lasting).equal(text)
  })

  it('has nothing left to be evaluated, for who asks what using it does', () => {
    const text = 'class extends (made = 1,\nBase) { [key\n()]() {} static use() {} static { made = 2 } }'
    const left = withoutMaking(analysed(text))
    expect(left).match(/^class extends \(null\n\) \{ \[0\n\]\(\) \{\} static use\(\) \{\} ; +\}$/)
  })
})
