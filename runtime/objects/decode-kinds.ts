/** How instances of built-in classes are read. */
import { malformed, type ByteReader } from './byte-reader.ts'
import { unpackNumbers } from './packed-numbers.ts'
import { copyOf, type DecodedBuffer } from './value-buffers.ts'
import { makeError, setProperty } from './value-errors.ts'
import { tag, viewKinds } from './value-format.ts'

/** What the readers need of the decoder. */
export interface Unwalk {
  readonly reader: ByteReader
  read(): unknown
  readText(): string
  key(): string
  add<T>(value: T): T
  memory(number: number): DecodedBuffer
  /** Memory that nothing else in the value uses, which is then nobody's any more. */
  soleMemory(number: number): ArrayBuffer
  enter(): void
  leave(): void
}

type KindReader = (unwalk: Unwalk) => unknown

/** Arrays longer than this that are mostly holes are kept as dictionaries, which take no memory for holes. */
const sparseLength = 32
/** A first item this far from the beginning makes the engine keep an array as a dictionary. */
const farIndex = 4096

export const kindReaders: ReadonlyMap<number, KindReader> = new Map<number, KindReader>([
  [tag.bigint64, ({ reader }) => reader.bigint64()],
  [tag.bigint, readBigInt],
  [tag.sparseArray, readSparseArray],
  [tag.packedInt32, (unwalk) => readPacked(unwalk, true)],
  [tag.packedDouble, (unwalk) => readPacked(unwalk, false)],
  [tag.map, readMap],
  [tag.set, readSet],
  [tag.date, (unwalk) => unwalk.add(new Date(unwalk.reader.double()))],
  [tag.regexp, readRegExp],
  [tag.boxed, readBoxed],
  [tag.arrayBuffer, (unwalk) => unwalk.add(unwalk.memory(unwalk.reader.varint()).memory)],
  [tag.view, readView],
  [tag.error, readError],
  [tag.url, readUrl],
  [tag.urlSearchParams, readSearchParams],
  [tag.refused, readRefused],
])

function readBigInt({ reader }: Unwalk): bigint {
  const isNegative = reader.byte() === 1
  if (reader.byte() !== tag.string) throw malformed('the digits of a bigint are missing')
  const digits = reader.narrow(reader.varint())
  if (!/^[0-9a-f]+$/.test(digits)) throw malformed('the digits of a bigint are wrong')
  const value = BigInt(`0x${digits}`)
  return isNegative ? -value : value
}

function readSparseArray(unwalk: Unwalk): unknown[] {
  const { reader } = unwalk
  unwalk.enter()
  const length = reader.varint()
  const count = reader.count(2)
  if (length > 2 ** 32 - 1) throw malformed('an array is too long')
  const array: unknown[] = unwalk.add([])
  setLength(array, length, count)
  for (let left = count; left > 0; left--) {
    const at = unwalk.read()
    const value = unwalk.read()
    if (typeof at === 'number' && Number.isInteger(at) && at >= 0 && at < length) array[at] = value
    else if (typeof at === 'string' && at !== 'length') setProperty(array, at, value, true)
    else throw malformed('a key of an array is wrong')
  }
  unwalk.leave()
  return array
}

function setLength(array: unknown[], length: number, count: number): void {
  if (length > sparseLength && length / 8 > count) {
    const far = Math.max(length - 1, farIndex)
    array[far] = undefined
    Reflect.deleteProperty(array, far)
    array.length = length
  } else {
    array.length = length
  }
}

function readPacked(unwalk: Unwalk, integers: boolean): number[] {
  const { reader } = unwalk
  const number = reader.varint()
  let memory: ArrayBuffer
  if (number > 0) {
    // Else a few bytes that name one buffer again and again would make an array of it each time.
    memory = unwalk.soleMemory(number - 1)
  } else {
    const length = reader.varint()
    const at = reader.take(length)
    memory = copyOf(reader.bytes.subarray(at, at + length))
  }
  if (memory.byteLength % (integers ? 4 : 8) !== 0) throw malformed('a number is cut short')
  return unwalk.add(unpackNumbers(new Uint8Array(memory), integers))
}

function readMap(unwalk: Unwalk): Map<unknown, unknown> {
  unwalk.enter()
  const map = unwalk.add(new Map<unknown, unknown>())
  for (let left = unwalk.reader.count(2); left > 0; left--) {
    const key = unwalk.read()
    map.set(key, unwalk.read())
  }
  unwalk.leave()
  return map
}

function readSet(unwalk: Unwalk): Set<unknown> {
  unwalk.enter()
  const set = unwalk.add(new Set())
  for (let left = unwalk.reader.count(1); left > 0; left--) set.add(unwalk.read())
  unwalk.leave()
  return set
}

function readRegExp(unwalk: Unwalk): RegExp {
  const source = unwalk.readText()
  return unwalk.add(new RegExp(source, unwalk.readText()))
}

function readBoxed(unwalk: Unwalk): object {
  const primitive = unwalk.read()
  if (primitive === null || primitive === undefined || typeof primitive === 'object')
    throw malformed('a boxed value is not a primitive')
  return unwalk.add(Object(primitive) as object)
}

type ViewClass = new (memory: ArrayBuffer, byteOffset: number, length: number) => ArrayBufferView

function readView(unwalk: Unwalk): ArrayBufferView {
  const { reader } = unwalk
  const name = viewKinds[reader.byte()]
  const { memory, base } = unwalk.memory(reader.varint())
  const offset = reader.varint() - base
  const length = reader.varint()
  if (name === undefined || offset < 0) throw malformed('a view is outside of its buffer')
  if (name === 'Buffer') return unwalk.add(Buffer.from(memory, offset, length))
  const Class = (globalThis as unknown as Readonly<Record<string, ViewClass | undefined>>)[name]
  if (Class === undefined) throw malformed(`a ${name}, which this version of Node does not have`)
  return unwalk.add(new Class(memory, offset, length))
}

function readError(unwalk: Unwalk): Error {
  unwalk.enter()
  const className = unwalk.readText()
  const [message, stack, domName] = [optionalText(unwalk), optionalText(unwalk), optionalText(unwalk)]
  const error = unwalk.add(makeError({ className, message, stack, domName }))
  for (let left = unwalk.reader.count(3); left > 0; left--) {
    const key = unwalk.key()
    const isEnumerable = unwalk.reader.byte() === 1
    setProperty(error, key, unwalk.read(), isEnumerable)
  }
  unwalk.leave()
  return error
}

function optionalText(unwalk: Unwalk): string | undefined {
  const text = unwalk.read()
  if (text !== undefined && typeof text !== 'string') throw malformed('the text of an error is missing')
  return text
}

function readUrl(unwalk: Unwalk): URL {
  return unwalk.add(new URL(unwalk.readText()))
}

function readSearchParams(unwalk: Unwalk): URLSearchParams {
  return unwalk.add(new URLSearchParams(unwalk.readText()))
}

function readRefused(unwalk: Unwalk): string {
  return unwalk.add(unwalk.readText())
}
