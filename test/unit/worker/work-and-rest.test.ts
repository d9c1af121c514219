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
    await new Promise(setImmediate)
    expect(told).to.deep.equal(['works', 'rests'])
  })

  it('reads again after each long task, also when the look for an earlier rest is still to come', () => {
    const immediates: (() => void)[] = []
    const told: string[] = []
    const events = { working: () => told.push('works'), idle: () => told.push('rests') }
    const turns = { queueMicrotask, setImmediate: (act: () => void) => void immediates.push(act) }
    const work = new WorkAndRest(events, turns)
    const readsLongTask = (): void => {
      work.work()
      told.push('a task')
      work.rest(true)
    }
    const turn = (reads?: () => void): void => {
      reads?.()
      for (const act of immediates.splice(0)) act()
    }
    turn(readsLongTask)
    turn(readsLongTask)
    // What came during the second one is read here.
    turn(readsLongTask)
    expect(told).to.deep.equal(['works', 'a task', 'a task', 'a task'])
    for (let i = 0; i < 3; i++) turn()
    expect(told.slice(4)).to.deep.equal(['rests'])
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
