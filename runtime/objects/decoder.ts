/** The walk over bytes that reads a value. They come from another process: anything amiss is a ProtocolError. */
import { OutpoolError, SerializationError } from '../base/errors.ts'
import { Pending } from '../protocol/code-values.ts'
import { ByteReader, malformed } from './byte-reader.ts'
import { kindReaders, type Unwalk } from './decode-kinds.ts'
import { PartsReader } from './parts-reader.ts'
import { readBuffers, type DecodedBuffer } from './value-buffers.ts'
import { maxDepth, tag, type EncodedValue, type RefCodec } from './value-format.ts'
import { symbolOf } from './value-refusal.ts'

const { shortString } = tag

/**
 * The value, as `decodeValue` says.
 * @throws ProtocolError where the bytes are not what `encodeValue` writes.
 */
export function decodeWalking(encoded: EncodedValue, refs: RefCodec | undefined): unknown {
  try {
    return new Decoder(encoded, refs).whole()
  } catch (error) {
    if (error instanceof OutpoolError) throw error
    throw malformed(String(error), error)
  }
}

class Decoder implements Unwalk {
  readonly reader: ByteReader
  readonly #encoded: EncodedValue
  readonly #refs: RefCodec | undefined
  readonly #objects: unknown[] = []
  readonly #shapes: string[][] = []
  #buffers: (DecodedBuffer | undefined)[] | undefined
  #parts: PartsReader | undefined
  #depth = 0

  constructor(encoded: EncodedValue, refs: RefCodec | undefined) {
    this.#encoded = encoded
    this.#refs = refs
    this.reader = new ByteReader(encoded.inband)
  }

  whole(): unknown {
    const { reader } = this
    const first = reader.bytes[0]
    if (first === tag.bytes) return new Uint8Array(reader.bytes.subarray(1))
    if (first === tag.buffer) return Buffer.from(reader.bytes.subarray(1))
    if (first === tag.tables) {
      reader.pos = 1
      this.#buffers = readBuffers(reader, this.#encoded.buffers)
    } else if (this.#encoded.buffers.length > 0) {
      throw malformed('it does not use all of its buffers')
    }
    const value = this.read()
    if (reader.pos !== reader.end) throw malformed('bytes are left over')
    if (this.#parts !== undefined) this.#parts.finish(this.#objects)
    return value instanceof Pending ? value.value : value
  }

  /** A function, a class, or an object of one. */
  code(): unknown {
    const codec = this.#refs?.code
    if (codec === undefined) throw malformed('it holds a function, which only a process of a cluster can read')
    this.#parts ??= new PartsReader(this, this.#objects)
    this.enter()
    const value = codec.read(this.#parts)
    this.leave()
    return value
  }

  read(): unknown {
    const { reader } = this
    const byte = reader.byte()
    if (byte < shortString) return byte
    if (byte < tag.undefined) return reader.narrow(byte - shortString)
    if (byte === tag.shape) return this.#record(this.#shapeAt(reader.varint()))
    if (byte === tag.double) return reader.double()
    if (byte === tag.int8) return reader.int8()
    if (byte === tag.int32) return reader.int32()
    if (byte === tag.newShape) return this.#record(this.#newShape())
    const read = readers[byte] ?? readerOfKind(byte)
    if (read === undefined) throw malformed(`tag ${byte} at ${reader.pos - 1}`)
    return read(this)
  }

  readText(): string {
    const text = this.read()
    if (typeof text !== 'string') throw malformed('a string is missing')
    return text
  }

  /** Gives an object its number, before what it contains is read. */
  add<T>(value: T): T {
    this.#objects.push(value)
    return value
  }

  back(): unknown {
    const number = this.reader.varint()
    if (number >= this.#objects.length) throw malformed('a reference to an object that is not there')
    const value = this.#objects[number]
    if (value instanceof Pending) this.#parts?.handedOut()
    return value
  }

  memory(number: number): DecodedBuffer {
    const found = this.#buffers?.[number]
    if (found === undefined) throw malformed('a reference to a buffer that is not there')
    return found
  }

  soleMemory(number: number): ArrayBuffer {
    const { memory } = this.memory(number)
    if (this.#buffers !== undefined) this.#buffers[number] = undefined
    return memory
  }

  /** Counts a level of nesting while `body` reads it. */
  enter(): void {
    if (++this.#depth > maxDepth + 1) throw malformed(`it is nested more than ${maxDepth} levels deep`)
  }

  leave(): void {
    this.#depth--
  }

  ref(): unknown {
    const descriptor = this.#encoded.refs[this.reader.varint()]
    if (descriptor === undefined) throw malformed('an object ref is missing')
    if (this.#refs === undefined)
      throw new SerializationError('the value holds an ObjectRef, which only a process of a cluster can read')
    return this.add(this.#refs.revive(descriptor))
  }

  key(): string {
    const { reader } = this
    const byte = reader.bytes[reader.pos] as number
    if (byte < shortString || byte >= tag.undefined) return this.readText()
    reader.pos++
    return reader.key(byte - shortString)
  }

  #shapeAt(number: number): readonly string[] {
    const keys = this.#shapes[number]
    if (keys === undefined) throw malformed('a reference to keys that are not there')
    return keys
  }

  #newShape(): readonly string[] {
    const count = this.reader.count(1)
    const keys: string[] = []
    for (let i = 0; i < count; i++) keys.push(this.key())
    this.#shapes.push(keys)
    return keys
  }

  #record(keys: readonly string[]): object {
    this.enter()
    const record: Record<string, unknown> = {}
    this.#objects.push(record)
    for (let i = 0; i < keys.length; i++) assign(record, keys[i] as string, this.read())
    this.leave()
    return record
  }
}

/** Sets an own property; the one key that would reach the prototype is defined instead. */
function assign(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__')
    Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true })
  else target[key] = value
}

/** Objects with more keys are dictionaries to the engine from the start, which adds keys faster. */
const dictionaryKeys = 64

function readObject(decoder: Decoder, prototype: object | null): object {
  decoder.enter()
  const count = decoder.reader.count(2)
  const target = (prototype !== null && count <= dictionaryKeys ? {} : Object.create(null)) as Record<string, unknown>
  if (prototype !== null && count > dictionaryKeys) Object.setPrototypeOf(target, prototype)
  decoder.add(target)
  for (let left = count; left > 0; left--) assign(target, decoder.key(), decoder.read())
  decoder.leave()
  return target
}

function readArray(decoder: Decoder): unknown[] {
  decoder.enter()
  const length = decoder.reader.count(1)
  const array: unknown[] = decoder.add([])
  for (let i = 0; i < length; i++) array.push(decoder.read())
  decoder.leave()
  return array
}

type Reader = (decoder: Decoder) => unknown

const readers: (Reader | undefined)[] = new Array<Reader | undefined>(256).fill(undefined)
readers[tag.undefined] = () => undefined
readers[tag.null] = () => null
readers[tag.false] = () => false
readers[tag.true] = () => true
readers[tag.string] = ({ reader }) => reader.narrow(reader.varint())
readers[tag.wideString] = ({ reader }) => reader.wide(reader.varint())
readers[tag.back] = (decoder) => decoder.back()
readers[tag.ref] = (decoder) => decoder.ref()
readers[tag.array] = readArray
readers[tag.object] = (decoder) => readObject(decoder, Object.prototype)
readers[tag.nullObject] = (decoder) => readObject(decoder, null)
readers[tag.code] = (decoder) => decoder.code()
readers[tag.symbol] = (decoder) => {
  const symbol = symbolOf(decoder.readText())
  if (symbol === undefined) throw malformed('a symbol that no process has')
  return symbol
}

/** Instances of built-in classes: what reads them is loaded with the first one. */
function readerOfKind(byte: number): Reader | undefined {
  return (readers[byte] = kindReaders.get(byte))
}
