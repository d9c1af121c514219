import { expect } from 'chai'
import fc from 'fast-check'
import vm from 'node:vm'
import {
  decodeLent,
  decodeValue,
  encodedBytes,
  encodeValue,
  flatten,
  flattenInto,
  parse,
} from '../../../runtime/objects/value.ts'
import type { RefCodec, RefDescriptor } from '../../../runtime/objects/value.ts'
import { ProtocolError, SerializationError } from '../../../runtime/base/errors.ts'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { difference } from './same-value.ts'

function roundTrip(value: unknown): unknown {
  return decodeValue(parse(flatten(encodeValue(value, 'value'))))
}

function sparse(): unknown {
  const array: unknown[] = [1, , 3]
  array.length = 10
  array[7] = 'x'
  return array
}

function withProperties<T extends object>(target: T, properties: object): T {
  return Object.assign(target, properties)
}

function cycle(): unknown {
  const value: Record<string, unknown> = { list: [], map: new Map(), set: new Set() }
  ;(value['list'] as unknown[]).push(value, value['list'])
  ;(value['map'] as Map<unknown, unknown>).set(value, value['map'])
  ;(value['set'] as Set<unknown>).add(value)
  return value
}

const memory = Uint8Array.from({ length: 64 }, (_, index) => index * 3).buffer
const shared = { x: 1 }

const kinds: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  null: null,
  booleans: [true, false],
  integers: [0, 1, 127, 128, -1, -128, -129, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, 'no packing'],
  doubles: [0.1, -0, NaN, Infinity, -Infinity, 5e-324, 1.7976931348623157e308, 'no packing'],
  'minus zero': -0,
  bigints: [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 63n, -(2n ** 64n), 123n ** 99n],
  strings: ['', 'a', 'é\u00ff', 'ы', '漢字', '😀', 'x'.repeat(63), 'x'.repeat(64), 'é'.repeat(50), 'ы'.repeat(500)],
  'lone surrogates': ['\ud800', 'a\udc00b', '\udfff'.repeat(100)],
  dates: [new Date(0), new Date(NaN), new Date(1.7e12)],
  'regular expressions': [/a\/b[/]\n/giu, new RegExp(''), /(?<x>ы)/sy],
  maps: new Map<unknown, unknown>([
    [1, 'a'],
    [NaN, {}],
    [{}, new Map()],
    [-0, undefined],
  ]),
  sets: new Set<unknown>([1, 'a', {}, undefined, new Set()]),
  'an empty array': [],
  'arrays with holes': [
    [, 1],
    [1, , 2],
    [, ,],
    [1, 2, ,],
  ],
  'a sparse array': sparse(),
  'a very long sparse array': withProperties([], { 4000000000: 'x' }),
  'arrays with properties': [withProperties([1, , 2], { x: 1 }), withProperties([1, 2], { name: 'n', '01': 0 })],
  'a long array with properties': withProperties(
    Array.from({ length: 100 }, (_, index) => index),
    { x: -0 },
  ),
  'a long array with holes': [...Array.from({ length: 100 }, String), , 'end'],
  'a long array of undefined': new Array(100).fill(undefined),
  'boxed primitives': [Object(1), Object(-0), Object('ab'), Object(true), Object(10n)],
  'an empty object': {},
  'nested objects': { a: { b: [{ c: 1 }, { c: 2 }, { d: undefined }] }, '': 1, ы: 2, 'a b': 3, constructor: 4, 7: 8 },
  'an object without a prototype': Object.assign(Object.create(null), { a: 1, toString: 2 }),
  'an own __proto__': JSON.parse('{"__proto__":{"x":1},"a":{"__proto__":null}}'),
  'an object with many keys': Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`key ${index}`, index])),
  'records of several shapes': Array.from({ length: 60 }, (_, index) => ({ id: index, [`k${index % 7}`]: index / 2 })),
  'objects with more shapes than are kept': Array.from({ length: 3000 }, (_, index) => ({ [`k${index}`]: 1, id: 2 })),
  'shapes that begin alike': Array.from({ length: 60 }, (_, index) => ({ id: 1, [`k${index % 25}`]: 2 })),
  'an ArrayBuffer': memory.slice(0),
  'an empty ArrayBuffer': [new ArrayBuffer(0), new Uint8Array(0), Buffer.alloc(0)],
  'typed arrays': [
    Int8Array.of(-1, 2),
    Uint8Array.of(255, 0),
    Uint8ClampedArray.of(255),
    Int16Array.of(-300),
    Uint16Array.of(65535),
    Int32Array.of(-(2 ** 31)),
    Uint32Array.of(2 ** 32 - 1),
    Float32Array.of(0.5, -0),
    Float64Array.of(0.1, NaN, -0),
    BigInt64Array.of(-1n),
    BigUint64Array.of(2n ** 64n - 1n),
    new DataView(memory, 3, 5),
  ],
  'views over one ArrayBuffer': [
    new Uint8Array(memory, 1, 9),
    new Float64Array(memory, 16, 2),
    new DataView(memory, 7),
  ],
  'a view and its ArrayBuffer': { view: new Uint16Array(memory, 4, 3), memory },
  buffers: [Buffer.from('pooled'), Buffer.from('another'), Buffer.alloc(9000, 7)],
  'a large buffer': { b: Buffer.alloc(100_000, 3), u: new Float64Array(20_000).fill(0.1) },
  'views over one large ArrayBuffer': ((large) => [large.subarray(8, 80_000), large.subarray(16, 90_000)])(
    new Uint8Array(100_000).fill(9),
  ),
  urls: [new URL('https://user@host.example:81/p?q=1#h'), new URLSearchParams('a=1&a=2&b=%20')],
  'packed integers': Array.from({ length: 50 }, (_, index) => index - 25),
  'packed doubles': [...Array.from({ length: 50 }, (_, index) => index / 3), -0, NaN, 2 ** 40],
  'integers with minus zero': [...Array.from({ length: 50 }, (_, index) => index), -0],
  'large packed arrays': [Array.from({ length: 30_000 }, (_, index) => index), new Array(20_000).fill(0.5)],
  'shared objects': { a: shared, b: [shared, shared], c: ((array) => [array, array])(new Array(20).fill(1)) },
  cycles: cycle(),
  'many objects, two of them shared': ((list) => [...list, list[3], list[40]])(
    Array.from({ length: 50 }, (_, index) => ({ index })),
  ),
}

describe('encodeValue and decodeValue', () => {
  for (const [name, value] of Object.entries(kinds))
    it(`keep ${name}`, () => {
      expect(difference(value, roundTrip(value))).to.equal(undefined)
      expect(difference({ in: [value, value] }, roundTrip({ in: [value, value] }))).to.equal(undefined)
    })

  it('keep what structuredClone keeps, as generated values show', () => {
    const key = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('__proto__', 'constructor', 'a', 'b', '0'))
    const extras = fc.constantFrom<unknown>(-0, NaN, undefined, '\ud800', shared, memory, 2n ** 70n)
    const value = fc.oneof(
      fc.anything({
        key,
        withBigInt: true,
        withDate: true,
        withMap: true,
        withSet: true,
        withTypedArray: true,
        withSparseArray: true,
        withBoxedValues: true,
        withNullPrototype: true,
        maxDepth: 4,
        values: [fc.integer(), fc.double(), fc.boolean(), fc.string({ unit: 'binary' }), extras],
      }),
      fc.array(fc.oneof(fc.integer(), fc.double()), { maxLength: 80 }),
      fc.array(fc.record({ id: fc.nat(), name: fc.string(), more: extras }, { requiredKeys: ['id'] })),
    )
    fc.assert(
      fc.property(value, (generated) => {
        const found = difference(generated, roundTrip(generated))
        if (found !== undefined) throw new Error(found)
      }),
      { numRuns: 500 },
    )
  })

  it('take the values of getters and drop symbol keys, as structuredClone does', () => {
    const value = {
      get a() {
        return [1]
      },
      [Symbol('s')]: 1,
    }
    expect(difference(structuredClone(value), roundTrip(value))).to.equal(undefined)
  })

  it('keep resizable ArrayBuffers resizable', function () {
    const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer
    const value = new Resizable(8, { maxByteLength: 64 })
    const decoded = roundTrip({ value }) as { value: { resizable: boolean; maxByteLength: number } }
    expect(decoded.value).to.include({ resizable: true, maxByteLength: 64 })
  })

  it('take plain data and built-in classes of another realm', () => {
    const foreign: unknown = vm.runInNewContext(
      '({ list: [1, [2]], map: new Map([[1, { a: 2 }]]), date: new Date(5), error: new TypeError("no"), u: Uint8Array.of(1) })',
    )
    const decoded = roundTrip(foreign) as Record<string, unknown>
    expect(decoded['list']).to.deep.equal([1, [2]])
    expect(decoded['map']).to.deep.equal(new Map([[1, { a: 2 }]]))
    expect(decoded['date']).to.deep.equal(new Date(5))
    expect(decoded['error']).to.be.instanceOf(TypeError).and.have.property('message', 'no')
    expect(decoded['u']).to.deep.equal(Uint8Array.of(1))
  })

  it('send only the span that is used of a large ArrayBuffer', () => {
    const large = new Uint8Array(1_000_000)
    expect(encodedBytes(encodeValue({ small: large.subarray(500_000, 500_010) }, 'value'))).to.be.below(200)
  })

  it('send nothing else of the pool in which small Buffers lie', () => {
    const secret = Buffer.from('the secret of a neighbour')
    const [first, second] = [Buffer.from('first'), Buffer.from('second')]
    const { inband } = encodeValue([first, second], 'value')
    expect(Buffer.from(inband).includes(secret)).to.equal(false)
    expect(inband.length).to.be.below(80)
  })

  it('hand large buffers out uncopied, and take over those that have their memory to themselves', () => {
    const large = new Float64Array(10_000).fill(2)
    const encoded = encodeValue({ large }, 'value')
    expect(encoded.buffers).to.have.length(1)
    expect(encoded.buffers[0]?.buffer).to.equal(large.buffer)
    expect((decodeValue(encoded) as { large: Float64Array }).large.buffer).to.equal(large.buffer)
  })

  it('give memory of its own to what was part of a larger one', () => {
    const flat = flatten(encodeValue(new Float64Array(10_000).fill(2), 'value'))
    const decoded = decodeValue(parse(flat)) as Float64Array
    expect(decoded.buffer.byteLength).to.equal(80_000)
    expect(decoded.buffer).not.to.equal(flat.buffer)
  })

  it('keep the keys of prototypes out of reach', () => {
    const decoded = roundTrip(JSON.parse('{"__proto__":{"polluted":1}}')) as object
    expect(Object.getPrototypeOf(decoded)).to.equal(Object.prototype)
    expect(Object.hasOwn(decoded, '__proto__')).to.equal(true)
    expect(({} as { polluted?: number }).polluted).to.equal(undefined)
  })

  it('serve a getter that serialises another value in the middle of one', () => {
    const value = {
      before: 'b',
      get inner() {
        return encodeValue({ x: [1, 2] }, 'inner').inband.length
      },
      after: [3],
    }
    const expected = encodeValue({ x: [1, 2] }, 'inner').inband.length
    expect(roundTrip(value)).to.deep.equal({ before: 'b', inner: expected, after: [3] })
  })

  it('write values that outgrow the slab, and small ones after them', () => {
    const list = Array.from({ length: 20_000 }, (_, index) => `item ${index}`)
    const encoded = [encodeValue('a', 'value'), encodeValue(list, 'value'), encodeValue('b', 'value')]
    expect(encoded.map((each) => decodeValue(each))).to.deep.equal(['a', list, 'b'])
  })

  it('carry deep lists, and refuse endless ones by name', () => {
    const listOf = (depth: number): unknown => {
      let list: unknown = null
      for (let left = depth; left > 0; left--) list = { next: list }
      return list
    }
    expect(flatten(encodeValue(roundTrip(listOf(1500)), 'value'))).to.deep.equal(
      flatten(encodeValue(listOf(1500), 'value')),
    )
    expect(() => encodeValue(listOf(100_000), 'value')).to.throw(
      SerializationError,
      /^value(\.next){20} \.\.\. .*nested/,
    )
  })
})

class FakeRef {
  readonly number: number
  constructor(number: number) {
    this.number = number
  }
}
const owner = '00112233445566ff' as ProcessId
const codec: RefCodec = {
  isRef: (value) => value instanceof FakeRef,
  describe: (ref) => ({ owner, number: (ref as FakeRef).number, address: { node: owner, process: owner } }),
  revive: ({ number }) => new FakeRef(number),
}

describe('object refs in values', () => {
  it('are listed in the order of the walk, and keep their identity', () => {
    const [first, second] = [new FakeRef(2 ** 47 + 1), new FakeRef(7)]
    const encoded = parse(flatten(encodeValue({ a: [first, second], b: first }, 'value', codec)))
    const address = { node: owner, process: owner }
    const expected: RefDescriptor[] = [
      { owner, number: 2 ** 47 + 1, address },
      { owner, number: 7, address },
    ]
    expect(encoded.refs).to.deep.equal(expected)
    const decoded = decodeValue(encoded, codec) as { a: FakeRef[]; b: FakeRef }
    expect(decoded.a.map((ref) => ref.number)).to.deep.equal([2 ** 47 + 1, 7])
    expect(decoded.b).to.equal(decoded.a[0]).and.be.instanceOf(FakeRef)
  })

  it('are refused where nothing knows them', () => {
    const encoded = encodeValue(new FakeRef(1), 'value', codec)
    expect(() => decodeValue(encoded)).to.throw(SerializationError, 'ObjectRef')
  })
})

describe('flatten and parse', () => {
  const value = {
    text: 'ы',
    a: new Float64Array(9000),
    b: new Uint8Array(70_001).fill(5),
    list: new Array(20_000).fill(1),
  }

  it('give back the same parts, of the size that was said', () => {
    const encoded = encodeValue(value, 'value')
    const flat = flatten(encoded)
    expect(flat.length).to.equal(encodedBytes(encoded))
    const parsed = parse(flat)
    expect(Buffer.compare(parsed.inband, encoded.inband)).to.equal(0)
    expect(
      parsed.buffers.map((buffer) => Buffer.compare(buffer, encoded.buffers[parsed.buffers.indexOf(buffer)]!)),
    ).to.deep.equal([0, 0, 0])
  })

  it('put buffers on whole pages, where asked to', () => {
    const encoded = encodeValue(value, 'value')
    const target = new Uint8Array(encodedBytes(encoded, 4096)).fill(1)
    expect(flattenInto(encoded, target, 4096)).to.equal(target.length)
    const parsed = parse(target)
    expect(parsed.buffers.map((buffer) => (buffer.byteOffset - target.byteOffset) % 4096)).to.deep.equal([0, 0, 0])
    expect(difference(value, decodeValue(parsed))).to.equal(undefined)
  })

  it('do not copy', () => {
    const flat = flatten(encodeValue(value, 'value'))
    for (const part of [parse(flat).inband, ...parse(flat).buffers]) expect(part.buffer).to.equal(flat.buffer)
  })
})

describe('decodeLent', () => {
  const lentOf = (value: unknown): unknown => decodeLent(parse(flatten(encodeValue(value, 'value'))))
  const words = [Int32Array.from({ length: 20_000 }, (_, i) => i - 7), new Float64Array(9_000).fill(-0)]

  it('gives many numbers as a view of the bytes that they are in', () => {
    for (const numbers of words) {
      const flat = flatten(encodeValue({ numbers }, 'value'))
      const lent = decodeLent(parse(flat)) as { numbers: typeof numbers }
      expect(Object.keys(lent)).to.deep.equal(['numbers'])
      expect(difference(numbers, lent.numbers)).to.equal(undefined)
      expect(lent.numbers.buffer).to.equal(flat.buffer)
      expect(difference(numbers, lentOf(numbers))).to.equal(undefined)
    }
    const part = new Float64Array(20_000).fill(3).subarray(5_000, 15_000)
    expect(difference(part.slice(), lentOf(part))).to.equal(undefined)
  })

  it('gives nothing of any other value', () => {
    const [integers, doubles] = words
    const others = [
      ...[{ numbers: integers, more: 1 }, { numbers: [doubles] }, { values: doubles }, { a: integers, b: doubles }],
      ...[[doubles], new Float32Array(40_000), new Uint8Array(80_000), new ArrayBuffer(80_000), { numbers: 5 }],
      ...[
        { numbers: Array.from<number>(doubles as Float64Array) },
        { values: Array.from<number>(doubles as Float64Array) },
      ],
      ...[
        Object.assign(Object.create(null), { other: doubles }) as unknown,
        new Float64Array(4),
        Array.from<number>(doubles as Float64Array),
      ],
    ]
    for (const value of others) expect(lentOf(value)).to.equal(undefined)
  })

  it('gives no view of what lies beside its bytes', () => {
    const encoded = encodeValue(new Float64Array(9_000), 'value')
    const memory = new Uint8Array(200_000)
    memory.set(encoded.buffers[0] as Uint8Array, 80_000)
    const buffers = [memory.subarray(80_000, 80_000 + 72_000)]
    expect(decodeLent({ ...encoded, buffers })).to.be.instanceOf(Float64Array)
    for (let at = 0; at < encoded.inband.length; at++)
      for (const byte of [0, 1, 8, 63, 127, 200, 255]) {
        const inband = encoded.inband.with(at, byte)
        const lent = decodeLent({ ...encoded, inband, buffers }) as Float64Array | undefined
        if (lent === undefined) continue
        expect(lent.byteOffset).to.be.at.least(80_000)
        expect(lent.byteOffset + lent.byteLength).to.be.at.most(152_000)
      }
  })
})

describe('malformed bytes', () => {
  const corpus = Object.values(kinds).map((value) => flatten(encodeValue(value, 'value')))
  for (const error of [new Error('x', { cause: new TypeError('y') }), new AggregateError([new RangeError('z')], 'm')])
    corpus.push(flatten(encodeValue(error, 'value')))

  function decodes(bytes: Uint8Array): void {
    try {
      decodeValue(parse(bytes))
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error
    }
  }

  it('are a ProtocolError or a value, wherever they are cut off', () => {
    for (const bytes of corpus.filter((each) => each.length < 5000))
      for (let end = 0; end < bytes.length; end += 1 + (bytes.length >> 8))
        expect(() => decodeValue(parse(bytes.subarray(0, end)))).to.throw(ProtocolError)
  })

  it('are a ProtocolError or a value, whatever byte is changed', () => {
    const small = corpus.filter((each) => each.length < 5000)
    const change = fc.tuple(
      fc.nat(small.length - 1),
      fc.array(fc.tuple(fc.nat(5000), fc.nat(255)), { minLength: 1, maxLength: 4 }),
    )
    fc.assert(
      fc.property(change, ([which, changes]) => {
        const bytes = Uint8Array.from(small[which] as Uint8Array)
        for (const [at, to] of changes) bytes[16 + (at % Math.max(1, bytes.length - 16))] = to
        decodes(bytes)
      }),
      { numRuns: 3000 },
    )
  })

  it('are a ProtocolError or a value, when they are anything', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (inband) => {
        decodes(flatten({ inband, buffers: [], refs: [] }))
        decodes(inband)
      }),
      { numRuns: 3000 },
    )
  })

  const lies: Readonly<Record<string, readonly number[]>> = {
    'an array of 2^40 items': [0xd0, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20],
    'a string of 2^30 characters': [0xc7, 0x80, 0x80, 0x80, 0x80, 4],
    'a map of 2^30 entries': [0xd4, 0x80, 0x80, 0x80, 0x80, 4],
    'a back reference to nothing': [0xcb, 3],
    'an unknown tag': [0xff],
    'bytes left over': [0xc1, 0xc1],
    'no bytes': [],
    'a ref that is not listed': [0xde, 0],
    'a buffer that is not there': [0xda, 1, 0, 0, 1],
    'a regular expression that is none': [0xd7, 0x81, 0x28, 0x80],
    'an endless number': [0xd0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    'a very deep list': new Array<number>(100_000).fill(0xd0).flatMap((byte) => [byte, 1]),
  }
  for (const [name, bytes] of Object.entries(lies))
    it(`are refused: ${name}`, () => {
      const encoded = { inband: Uint8Array.from(bytes), buffers: [], refs: [] }
      expect(() => decodeValue(encoded)).to.throw(ProtocolError, 'malformed value')
    })

  it('that announce a long sparse array take no memory for its holes', () => {
    const inband = Uint8Array.from([0xd1, 0x80, 0x80, 0x80, 0x0c, 0])
    const before = process.memoryUsage().heapUsed
    const decoded = decodeValue({ inband, buffers: [], refs: [] }) as unknown[]
    expect(decoded.length).to.equal(12 * 2 ** 21)
    expect(process.memoryUsage().heapUsed - before).to.be.below(50 * 2 ** 20)
  })

  it('are refused where a buffer is missing, is too many or has another length', () => {
    const encoded = encodeValue({ large: new Uint8Array(70_000) }, 'value')
    for (const buffers of [[], [...encoded.buffers, new Uint8Array(1)], [new Uint8Array(69_999)]])
      expect(() => decodeValue({ ...encoded, buffers })).to.throw(ProtocolError)
    const plain = encodeValue({ a: 1 }, 'value')
    expect(() => decodeValue({ ...plain, buffers: encoded.buffers })).to.throw(ProtocolError)
  })
})
