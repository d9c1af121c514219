/** A value for every tag of the format of values, with what is written in more than one way in each of them. */
import type { NodeId, ProcessId } from '../../../../runtime/base/ids.ts'
import { outOfBandBytes, viewKinds } from '../../../../runtime/objects/value-format.ts'
import type { RefCodec, RefDescriptor, tag } from '../../../../runtime/objects/value-format.ts'

class Ref {
  readonly descriptor: RefDescriptor
  constructor(descriptor: RefDescriptor) {
    this.descriptor = descriptor
  }
}

export const refCodec: RefCodec = {
  isRef: (value) => value instanceof Ref,
  describe: (ref) => (ref as Ref).descriptor,
  revive: (descriptor) => new Ref(descriptor),
}

const [owner, node] = ['fedcba9876543210' as ProcessId, '0123456789abcdef' as NodeId]
const ref = new Ref({ owner, number: 2 ** 40 + 1, address: { node, process: owner } })
const numbers = (length: number, step: number): number[] => Array.from({ length }, (_, i) => i * step)
const memory = Uint8Array.from({ length: 32 }, (_, i) => i).buffer

/** An error with a stack that is the same everywhere. */
function errorOf(error: Error, properties: object = {}): Error {
  error.stack = `${error.name}: ${error.message}\n    at somewhere`
  return Object.assign(error, properties)
}

function cycle(): object {
  const own: { self?: object } = {}
  own.self = own
  return own
}

/** One of each class of views that every supported Node has, over one memory. */
function views(): unknown[] {
  const globals = globalThis as unknown as Readonly<
    Record<string, new (of: ArrayBuffer, at: number, n: number) => object>
  >
  const kinds = viewKinds.filter((kind) => kind !== 'Buffer' && kind !== 'Float16Array')
  return [
    Buffer.from(memory, 3, 2),
    ...kinds.map((kind) => new (globals[kind] as (typeof globals)[string])(memory, 8, 2)),
  ]
}

function many(count: number): Record<string, number> {
  return Object.fromEntries(numbers(count, 1).map((i) => [`key${i}`, i]))
}

const sparse = Object.assign([1, , 3], { name: 'x' })

/** Without those whose bytes hold a text for people, and those of functions. */
export const values: Readonly<Record<Exclude<keyof typeof tag, 'refused' | 'code'>, unknown>> = {
  shortString: 'short, é',
  undefined,
  null: null,
  false: false,
  true: true,
  int8: [0, 127, -1, -128],
  int32: [128, -129, 2 ** 31 - 1, -(2 ** 31)],
  double: [-0, 0.5, Number.NaN, Number.NEGATIVE_INFINITY, 2 ** 53],
  string: 'x'.repeat(64),
  wideString: ['ы'.repeat(64), '\ud800'],
  bigint64: [0n, -1n, 2n ** 63n - 1n],
  bigint: [2n ** 64n, -(2n ** 200n)],
  back: [cycle(), ref, ref],
  newShape: { a: 1, b: [2] },
  shape: [{ a: 1 }, { a: 2 }, { b: 3 }, { a: 4 }],
  object: [{}, many(41)],
  nullObject: Object.assign(Object.create(null) as object, { a: 1 }),
  array: [1, 'two', [3]],
  sparseArray: sparse,
  packedInt32: numbers(16, 1),
  packedDouble: [numbers(16, 0.5), numbers(outOfBandBytes / 8, 0.5)],
  map: new Map<unknown, unknown>([[1, { a: 'b' }]]),
  set: new Set<unknown>([1, {}]),
  date: [new Date(1_700_000_000_000), new Date(Number.NaN)],
  regexp: /a+(?<b>c)/giu,
  boxed: [Object(1), Object('s'), Object(true), Object(5n)],
  arrayBuffer: [new ArrayBuffer(3), memory],
  view: views(),
  error: [
    errorOf(new TypeError('wrong', { cause: errorOf(new Error('why')) }), { code: 'E_WRONG' }),
    errorOf(new AggregateError([1], 'several')),
  ],
  url: new URL('https://a.example/b?c=d'),
  urlSearchParams: new URLSearchParams('a=b'),
  ref: [ref],
  bytes: Uint8Array.of(1, 2, 3),
  buffer: Buffer.of(1, 2, 3),
  tables: { small: new Uint8Array(3), large: new Uint8Array(outOfBandBytes).fill(7) },
  symbol: [Symbol.for('name'), Symbol.iterator],
}
