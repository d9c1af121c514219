import { expect } from 'chai'
import fc from 'fast-check'
import { Packr, Unpackr } from 'msgpackr'
import { ProtocolError } from '../../../runtime/base/errors.ts'
import { decodeMessages, encodeMessage } from '../../../runtime/protocol/message-codec.ts'
import type { WireMessage } from '../../../runtime/protocol/message-codec.ts'

function encode(message: WireMessage): Buffer {
  const into = { bytes: Buffer.alloc(8), length: 0 }
  encodeMessage(message, into)
  return into.bytes.subarray(0, into.length)
}

function decode(bytes: Uint8Array): WireMessage {
  const buffer = Buffer.from(bytes)
  return decodeMessages(buffer, 0, buffer.length, 1)[0] as WireMessage
}

const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small' },
    fc.double(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.string({ unit: 'grapheme' }),
    fc.string({ minLength: 20, maxLength: 400 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.constantFrom(null, undefined, true, false, -0, NaN, -Infinity),
    fc.array(tie('tree'), { maxLength: 20 }),
    fc.dictionary(
      fc.string().filter((key) => key !== '__proto__'),
      tie('tree'),
      { noNullPrototype: true },
    ),
  ),
}))
const message = fc
  .tuple(fc.nat(200), fc.array(tree, { maxLength: 6 }))
  .map(([type, fields]): WireMessage => [type, ...fields])

describe('message-codec', () => {
  it('gives back every message that it takes, -0 and NaN included', () => {
    fc.assert(
      fc.property(message, (sent) => {
        expect(decode(encode(sent))).to.deep.equal(sent)
      }),
    )
  })

  it('writes what another MessagePack library reads, and reads what that writes', () => {
    const packr = new Packr({ useRecords: false })
    const unpackr = new Unpackr({ useRecords: false })
    const sent: WireMessage = [
      7,
      -1,
      200,
      70000,
      2 ** 40,
      1.5,
      -70000,
      'short',
      'ü'.repeat(50),
      'x'.repeat(70000),
      null,
    ]
    expect(unpackr.unpack(encode(sent))).to.deep.equal(sent)
    expect(decode(packr.pack(sent))).to.deep.equal(sent)
    const long: WireMessage = [
      1,
      Array.from({ length: 20 }, (_, i) => i),
      new Uint8Array(70000).fill(3),
      { cpu: 4, name: 'n' },
    ]
    const [type, list, bytes, plain] = unpackr.unpack(encode(long)) as unknown[]
    expect([type, list, new Uint8Array(bytes as Buffer), plain]).to.deep.equal(long)
    expect(decode(packr.pack(long))).to.deep.equal(long)
  })

  it('gives long byte fields as views and short ones as copies', () => {
    const bytes = encode([1, new Uint8Array(10).fill(1), new Uint8Array(1000).fill(2)])
    const [, short, long] = decodeMessages(bytes, 0, bytes.length, 1)[0] as unknown as [number, Uint8Array, Uint8Array]
    expect(long.buffer).to.equal(bytes.buffer)
    expect(short.buffer).to.not.equal(bytes.buffer)
    bytes.fill(9)
    expect(short).to.deep.equal(new Uint8Array(10).fill(1))
    expect(long[0]).to.equal(9)
  })

  for (const [what, value] of [
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a bigint', 1n],
    ['an instance of a class', new Map()],
    [
      'an array inside itself',
      (() => {
        const a: unknown[] = []
        a.push(a)
        return a
      })(),
    ],
  ] as const)
    it(`refuses ${what}, and leaves the frame as it was`, () => {
      const into = { bytes: Buffer.alloc(64), length: 3 }
      expect(() => encodeMessage([1, 'before', value], into)).to.throw(ProtocolError)
      expect(into.length).to.equal(3)
    })

  it('throws ProtocolError, and nothing else, for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) => {
        try {
          expect(decode(bytes)[0]).to.be.a('number')
        } catch (error) {
          expect(error).to.be.instanceOf(ProtocolError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('refuses a truncated message wherever it is cut', () => {
    const bytes = encode([300, 'text', -5, 1.25, new Uint8Array(100), [1, [2]], { a: 1 }, undefined])
    for (let length = 1; length < bytes.length; length++)
      expect(() => decode(bytes.subarray(0, length)), String(length)).to.throw(ProtocolError)
  })

  it('does not allocate for an announced length that did not come', () => {
    for (const code of [0xdd, 0xdf, 0xc6, 0xdb])
      expect(() => decode(Uint8Array.of(0x92, 1, code, 0xff, 0xff, 0xff, 0xff)), code.toString(16)).to.throw(
        ProtocolError,
      )
  })

  it('lets no key reach a prototype', () => {
    const bytes = new Packr({ useRecords: false }).pack([1, new Map([['__proto_x', { polluted: true }]])])
    bytes.write('__proto__', bytes.indexOf('__proto_x'), 'latin1')
    expect(() => decode(bytes)).to.throw(ProtocolError)
    expect(({} as { polluted?: boolean }).polluted).to.equal(undefined)
  })

  it('refuses nesting that could exhaust the stack', () => {
    expect(() => decode(new Uint8Array(100_000).fill(0x91))).to.throw(ProtocolError, /nested/)
  })
})
