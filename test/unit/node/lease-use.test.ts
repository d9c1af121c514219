import { expect } from 'chai'
import fc from 'fast-check'
import { LeaseUse } from '../../../runtime/node/lease-use.ts'

describe('what a class has had of a node of late', () => {
  it('is what it has, after seconds, and nothing for a class that nobody has seen', () => {
    const use = new LeaseUse()
    use.held('a', 0, 0)
    expect(use.average('a', 3, 10_000)).to.be.closeTo(3, 0.001)
    expect(use.average('b', 3, 10_000)).to.equal(0)
  })

  it('is its part of the time where it comes and goes', () => {
    const use = new LeaseUse()
    for (let round = 0; round < 200; round++) {
      use.held('a', 0, round * 40)
      use.held('a', 2, round * 40 + 10)
    }
    expect(use.average('a', 0, 8_000)).to.be.closeTo(0.5, 0.02)
  })

  it('is forgotten with time, and so is the class', () => {
    const use = new LeaseUse()
    use.held('a', 0, 0)
    use.held('a', 1, 1_000)
    expect(use.average('a', 0, 2_000)).to.be.closeTo((1 - Math.exp(-1)) * Math.exp(-1), 1e-9)
    use.held('b', 0, 2_000)
    expect(use.size).to.equal(2)
    use.held('c', 0, 20_000)
    expect(use.size).to.equal(1)
  })

  it('does not depend on how often it is told of', () => {
    const spans = fc.array(fc.record({ leases: fc.nat(8), ms: fc.nat(500) }), { maxLength: 20 })
    fc.assert(
      fc.property(spans, (told) => {
        const [once, often] = [new LeaseUse(), new LeaseUse()]
        let now = 0
        for (const use of [once, often]) use.held('a', 0, now)
        for (const { leases, ms } of told) {
          for (let i = 1; i <= ms; i += 7) often.held('a', leases, now + i)
          now += ms
          for (const use of [once, often]) use.held('a', leases, now)
        }
        expect(often.average('a', 0, now)).to.be.closeTo(once.average('a', 0, now), 1e-9)
      }),
    )
  })
})
