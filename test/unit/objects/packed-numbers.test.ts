import { expect } from 'chai'
import fc from 'fast-check'
import { isDense, packNumbers, unpackNumbers } from '../../../runtime/objects/packed-numbers.ts'

describe('packNumbers', () => {
  it('gives back the very numbers', () => {
    const numbers = fc.oneof(
      fc.array(fc.integer()),
      fc.array(fc.oneof(fc.integer(), fc.double(), fc.constantFrom(-0, NaN, 2 ** 31, -(2 ** 31) - 1))),
    )
    fc.assert(
      fc.property(numbers, (list) => {
        const packed = packNumbers(list)
        const unpacked = packed && unpackNumbers(packed.bytes, packed.integers)
        expect(unpacked?.length).to.equal(list.length)
        for (const [index, item] of list.entries()) expect(Object.is(item, unpacked?.[index])).to.equal(true)
      }),
    )
  })

  it('takes four bytes for an integer, eight for any other number', () => {
    expect(packNumbers([1, -(2 ** 31), 2 ** 31 - 1]))
      .to.deep.include({ integers: true })
      .and.have.property('bytes')
      .with.length(12)
    for (const other of [0.5, -0, NaN, 2 ** 31, Infinity])
      expect(packNumbers([1, other]))
        .to.deep.include({ integers: false })
        .and.have.property('bytes')
        .with.length(16)
  })

  it('declines anything that is not a number', () => {
    for (const other of ['1', 1n, null, undefined, {}]) expect(packNumbers([1, other])).to.equal(undefined)
    expect(packNumbers([1, , 2])).to.equal(undefined)
  })
})

describe('isDense', () => {
  for (const length of [0, 1, 3, 64, 65, 5000]) {
    const items = (): unknown[] => Array.from({ length }, (_, index) => index)

    it(`accepts ${length} items, undefined among them`, () => {
      expect(isDense(items())).to.equal(true)
      expect(isDense(items().map(() => undefined))).to.equal(true)
    })

    it(`sees a hole and a property beside ${length} items`, () => {
      const holed = items()
      holed.length = length + 1
      expect(isDense(holed)).to.equal(false)
      expect(isDense(Object.assign(items(), { x: 1 }))).to.equal(false)
      expect(isDense(Object.assign(items(), { '01': 1 }))).to.equal(false)
      if (length > 0) expect(isDense(Object.assign(holed, { x: 1 }))).to.equal(false)
    })
  }
})
