import { expect } from 'chai'
import fc from 'fast-check'
import { nextHash, SeenTexts } from '../../../runtime/base/seen-texts.ts'

describe('SeenTexts', () => {
  it('gives the text of the bytes, whatever was seen before at the same place of its table', () => {
    // A hash of few values: nearly all of these texts meet in the table.
    const text = fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
      maxLength: 24,
    })
    fc.assert(
      fc.property(fc.array(fc.tuple(text, fc.nat(3), fc.nat(5))), (asked) => {
        const seen = new SeenTexts()
        for (const [each, hash, before] of asked) {
          const bytes = Buffer.from(`${'~'.repeat(before)}${each}~`, 'latin1')
          expect(seen.of(bytes, before, each.length, hash)).to.equal(each)
        }
      }),
      { numRuns: 300 },
    )
  })

  it('hashes so that ids which differ in one character lie apart', () => {
    const hashes = Array.from({ length: 4096 }, (_, number) =>
      [...Buffer.from(number.toString(16).padStart(16, '0'))].reduce(nextHash, 16),
    )
    expect(new Set(hashes)).to.have.property('size', 4096)
  })
})
