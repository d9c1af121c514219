import { expect } from 'chai'
import fc from 'fast-check'
import { ByteWriter } from '../../../runtime/objects/byte-writer.ts'
import { numberBytes, writeNumber } from '../../../runtime/objects/encode-numbers.ts'
import { decodeValue, encodeValue } from '../../../runtime/objects/value.ts'

/** As a part of a larger value is written. */
function written(value: number): Uint8Array {
  const writer = new ByteWriter()
  writer.begin()
  writeNumber(writer, value)
  return writer.finish()
}

/** Where one form ends and another begins, and what floating point has that is easily lost. */
const borders = [0, 127, 128, -128, -129, 255, 256, 2 ** 31, -(2 ** 31), 2 ** 32, 2 ** 53, -(2 ** 53)]
const odd = [
  -0,
  NaN,
  Infinity,
  -Infinity,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  Number.MAX_VALUE,
  2 ** -1022,
  Number.EPSILON,
]

/**
 * A number, and those beside it: also the very next doubles. Of the many that are NaN, which an engine may take for one
 * another, there is one here.
 */
function around(value: number): number[] {
  const words = new BigInt64Array(1)
  const number = new Float64Array(words.buffer)
  const next = [-2n, -1n, 1n, 2n].map((steps) => {
    number[0] = value
    words[0] = (words[0] as bigint) + steps
    return Number.isNaN(number[0]) ? NaN : number[0]
  })
  return [value, value - 1, value + 1, value + 0.5, ...next]
}

describe('a number', () => {
  const numbers = fc.oneof(
    fc.integer(),
    fc.integer({ min: -300, max: 300 }),
    fc.maxSafeInteger(),
    fc.double(),
    fc.float(),
    fc.constantFrom(...borders, ...odd).chain((value) => fc.constantFrom(...around(value))),
  )

  it('has the same bytes alone as within a value, and comes back from them', () => {
    const check = (value: number): void => {
      const bytes = Buffer.from(written(value))
      expect(Buffer.from(numberBytes(value)), String(value)).to.eql(bytes)
      const encoded = encodeValue(value, 'value')
      expect(Buffer.from(encoded.inband), String(value)).to.eql(bytes)
      expect(Object.is(decodeValue(encoded), value), String(value)).to.equal(true)
    }
    for (const value of [...borders, ...odd]) around(value).forEach(check)
    for (let value = -300; value <= 300; value++) check(value)
    fc.assert(fc.property(numbers, check), { numRuns: 1000 })
  })
})
