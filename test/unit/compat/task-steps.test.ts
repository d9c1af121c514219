import { expect } from 'chai'
import { TaskSteps } from '../../../compat/workerpool/task-steps.ts'
import { defer } from '../../../compat/workerpool/original.ts'

describe('workerpool, task-steps', () => {
  const seen: unknown[] = []
  const note = (what: string) => (value: unknown) => void seen.push([what, value])
  beforeEach(() => void seen.splice(0))

  it('takes the steps of a task that ended well in their order, at once, without those for errors', () => {
    const steps = new TaskSteps(defer())
    steps.then(note('then')).catch(note('catch')).then(note('after'))
    expect(seen).to.deep.equal([])
    steps.fulfil(1)
    expect(seen).to.deep.equal([
      ['then', 1],
      ['after', undefined],
    ])
    steps.then(note('late'))
    expect(seen.at(-1)).to.deep.equal(['late', undefined])
  })

  it('passes over steps until one takes the error, which may be that of a step', () => {
    const steps = new TaskSteps(defer())
    const failing = (): never => {
      throw new Error('a step')
    }
    steps.then(note('then')).catch(failing).then(note('between')).catch(note('catch')).then(note('after'))
    steps.reject(new Error('a task'))
    expect(seen.map((one) => (one as unknown[])[0])).to.deep.equal(['catch', 'after'])
    expect(((seen[0] as unknown[])[1] as Error).message).to.equal('a step')
  })

  it('waits for a step that returns a promise', () => {
    const later = defer()
    const steps = new TaskSteps(defer())
    steps.then(() => later.promise).then(note('then'))
    steps.fulfil(1)
    steps.then(note('added'))
    expect(seen).to.deep.equal([])
    later.resolve(2)
    expect(seen).to.deep.equal([
      ['then', 2],
      ['added', undefined],
    ])
  })
})
