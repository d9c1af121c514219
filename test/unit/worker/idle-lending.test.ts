import { expect } from 'chai'
import { IdleLending } from '../../../runtime/worker/idle-lending.ts'

/** A clock that moves when it is told to. */
function manualClock() {
  let now = 0
  let timers: { at: number; action: () => void }[] = []
  return {
    clock: {
      now: () => now,
      after(delayMs: number, action: () => void) {
        const timer = { at: now + delayMs, action }
        timers.push(timer)
        return { cancel: () => void (timers = timers.filter((other) => other !== timer)) }
      },
    },
    advance: (ms: number): void => {
      now += ms
      const due = timers.filter((timer) => timer.at <= now)
      timers = timers.filter((timer) => timer.at > now)
      for (const timer of due) timer.action()
    },
    pending: () => timers.length,
  }
}

describe('runtime/worker/idle-lending', () => {
  it('lends the CPU of a pinned worker that has been idle for half a second, and takes it back for a call', () => {
    const { clock, advance } = manualClock()
    const told: (readonly [number, boolean])[] = []
    const lending = new IdleLending(clock, (epoch, lent) => told.push([epoch, lent]))
    lending.pinned(4)
    advance(499)
    expect(told).to.deep.equal([])
    advance(1)
    expect(told).to.deep.equal([[4, true]])
    lending.working()
    expect(told).to.deep.equal([
      [4, true],
      [4, false],
    ])
  })

  it('lends nothing while calls follow each other', () => {
    const { clock, advance, pending } = manualClock()
    const told: boolean[] = []
    const lending = new IdleLending(clock, (_, lent) => told.push(lent))
    lending.pinned(1)
    for (let i = 0; i < 10; i++) {
      advance(300)
      lending.working()
      lending.idle()
      lending.idle()
    }
    expect(told).to.deep.equal([])
    expect(pending()).to.equal(1)
  })

  it('waits for half a second from the end of the last call, with one timer for all of them', () => {
    const { clock, advance, pending } = manualClock()
    const told: boolean[] = []
    const lending = new IdleLending(clock, (_, lent) => told.push(lent))
    lending.pinned(1)
    advance(400)
    lending.working()
    lending.idle()
    expect(pending()).to.equal(1)
    advance(100)
    advance(399)
    expect(told).to.deep.equal([])
    advance(1)
    expect(told).to.deep.equal([true])
    lending.idle()
    expect(pending()).to.equal(0)
    lending.working()
    lending.idle()
    advance(100)
    lending.working()
    advance(1000)
    expect(told).to.deep.equal([true, false])
    lending.idle()
    advance(500)
    expect(told).to.deep.equal([true, false, true])
  })

  it('does not lend the CPU of a call that came before it was told whose the worker is', () => {
    const { clock, advance } = manualClock()
    const told: boolean[] = []
    const lending = new IdleLending(clock, (_, lent) => told.push(lent))
    lending.working()
    lending.pinned(1)
    advance(1000)
    expect(told).to.deep.equal([])
    lending.idle()
    advance(500)
    expect(told).to.deep.equal([true])
  })

  it('does nothing for workers that are nobody’s own', () => {
    const { clock, pending } = manualClock()
    const lending = new IdleLending(clock, () => expect.fail('there is nothing to lend'))
    lending.idle()
    lending.working()
    expect(pending()).to.equal(0)
  })
})
