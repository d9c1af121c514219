import { expect } from 'chai'
import { registered } from '../../../runtime/cluster/registration.ts'
import { ManualClock } from '../manual-clock.ts'

describe('waiting for a registration', () => {
  const headUrl = 'ws://head:7420'
  let clock: ManualClock
  let said: string[]
  let isMember: boolean
  let isOver: boolean

  beforeEach(() => {
    clock = new ManualClock()
    said = []
    isMember = isOver = false
  })

  /** How it ended, '' while it has not. */
  const wait = (tells: boolean): (() => string) => {
    let ended = ''
    const tell = (text: string): void => void said.push(text)
    const parts = { headUrl, isMember: () => isMember, isOver: () => isOver, clock, ...(tells && { tell }) }
    registered(parts).then(
      () => (ended = 'resolved'),
      (error: Error) => (ended = error.message),
    )
    return () => ended
  }
  const turn = (): Promise<void> => new Promise(setImmediate)

  it('has an end at the first start, which names the head', async () => {
    const ended = wait(false)
    await clock.pass(29_000, turn)
    expect(ended()).to.equal('')
    await clock.pass(2_000, turn)
    expect(ended()).to.equal(`the head at ${headUrl} did not register this node within 30000 ms`)
    expect(clock.pending).to.equal(0)
  })

  it('goes on for as long as it takes where the node was a member before, which is told', async () => {
    const ended = wait(true)
    await clock.pass(2_000, turn)
    expect(said).to.deep.equal([])
    await clock.pass(600_000, turn)
    expect(ended()).to.equal('')
    expect(said[0]).to.contain(headUrl).and.contain('has not registered this node yet')
    isMember = true
    await clock.pass(1_000, turn)
    expect(ended()).to.equal('resolved')
    expect(clock.pending).to.equal(0)
  })

  it('ends with the wish for it', async () => {
    const ended = wait(true)
    await clock.pass(10, turn)
    isOver = true
    await clock.pass(1_000, turn)
    expect(ended()).to.equal('resolved')
    expect(clock.pending).to.equal(0)
  })
})
