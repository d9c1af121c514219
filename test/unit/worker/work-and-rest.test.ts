import { expect } from 'chai'
import { WorkAndRest } from '../../../runtime/worker/work-and-rest.ts'

function worker(): { work: WorkAndRest; told: string[] } {
  const told: string[] = []
  return { told, work: new WorkAndRest({ working: () => told.push('works'), idle: () => told.push('rests') }) }
}

describe('work-and-rest', () => {
  it('tells of a rest when the messages that were being read have brought no further task', async () => {
    const { work, told } = worker()
    for (let i = 0; i < 3; i++) {
      work.work()
      work.rest()
    }
    expect(told).to.deep.equal(['works'])
    await Promise.resolve()
    expect(told).to.deep.equal(['works', 'rests'])
    work.rest()
    await Promise.resolve()
    expect(told).to.deep.equal(['works', 'rests'])
  })

  it('tells of a rest after a long task when what had come meanwhile has been read', async () => {
    const { work, told } = worker()
    work.work()
    work.rest(true)
    await new Promise(setImmediate)
    expect(told).to.deep.equal(['works'])
    work.work()
    work.rest(true)
    for (let i = 0; i < 2; i++) await new Promise(setImmediate)
    expect(told).to.deep.equal(['works', 'rests'])
  })

  it('tells of none where a task has begun by then, and of its own rest afterwards', async () => {
    const { work, told } = worker()
    work.work()
    work.rest()
    work.work()
    await Promise.resolve()
    expect(told).to.deep.equal(['works'])
    work.rest()
    await Promise.resolve()
    expect(told).to.deep.equal(['works', 'rests'])
    work.work()
    expect(told).to.deep.equal(['works', 'rests', 'works'])
  })
})
