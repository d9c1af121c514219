import { expect } from 'chai'
import { LatePins } from '../../../runtime/owner/late-pins.ts'
import type { RefTuple } from '../../../runtime/protocol/messages.ts'

const ref = (number: number): RefTuple => ['0123456789abcdef', number, 'fedcba9876543210'] as unknown as RefTuple

describe('runtime/owner/late-pins', () => {
  it('keeps the refs of a settled task until its worker gives it back, then lets go of each once', () => {
    const released: RefTuple[] = []
    const pins = new LatePins((one) => released.push(one))
    pins.keep(1, 7, [ref(1), ref(2)])
    pins.keep(1, 8, [ref(3)])
    pins.drop(1, [7, 9])
    pins.drop(1, [7])
    expect(released).to.deep.equal([ref(1), ref(2)])
    expect(pins.size).to.equal(1)
  })

  it('keeps what is added for a task beside what it has of it', () => {
    const pins = new LatePins(() => {})
    pins.keep(1, 7, [ref(1)])
    pins.keep(1, 7, [ref(2), ref(3)])
    pins.keep(1, 8, [ref(4)])
    pins.keep(2, 7, [ref(5)])
    expect([pins.of(1), pins.of(2), pins.of(3)]).to.deep.equal([[ref(1), ref(2), ref(3), ref(4)], [ref(5)], []])
    expect(pins.take(1, 7)).to.deep.equal([ref(1), ref(2), ref(3)])
  })

  it('hands the refs to whoever takes the late answer, who lets go of them', () => {
    const pins = new LatePins(() => expect.fail('nothing is let go of here'))
    pins.keep(4, 0, [ref(5)])
    expect(pins.take(4, 1)).to.deep.equal([])
    expect(pins.take(4, 0)).to.deep.equal([ref(5)])
    expect(pins.take(4, 0)).to.deep.equal([])
    expect(pins.take(undefined, 0)).to.deep.equal([])
    expect(pins.size).to.equal(0)
  })

  it('lets go of all of a lease that is over', () => {
    const released: RefTuple[] = []
    const pins = new LatePins((one) => released.push(one))
    pins.keep(2, 1, [ref(1)])
    pins.keep(2, 2, [ref(2)])
    pins.keep(3, 1, [ref(3)])
    pins.dropLease(2)
    pins.dropLease(2)
    expect(released).to.deep.equal([ref(1), ref(2)])
    pins.dropLease(3)
    expect(pins.size).to.equal(0)
  })
})
