import { getHeapStatistics } from 'node:v8'
import { expect } from 'chai'
import { ProtocolError } from '../../runtime/base/errors.ts'
import { decodeValue, encodeValue } from '../../runtime/objects/value.ts'
import type { EncodedValue } from '../../runtime/objects/value.ts'
import { tag } from '../../runtime/objects/value-format.ts'
import { decodeFrame, FrameSplitter } from '../../runtime/protocol/frames.ts'

const mebibyte = 1024 * 1024

/** What was allocated meanwhile, in bytes; less where the collector ran in between, which `before` keeps unlikely. */
function allocatedBy(body: () => void): number {
  global.gc?.()
  const bytes = (): number => getHeapStatistics().used_heap_size + getHeapStatistics().external_memory
  const before = bytes()
  body()
  return bytes() - before
}

function inband(bytes: Uint8Array): EncodedValue {
  return { inband: bytes, buffers: [], refs: [] }
}

describe('a length that lies', () => {
  it('makes no list of a frame larger than what was read of it, however deep such lists are nested', () => {
    const body = Buffer.alloc(4 * mebibyte, 0xc1)
    body.writeUInt8(0xdd, 0)
    body.writeUInt32BE(1, 1)
    // Sixty lists in each other, each of which announces as many items as there are bytes left.
    for (let at = 5; at < 5 + 60 * 5; at += 5) {
      body.writeUInt8(0xdd, at)
      body.writeUInt32BE(body.length - at - 5, at + 1)
    }
    const allocated = allocatedBy(() => expect(() => decodeFrame(body)).to.throw(ProtocolError))
    expect(allocated).below(4 * mebibyte)
  })

  it('of a frame is refused before anything is allocated for it', () => {
    const splitter = new FrameSplitter(mebibyte, () => {})
    const prefix = Buffer.from([0xff, 0xff, 0xff, 0xff])
    const allocated = allocatedBy(() => expect(() => splitter.push(prefix)).to.throw(ProtocolError, '4294967295'))
    expect(allocated).below(mebibyte)
  })

  it('of an array that is all holes takes no memory for them', () => {
    const one = [tag.sparseArray, 0x80, 0x08, 0]
    const count = 50_000
    const bytes = Buffer.from([tag.array, 0xd0, 0x86, 0x03, ...Array.from({ length: count }, () => one).flat()])
    let value: unknown
    const allocated = allocatedBy(() => void (value = decodeValue(inband(bytes))))
    expect(value).to.have.length(count)
    expect((value as unknown[][])[count - 1]).to.have.length(1024)
    expect(allocated, 'where 1,024 words each were 400 MiB').below(100 * mebibyte)
  })

  it('of a buffer is refused where numbers are packed in it twice', () => {
    const numbers = Array.from({ length: 20_000 }, (_, i) => i)
    const { inband: bytes, buffers } = encodeValue([numbers, numbers.map((item) => item + 1)], 'value')
    expect(buffers).to.have.length(2)
    const second = bytes.indexOf(tag.packedInt32) + 2
    const twice = Buffer.from(bytes)
    twice[second + 1] = 1
    const decode = (inbandBytes: Uint8Array): unknown => decodeValue({ inband: inbandBytes, buffers, refs: [] })
    expect((decode(bytes) as number[][])[1]?.[0]).equal(1)
    expect(() => decode(twice)).to.throw(ProtocolError, 'a buffer that is not there')
  })

  it('of packed numbers that ends inside one of them is refused', () => {
    const bytes = Buffer.from([tag.packedDouble, 0, 9, ...Array.from({ length: 9 }, () => 0)])
    expect(() => decodeValue(inband(bytes))).to.throw(ProtocolError, 'cut short')
  })
})
