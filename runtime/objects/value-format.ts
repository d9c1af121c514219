/**
 * The envelope of a value, and its wire format.
 *
 * In-band bytes are one walk over the value: a tag, then a payload. Tags below `shortString` are the integers 0..127
 * themselves, tags from `shortString` to `undefined` are one-byte strings of up to 63 characters. Everything that has
 * an identity is numbered in the order in which the walk meets it, so that cycles and shared objects are a `back`
 * number. A value that uses ArrayBuffers is preceded by the tag `tables` and followed by the table of its buffers:
 *
 *     tables | value | table of buffers | u32 length of that table
 *
 * Why not `v8.serialize` or msgpackr: the first differs between versions of Node and drops the properties of errors,
 * the second changes -0, holes, lone surrogates, identities and `__proto__`; both need a check walk before, which
 * costs as much as writing the bytes.
 */
import type { ObjectNumber, ProcessAddress, ProcessId } from '../base/ids.ts'
import type { CodeCodec } from '../protocol/code-values.ts'

/** An `ObjectRef` as it travels: which object, and where its owner is reached. */
export interface RefDescriptor {
  readonly owner: ProcessId
  readonly number: ObjectNumber
  readonly address: ProcessAddress
}

/** A serialised value. Immutable: in-band bytes may be shared between messages. */
export interface EncodedValue {
  readonly inband: Uint8Array
  /** Large buffers, uncopied: they change with the memory of the caller until they are written somewhere. */
  readonly buffers: readonly Uint8Array[]
  /** Every `ObjectRef` that the value contains, in the order of the walk. */
  readonly refs: readonly RefDescriptor[]
}

/** How the class of object refs, which lives above this folder, takes part. */
export interface RefCodec {
  isRef(value: object): boolean
  describe(ref: object): RefDescriptor
  revive(descriptor: RefDescriptor): object
  /** How functions, classes and their instances take part; without it they are refused. */
  readonly code?: CodeCodec
  /** The same for who must not see that it is elsewhere: nothing goes by a name whose value may be another one there. */
  readonly exact?: RefCodec
}

/** Buffers of at least this many bytes travel out of band, uncopied. */
export const outOfBandBytes: number = 64 * 1024

/** Values nested deeper are refused, or before that where the stack ends; `structuredClone` stops at about 1,900. */
export const maxDepth: number = 2000

/** Arrays of at least this many numbers travel packed. */
export const packedLength: number = 16

export const tag = {
  shortString: 0x80,
  undefined: 0xc0,
  null: 0xc1,
  false: 0xc2,
  true: 0xc3,
  int8: 0xc4,
  int32: 0xc5,
  double: 0xc6,
  string: 0xc7,
  wideString: 0xc8,
  bigint64: 0xc9,
  bigint: 0xca,
  back: 0xcb,
  /** An object whose list of keys is written before its values, and numbered for the ones that follow. */
  newShape: 0xcc,
  shape: 0xcd,
  object: 0xce,
  nullObject: 0xcf,
  array: 0xd0,
  sparseArray: 0xd1,
  packedInt32: 0xd2,
  packedDouble: 0xd3,
  map: 0xd4,
  set: 0xd5,
  date: 0xd6,
  regexp: 0xd7,
  boxed: 0xd8,
  arrayBuffer: 0xd9,
  view: 0xda,
  error: 0xdb,
  url: 0xdc,
  urlSearchParams: 0xdd,
  ref: 0xde,
  /** Only in errors that are on their way to a caller: the text that stands for what could not travel. */
  refused: 0xdf,
  /** Only as the whole value: a small `Uint8Array` or `Buffer`, to the end of the bytes. */
  bytes: 0xe0,
  buffer: 0xe1,
  tables: 0xe2,
  /** A symbol that every process has: of `Symbol.for`, or one of the language's own. */
  symbol: 0xe3,
  /** A function, a class, or an object of one: `runtime/code` knows what follows. */
  code: 0xe4,
} as const

/** Classes of views by the number that stands for them; a class that this Node lacks leaves its number unused. */
export const viewKinds: readonly string[] = [
  'Buffer',
  'Uint8Array',
  'Int8Array',
  'Uint8ClampedArray',
  'Uint16Array',
  'Int16Array',
  'Uint32Array',
  'Int32Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'DataView',
  'Float16Array',
]

export const emptyBuffers: readonly Uint8Array[] = Object.freeze([])
export const emptyRefs: readonly RefDescriptor[] = Object.freeze([])
