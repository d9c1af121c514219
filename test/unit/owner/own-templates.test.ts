import { expect } from 'chai'
import { OwnTemplates } from '../../../runtime/owner/own-templates.ts'
import { decodeTemplate, type TemplateBody } from '../../../runtime/owner/template.ts'

const body = (text: string, maxRetries = 3): TemplateBody => ({
  ...{ kind: 'task', mode: 'call', name: 'f', definition: Buffer.from(text), job: 'a', environment: '', numReturns: 1 },
  maxRetries,
})
const options = { classIndex: 0, retryExceptions: false, timeoutMs: 0 }

describe('the templates of an owner', () => {
  it('are one for each function with its options, however often it is wrapped', () => {
    const templates = new OwnTemplates()
    const first = templates.define(body('x => x'), options, true)
    expect(templates.define(body('x => x'), options, true)).to.equal(first)
    const others = [
      templates.define(body('x => -x'), options, true),
      templates.define(body('x => x', 0), options, true),
      templates.define(body('x => x'), { ...options, timeoutMs: 5 }, true),
      templates.define(body('x => x'), { ...options, retryExceptions: true }, true),
      templates.define(body('x => x'), { ...options, classIndex: 1 }, true),
    ]
    expect([first, ...others].map(({ number }) => number)).to.deep.equal([0, 1, 2, 3, 4, 5])
    expect(decodeTemplate(templates.bytesOf(1) as Uint8Array)).to.deep.include({ name: 'f', maxRetries: 3 })
  })

  it('are not shared by workers of one’s own, with which they end', () => {
    const templates = new OwnTemplates()
    const one = templates.define(body('x => x'), options, false)
    const other = templates.define(body('x => x'), options, false)
    expect(other).to.not.equal(one)
    templates.forget(one.number)
    expect([templates.bytesOf(one.number), templates.bytesOf(other.number)?.length]).to.deep.equal([
      undefined,
      templates.bytesOf(other.number)?.length,
    ])
    expect(templates.define(body('x => x'), options, true)).to.not.equal(other)
  })
})
