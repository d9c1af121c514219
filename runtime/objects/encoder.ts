/** The walk over a value that writes it: checks and writes at once. The format is described in `value-format.ts`. */
import { types } from 'node:util'
import { OutpoolError, SerializationError } from '../base/errors.ts'
import type { CodeCodec, PartWriter } from '../protocol/code-values.ts'
import { ByteWriter } from './byte-writer.ts'
import { writeBigInt, writeNumber } from './encode-numbers.ts'
import { IdentityTable, ShapeTable } from './encode-tables.ts'
import { lossOf } from './lossless.ts'
import { isDense, packNumbers } from './packed-numbers.ts'
import { isDetached, isForeign, writeBuiltIn, writeError, type Walk } from './encode-kinds.ts'
import { BufferCollector } from './value-buffers.ts'
import { classTravels, isError } from './value-errors.ts'
import {
  emptyBuffers,
  emptyRefs,
  maxDepth,
  outOfBandBytes,
  packedLength,
  tag,
  type EncodedValue,
  type RefCodec,
  type RefDescriptor,
} from './value-format.ts'
import { formatPath, functionReason, objectReason, symbolName, symbolReason } from './value-refusal.ts'

type Plain = Readonly<Record<string, unknown>>

/**
 * `data`: as it is, so far as data goes. `exact`: what a copy lacks cannot travel either (`lossless.ts`). `lenient`: what
 * cannot travel is replaced by a text that says so.
 */
export type Care = 'data' | 'exact' | 'lenient'

/**
 * The value, walked.
 * @throws SerializationError where something in the value cannot travel.
 */
export function encodeWalking(value: unknown, path: string, refs: RefCodec | undefined, care: Care): EncodedValue {
  const encoder = idle ?? new Encoder()
  idle = undefined
  try {
    return encoder.encode(value, path, refs, care)
  } finally {
    encoder.reset()
    idle = encoder
  }
}

/** One encoder is kept; a getter that serialises something while it is in use gets another. */
let idle: Encoder | undefined

class Encoder implements Walk {
  readonly writer: ByteWriter = new ByteWriter()
  readonly #identities = new IdentityTable()
  readonly #shapes = new ShapeTable()
  #buffers: BufferCollector | undefined
  #found: RefDescriptor[] | undefined
  #refs: RefCodec | undefined
  #care: Care = 'data'
  #root = ''
  /** The keys from the root to where the walk is. */
  readonly #path: (string | number)[] = []

  encode(value: unknown, path: string, refs: RefCodec | undefined, care: Care): EncodedValue {
    this.#root = path
    this.#refs = refs
    this.#care = care
    this.writer.begin()
    try {
      if (!this.#wholeBytes(value)) this.write(value)
    } catch (error) {
      this.writer.rollback()
      throw this.#refusalOf(error)
    }
    if (this.#buffers !== undefined) return this.#withTable(this.#buffers)
    return { inband: this.writer.finish(), buffers: emptyBuffers, refs: this.#found ?? emptyRefs }
  }

  reset(): void {
    this.#identities.clear()
    this.#shapes.clear()
    this.#buffers = undefined
    this.#found = undefined
    this.#refs = undefined
    this.#path.length = 0
  }

  get #isLenient(): boolean {
    return this.#care === 'lenient'
  }

  get buffers(): BufferCollector {
    return (this.#buffers ??= new BufferCollector())
  }

  write(value: unknown): void {
    const { writer } = this
    switch (typeof value) {
      case 'string':
        if (value.length >= 64 || !writer.shortString(value, tag.shortString))
          writer.longString(value, tag.string, tag.wideString)
        return
      case 'number':
        return writeNumber(writer, value)
      case 'object':
        return value === null ? writer.byte(tag.null) : this.#object(value)
      case 'undefined':
        return writer.byte(tag.undefined)
      case 'boolean':
        return writer.byte(value ? tag.true : tag.false)
      case 'bigint':
        return writeBigInt(writer, value)
      case 'function':
        return this.#function(value)
      default:
        return this.#symbol(value as symbol)
    }
  }

  /** Writes a value that is found under `key`, which goes into the path of a refusal. */
  writeAt(key: string | number, value: unknown): void {
    const type = typeof value
    if (value === null || (type !== 'object' && type !== 'function' && type !== 'symbol')) return this.write(value)
    const path = this.#path
    if (path.push(key) > maxDepth) throw this.#refusal(`nested more than ${maxDepth} levels deep; send a flatter value`)
    if (type === 'object') this.#object(value as object)
    else this.write(value)
    path.pop()
  }

  /** Reads a property, whose getter may throw. */
  read(source: object, key: string): unknown {
    try {
      return (source as Plain)[key]
    } catch (error) {
      if (this.#isLenient) return '[a getter that throws]'
      this.#path.push(key)
      throw this.#refusal('a getter that throws', { cause: error })
    }
  }

  #object(value: object): void {
    if (this.#identities.writeBack(this.writer, value)) return
    if (types.isProxy(value)) return this.refuse(value)
    const loss = this.#care === 'exact' ? lossOf(value) : undefined
    if (loss !== undefined) throw this.#refusal(loss)
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype === Object.prototype) return this.#plain(value as Plain)
    if (Array.isArray(value) && prototype === Array.prototype) return this.#array(value)
    if (prototype === null) {
      if (types.isModuleNamespaceObject(value)) {
        if (!this.#code((codec, writer) => codec.writeObject(value, writer))) this.refuse(value)
        return
      }
      return this.#keyed(value as Plain, Object.keys(value), tag.nullObject)
    }
    if (this.#refs?.isRef(value) === true) return this.#ref(value, this.#refs)
    if (writeBuiltIn(this, value, prototype as object)) return
    if (isError(value)) return this.#error(value)
    if (isForeign(prototype as object)) {
      if (Array.isArray(value)) return this.#array(value)
      if (Object.getPrototypeOf(prototype) === null) return this.#plain(value as Plain)
    }
    if (!this.#code((codec, writer) => codec.writeObject(value, writer))) this.refuse(value)
  }

  /** With its class, where that can travel; else as what is known of it. */
  #error(value: object): void {
    const refs = this.#isLenient || this.#refs?.code === undefined ? undefined : this.#refs
    const travels = refs !== undefined && classTravels(value, (bare) => void encodeWalking(bare, 'error', refs, 'data'))
    if (!travels || !this.#code((codec, writer) => codec.writeObject(value, writer))) writeError(this, value)
  }

  #function(value: Function): void {
    if (this.#refs?.code === undefined || this.#isLenient)
      return this.#refusePrimitive(functionReason(value as () => unknown))
    if (this.#identities.writeBack(this.writer, value)) return
    this.#code((codec, writer) => {
      codec.writeFunction(value, writer)
      return true
    })
  }

  #symbol(value: symbol): void {
    const name = symbolName(value)
    if (name === undefined) return this.#refusePrimitive(symbolReason(value))
    this.writer.byte(tag.symbol)
    this.write(name)
  }

  /** Lets the code codec write; false where there is none, or it wrote nothing. */
  #code(write: (codec: CodeCodec, writer: PartWriter) => boolean): boolean {
    const codec = this.#refs?.code
    if (codec === undefined || this.#isLenient) return false
    const { writer } = this
    writer.byte(tag.code)
    const written = write(codec, {
      count: (count) => writer.varint(count),
      text: (text) => this.write(text),
      value: (key, part) => this.#part(key, part),
      refuse: (reason) => {
        throw this.#refusal(reason)
      },
    })
    if (!written) writer.unwrite(1)
    return written
  }

  #part(key: string | number, value: unknown): void {
    this.#path.push(key)
    if (this.#path.length > maxDepth)
      throw this.#refusal(`nested more than ${maxDepth} levels deep; send a flatter value`)
    if (typeof value === 'object' && value !== null) this.#object(value)
    else this.write(value)
    this.#path.pop()
  }

  #plain(value: Plain): void {
    // Of what a function captures nothing is left out in silence.
    if (this.#refs?.code?.isMore(value) === true) {
      if (!this.#code((codec, writer) => codec.writeObject(value, writer))) this.refuse(value)
      return
    }
    const keys = Object.keys(value)
    const known = this.#shapes.find(keys)
    if (known === undefined) return this.#keyed(value, keys, tag.object)
    const { writer } = this
    if (known >= 0) {
      writer.byte(tag.shape)
      writer.varint(known)
    } else {
      writer.byte(tag.newShape)
      writer.varint(keys.length)
      for (const key of keys) this.write(key)
    }
    for (let i = 0; i < keys.length; i++) {
      const key = keys[i] as string
      this.writeAt(key, this.read(value, key))
    }
  }

  #keyed(value: Plain, keys: readonly string[], tagByte: number): void {
    this.writer.byte(tagByte)
    this.writer.varint(keys.length)
    for (const key of keys) {
      this.write(key)
      this.writeAt(key, this.read(value, key))
    }
  }

  #array(value: readonly unknown[]): void {
    const { writer } = this
    const { length } = value
    if (!isDense(value)) return this.#sparse(value)
    if (length >= packedLength && typeof value[0] === 'number' && this.#packed(value)) return
    writer.byte(tag.array)
    writer.varint(length)
    for (let i = 0; i < length; i++) this.writeAt(i, value[i])
  }

  #packed(value: readonly unknown[]): boolean {
    const packed = packNumbers(value)
    if (packed === undefined) return false
    const { writer } = this
    const { bytes } = packed
    writer.byte(packed.integers ? tag.packedInt32 : tag.packedDouble)
    if (bytes.length >= outOfBandBytes) {
      writer.varint(this.buffers.useAlone(bytes.buffer as ArrayBuffer, 0, bytes.length) + 1)
    } else {
      writer.varint(0)
      writer.varint(bytes.length)
      writer.raw(bytes)
    }
    return true
  }

  /** Holes, and properties beside the items: the length, then every own key with its value. */
  #sparse(value: readonly unknown[]): void {
    const keys = Object.keys(value)
    this.writer.byte(tag.sparseArray)
    this.writer.varint(value.length)
    this.writer.varint(keys.length)
    for (const key of keys) {
      const index = Number(key)
      const at = index < value.length && String(index) === key ? index : key
      this.write(at)
      this.writeAt(at, this.read(value, key))
    }
  }

  #ref(value: object, refs: RefCodec): void {
    this.#found ??= []
    this.writer.byte(tag.ref)
    this.writer.varint(this.#found.push(refs.describe(value)) - 1)
  }

  /** The commonest whole values that hold bytes: they need no table, nothing else can share their memory. */
  #wholeBytes(value: unknown): boolean {
    if (!types.isUint8Array(value) || value.length >= outOfBandBytes) return false
    const prototype: unknown = Object.getPrototypeOf(value)
    const isBuffer = prototype === Buffer.prototype
    if (!isBuffer && prototype !== Uint8Array.prototype) return false
    if (types.isSharedArrayBuffer(value.buffer) || (value.length === 0 && isDetached(value.buffer))) return false
    if (this.#care === 'exact' && lossOf(value) !== undefined) return false
    this.writer.byte(isBuffer ? tag.buffer : tag.bytes)
    this.writer.raw(value)
    return true
  }

  #withTable(buffers: BufferCollector): EncodedValue {
    const outOfBand = buffers.write(this.writer)
    return { inband: this.writer.finish(tag.tables), buffers: outOfBand, refs: this.#found ?? emptyRefs }
  }

  /** Refuses an object that has its number already; in an error under way a text takes its place. */
  refuse(value: object): void {
    const reason = objectReason(value, this.#root)
    if (!this.#isLenient) throw this.#refusal(reason)
    this.writer.byte(tag.refused)
    this.write(`[${reason}]`)
  }

  #refusePrimitive(reason: string): void {
    if (!this.#isLenient) throw this.#refusal(reason)
    this.write(`[${reason}]`)
  }

  #refusal(reason: string, options: { readonly cause?: unknown } = {}): SerializationError {
    const path = formatPath(this.#root, this.#path, this.#refs?.code?.arrows)
    return new SerializationError(`${path}: ${reason}`, { ...options, details: { path } })
  }

  #refusalOf(error: unknown): OutpoolError {
    if (error instanceof OutpoolError) return error
    const why = error instanceof RangeError ? 'too large or too deeply nested' : 'it cannot be read'
    return this.#refusal(`${why}: ${String(error)}`, { cause: error })
  }
}
