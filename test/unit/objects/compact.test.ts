import { expect } from 'chai'
import fc from 'fast-check'
import { ProtocolError } from '../../../runtime/base/errors.ts'
import { compact, compactBytes, compactInto, decodeCompact, expand } from '../../../runtime/objects/compact.ts'
import { encodeValue } from '../../../runtime/objects/value.ts'
import { difference } from './same-value.ts'

const anything = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
  fc.uint8Array({ minLength: 0, maxLength: 5_000, size: 'max' }),
)

describe('compact', () => {
  it('gives back what was put in, in exactly as many bytes as it said, wherever it is written', () => {
    const property = fc.property(anything, fc.nat(50), (value, offset) => {
      const encoded = encodeValue(value, 'value')
      const size = compactBytes(encoded)
      const target = new Uint8Array(offset + size + 10).fill(0xee)
      expect(compactInto(encoded, target, offset)).to.equal(offset + size)
      expect(target.subarray(0, offset).every((byte) => byte === 0xee)).to.equal(true)
      expect(target.subarray(offset + size).every((byte) => byte === 0xee)).to.equal(true)
      const written = target.subarray(offset, offset + size)
      expect(Buffer.compare(written, compact(encoded))).to.equal(0)
      expect(difference(decodeCompact(written), value)).to.equal(undefined)
    })
    fc.assert(property, { numRuns: 150 })
  })

  it('reads a small value in place as a decoder reads it', () => {
    const small = fc.oneof(
      fc.integer(),
      fc.integer({ min: -200, max: 200 }),
      fc.double(),
      fc.constantFrom(-0, undefined, null, true, false, '', NaN, 2 ** 31, -(2 ** 31)),
      fc.string({ unit: 'binary', maxLength: 14 }),
    )
    const property = fc.property(small, (value) => {
      // An object around it takes the other way.
      const [whole] = decodeCompact(compact(encodeValue([value, {}], 'value'))) as [unknown]
      const alone = decodeCompact(compact(encodeValue(value, 'value')))
      expect(Object.is(alone, value) && Object.is(whole, value), String(value)).to.equal(true)
    })
    fc.assert(property, { numRuns: 500 })
  })

  it('costs a plain value one byte', () => {
    const encoded = encodeValue({ a: 1, b: 'text' }, 'value')
    expect(compactBytes(encoded)).to.equal(encoded.inband.length + 1)
  })

  it('keeps buffers and refs beside the rest', () => {
    const encoded = encodeValue({ bytes: new Uint8Array(100_000) }, 'value')
    expect(encoded.buffers).to.have.length(1)
    expect(expand(compact(encoded)).buffers).to.have.length(1)
  })

  it('refuses bytes that are neither of its forms', () => {
    for (const bytes of [[], [2], [9, 1, 2], [1], [1, 255, 255, 255]])
      expect(() => decodeCompact(Uint8Array.from(bytes)), String(bytes)).to.throw(ProtocolError)
  })
})
