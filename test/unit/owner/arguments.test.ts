import { expect } from 'chai'
import fc from 'fast-check'
import { decodeCompact } from '../../../runtime/objects/compact.ts'
import { encodeArguments, smallArguments, splitArguments } from '../../../runtime/owner/arguments.ts'
import { difference } from '../objects/same-value.ts'

const refs = { isRef: () => false } as never
const bytesOf = (args: readonly unknown[]): Uint8Array =>
  encodeArguments(args, refs, () => {
    throw new Error('none is large')
  }).bytes

const small = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(undefined, null, true, false, -0),
  fc.string({ unit: 'binary-ascii', minLength: 1, maxLength: 12 }),
)

describe('arguments', () => {
  it('are read in place where all are small, as they are read one by one', () => {
    const property = fc.property(fc.array(small, { maxLength: 6 }), (args) => {
      expect(difference(smallArguments(bytesOf(args)), args)).to.equal(undefined)
    })
    fc.assert(property, { numRuns: 300 })
  })

  it('are left to the other way where one is not, and then never read otherwise', () => {
    const any = fc.oneof(small, fc.anything(), fc.string({ maxLength: 600, size: 'max' }))
    const property = fc.property(fc.array(any, { maxLength: 4 }), (args) => {
      const bytes = bytesOf(args)
      const read = smallArguments(bytes)
      const split = splitArguments(bytes, null).map((part) => decodeCompact(part as Uint8Array))
      if (read !== undefined) expect(difference(read, split)).to.equal(undefined)
    })
    fc.assert(property, { numRuns: 300 })
    expect(smallArguments(bytesOf([1, {}]))).to.equal(undefined)
    expect(smallArguments(bytesOf(['x'.repeat(256)]))).to.equal(undefined)
  })

  it('are left to the other way, which refuses them, where they are cut short', () => {
    const bytes = bytesOf([1, 'two', 3.5])
    for (let length = 0; length < bytes.length; length++)
      expect(smallArguments(bytes.subarray(0, length)), `${length} bytes`).to.equal(undefined)
  })

  it('are left to the other way where one is a ref', () => {
    expect(smallArguments(Uint8Array.of(1, 0, 0, 0, 0, 0))).to.equal(undefined)
  })
})
