import { expect } from 'chai'
import fc from 'fast-check'
import { ProtocolError } from '../../../runtime/base/errors.ts'
import { decodeFrame, FrameBuilder, FrameSplitter, prefixBytes } from '../../../runtime/protocol/frames.ts'
import type { WireMessage } from '../../../runtime/protocol/frames.ts'

function cut(stream: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  let at = 0
  for (let i = 0; at < stream.length; i++) {
    const size = sizes[i % sizes.length] as number
    chunks.push(Buffer.from(stream.subarray(at, at + size)))
    at += size
  }
  return chunks
}

const message = fc.tuple(fc.nat(300), fc.nat(), fc.uint8Array({ maxLength: 200 })).map((fields): WireMessage => fields)

describe('frames', () => {
  it('come out as they went in, however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(message, { minLength: 1, maxLength: 8 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 }),
        (frames, sizes) => {
          const builder = new FrameBuilder(1 << 20)
          const stream = Buffer.concat(
            frames.map((messages) => {
              for (const one of messages) builder.append(one)
              return Buffer.from(builder.take())
            }),
          )
          const seen: WireMessage[][] = []
          const splitter = new FrameSplitter(1 << 20, (bytes, start, stop) =>
            seen.push(decodeFrame(bytes, start, stop)),
          )
          for (const chunk of cut(stream, sizes)) splitter.push(chunk)
          expect(seen).to.deep.equal(frames)
          expect(splitter.atBoundary).to.equal(true)
        },
      ),
    )
  })

  it('are full at 256 messages, and at 64 KiB', () => {
    const builder = new FrameBuilder(1 << 26)
    for (let i = 1; i < 256; i++) expect(builder.append([1, i])).to.equal(false)
    expect(builder.append([1, 256])).to.equal(true)
    expect(decodeFrame(builder.take().subarray(prefixBytes))).to.have.length(256)
    expect(builder.append([1, new Uint8Array(40_000)])).to.equal(false)
    expect(builder.append([1, new Uint8Array(40_000)])).to.equal(true)
  })

  it('keep their bytes until they are told to be written, then reuse the memory', () => {
    const builder = new FrameBuilder(1 << 20)
    builder.append([1, 'first'])
    const first = builder.take()
    builder.append([1, 'second'])
    const second = builder.take()
    expect(decodeFrame(first.subarray(prefixBytes))).to.deep.equal([[1, 'first']])
    builder.recycle()
    builder.append([1, 'third'])
    expect(builder.take().byteOffset).to.equal(first.byteOffset)
    expect(decodeFrame(second.subarray(prefixBytes))).to.deep.equal([[1, 'second']])
  })

  it('do not lose the messages of an open frame, when what was written before is recycled', () => {
    const builder = new FrameBuilder(1 << 20)
    builder.append([1, 'written'])
    builder.take()
    builder.append([1, 'open'])
    builder.recycle()
    expect(decodeFrame(builder.take().subarray(prefixBytes))).to.deep.equal([[1, 'open']])
  })

  it('refuse a message over the limit, and keep those before it', () => {
    const builder = new FrameBuilder(1000)
    builder.append([1, 'kept'])
    expect(() => builder.append([2, new Uint8Array(2000)])).to.throw(ProtocolError, /object store/)
    expect(decodeFrame(builder.take().subarray(prefixBytes))).to.deep.equal([[1, 'kept']])
  })

  it('refuse an announced length over the limit before they hold a byte of it', () => {
    const splitter = new FrameSplitter(1000, () => expect.fail('no frame is complete'))
    expect(() => splitter.push(Buffer.from([0xff, 0xff, 0xff, 0xff]))).to.throw(ProtocolError, /4294967295/)
  })

  it('that span chunks are gathered in one buffer of their size', () => {
    const size = 8 << 20
    const stream = Buffer.alloc(prefixBytes + size, 7)
    stream.writeUInt32BE(size)
    const seen: Buffer[] = []
    const splitter = new FrameSplitter(size, (bytes, start, stop) => {
      expect([start, stop]).to.deep.equal([0, size])
      seen.push(bytes)
    })
    for (let at = 0; at < stream.length; at += 512) {
      if (seen.length > 0) expect.fail('the frame is not complete yet')
      splitter.push(stream.subarray(at, at + 512))
    }
    expect(seen[0]?.buffer.byteLength).to.equal(size)
    expect(seen[0]?.equals(stream.subarray(prefixBytes))).to.equal(true)
  })

  it('are refused where their count and their bytes disagree', () => {
    const builder = new FrameBuilder(1000)
    builder.append([1, 2])
    const body = Buffer.from(builder.take().subarray(prefixBytes))
    for (const count of [0, 2, 0xffffffff]) {
      body.writeUInt32BE(count, 1)
      expect(() => decodeFrame(body), String(count)).to.throw(ProtocolError)
    }
    expect(() => decodeFrame(Buffer.from('garbage'))).to.throw(ProtocolError)
  })
})
