import { createHash, createHmac, randomBytes as nodesBytes } from 'node:crypto'
import { expect } from 'chai'
import { hmacSha256, sameDigest, sha256 } from '../../../runtime/base/hash.ts'
import { randomBytes } from '../../../runtime/base/random-bytes.ts'

describe('hash', () => {
  it("gives Node's SHA-256 for every length around its blocks and around what is left to Node", () => {
    const lengths = [...Array(200).keys(), 2047, 2048, 2049, 5000]
    for (const length of lengths) {
      const content = nodesBytes(length)
      expect(sha256(content).toString('hex'), `${length} bytes`).equal(
        createHash('sha256').update(content).digest('hex'),
      )
    }
    for (const byte of [0, 0x7f, 0x80, 0xff]) {
      const content = Buffer.alloc(128, byte)
      expect(sha256(content).equals(createHash('sha256').update(content).digest()), `all ${byte}`).equal(true)
    }
  })

  it("gives Node's HMAC for keys and messages of every length", () => {
    for (const keyLength of [0, 1, 31, 32, 63, 64, 65, 200])
      for (const length of [0, 13, 55, 56, 64, 300]) {
        const [key, message] = [nodesBytes(keyLength), nodesBytes(length)]
        const expected = createHmac('sha256', key).update(message).digest('hex')
        expect(hmacSha256(key, message).toString('hex'), `${keyLength}, ${length} bytes`).equal(expected)
      }
  })

  it('leaves what it is given as it is', () => {
    const [key, message] = [Buffer.alloc(20, 1), Buffer.alloc(70, 2)]
    hmacSha256(key, message)
    expect(key).deep.equal(Buffer.alloc(20, 1))
    expect(message).deep.equal(Buffer.alloc(70, 2))
  })

  it('tells digests apart that differ in one bit anywhere, or in their length', () => {
    const digest = sha256(Buffer.from('x'))
    expect(sameDigest(digest, Buffer.from(digest))).equal(true)
    for (let bit = 0; bit < digest.length * 8; bit++) {
      const other = Buffer.from(digest)
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(sameDigest(digest, other), `bit ${bit}`).equal(false)
    }
    expect(sameDigest(digest, digest.subarray(1))).equal(false)
  })
})

describe('randomBytes', () => {
  it('gives as many as are asked for, and none of them twice', () => {
    const seen = new Set<string>()
    for (let i = 0; i < 2000; i++) seen.add(randomBytes(8).toString('hex'))
    expect(seen.size).equal(2000)
    for (const size of [0, 1, 255, 256, 257, 1000]) expect(randomBytes(size)).lengthOf(size)
    expect(new Set(randomBytes(256)).size).greaterThan(100)
  })

  it('gives memory of its own, which later ones do not change', () => {
    const first = randomBytes(16)
    const was = Buffer.from(first)
    for (let i = 0; i < 50; i++) randomBytes(16)
    expect(first.equals(was)).equal(true)
    expect(first.some((byte) => byte !== 0)).equal(true)
  })
})
