import { expect } from 'chai'
import { ReadTurn } from '../../../runtime/transport/read-turn.ts'

describe('a turn of the loop in which bulk channels read', () => {
  let nowMs: number
  /** What begins the next turn, if somebody has asked for that. */
  let next: (() => void) | undefined
  let turn: ReadTurn
  let told: string[]
  const reads = (name: string): boolean => turn.hasTime(() => told.push(name))
  const endTurn = (): void => {
    const begin = next
    next = undefined
    begin?.()
  }
  beforeEach(() => {
    nowMs = 1_000
    next = undefined
    told = []
    turn = new ReadTurn(
      () => nowMs,
      (begin) => {
        expect(next).to.equal(undefined)
        next = begin
      },
    )
  })

  it('has time for reads until some milliseconds are over since the first', () => {
    const given: boolean[] = []
    for (let i = 0; i < 6; i++, nowMs++) given.push(reads('one'))
    expect(given).to.deep.equal([true, true, true, true, false, false])
  })

  it('is that of all channels: who reads too late goes on in the next one, in order', () => {
    expect(reads('first')).to.equal(true)
    nowMs += 10
    expect([reads('second'), reads('first')]).to.deep.equal([false, false])
    expect(told).to.deep.equal([])
    endTurn()
    expect(told).to.deep.equal(['second', 'first'])
    expect([reads('first'), reads('second')]).to.deep.equal([true, true])
    endTurn()
    expect(told).to.deep.equal(['second', 'first'])
  })

  it('counts from its own first read, however long nothing came before', () => {
    expect(reads('one')).to.equal(true)
    endTurn()
    nowMs += 60_000
    expect(reads('one')).to.equal(true)
    nowMs += 60_000
    expect(reads('one')).to.equal(false)
  })

  it('asks for no next turn while nobody reads', () => {
    reads('one')
    endTurn()
    expect(next).to.equal(undefined)
  })
})
