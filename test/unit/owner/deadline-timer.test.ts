import { expect } from 'chai'
import { DeadlineTimer } from '../../../runtime/owner/deadline-timer.ts'
import { ManualClock } from '../manual-clock.ts'

describe('deadline-timer', () => {
  const leastMs = 5

  function timer(next: () => number): { clock: ManualClock; deadlines: DeadlineTimer; looks: [number, boolean][] } {
    const clock = new ManualClock()
    const looks: [number, boolean][] = []
    const deadlines = new DeadlineTimer(clock, leastMs, (late) => {
      looks.push([clock.now(), late])
      return next()
    })
    return { clock, deadlines, looks }
  }
  const never = (): number => Number.POSITIVE_INFINITY
  const nothing = (): Promise<void> => Promise.resolve()

  it('looks once, when the first of its deadlines is due, and keeps no timer after the last', async () => {
    const { clock, deadlines, looks } = timer(never)
    deadlines.by(100)
    deadlines.by(40)
    deadlines.by(70)
    await clock.pass(1000, nothing)
    expect(looks).to.deep.equal([[40, false]])
    expect(clock.pending).to.equal(0)
  })

  it('looks again when it was told to, and never sooner than its least time', async () => {
    const due = [12, 13, 50, Number.POSITIVE_INFINITY]
    const { clock, deadlines, looks } = timer(() => due.shift() as number)
    deadlines.by(0)
    await clock.pass(1000, nothing)
    expect(looks.map(([atMs]) => atMs)).to.deep.equal([5, 12, 17, 50])
  })

  it('does not set its timer anew for what is due at nearly the same time', () => {
    const { clock, deadlines } = timer(never)
    let set = 0
    const after = clock.after.bind(clock)
    clock.after = (...parameters) => {
      set++
      return after(...parameters)
    }
    for (let ms = 100; ms > 96; ms--) deadlines.by(ms)
    expect(set).to.equal(1)
  })

  it('does not look in vain when what was due first is over', async () => {
    const { clock, deadlines, looks } = timer(never)
    deadlines.notBefore(50)
    expect(clock.pending).to.equal(0)
    deadlines.by(40)
    deadlines.notBefore(30)
    deadlines.notBefore(90)
    await clock.pass(1000, nothing)
    expect(looks).to.deep.equal([[90, false]])
    deadlines.by(clock.now() + 40)
    deadlines.notBefore(Number.POSITIVE_INFINITY)
    expect(clock.pending).to.equal(0)
    deadlines.by(clock.now() + 40)
    await clock.pass(1000, nothing)
    expect(looks).to.have.length(2)
  })
})
