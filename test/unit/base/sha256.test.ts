import { createHash, createHmac } from 'node:crypto'
import { expect } from 'chai'
import fc from 'fast-check'
import { digestsEqual, hmacSha256, plainSha256, sha256 } from '../../../runtime/base/sha256.ts'

describe('sha256', () => {
  it('is what Node computes, of every length around the ends of blocks and of any bytes', () => {
    const same = (bytes: Uint8Array): void => {
      const digest = createHash('sha256').update(bytes).digest()
      expect(plainSha256(bytes)).to.deep.equal(digest)
      expect(sha256(bytes)).to.deep.equal(digest)
    }
    for (let length = 0; length <= 200; length++) same(new Uint8Array(length).fill(length))
    same(new Uint8Array(100_000).fill(1))
    fc.assert(fc.property(fc.uint8Array({ maxLength: 1000 }), same))
  })

  it('reads a piece of larger memory where it is', () => {
    const memory = Uint8Array.from({ length: 300 }, (_, index) => index)
    expect(plainSha256(memory.subarray(3, 203))).to.deep.equal(plainSha256(memory.slice(3, 203)))
  })

  it('makes the same HMAC as Node, with keys shorter and longer than a block', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200, unit: 'grapheme' }), fc.string(), (key, text) => {
        expect(hmacSha256(key, text)).to.deep.equal(createHmac('sha256', key).update(text).digest())
      }),
    )
  })

  it('tells digests apart by any bit and by their length', () => {
    const digest = sha256(Buffer.from('outpool'))
    expect(digestsEqual(digest, Buffer.from(digest))).to.equal(true)
    expect(digestsEqual(digest, digest.subarray(1))).to.equal(false)
    for (let bit = 0; bit < 8 * digest.length; bit++) {
      const other = Buffer.from(digest)
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(digestsEqual(digest, other), `bit ${bit}`).to.equal(false)
    }
  })
})
