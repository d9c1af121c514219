/**
 * Control messages as bytes: plain MessagePack (any MessagePack library reads it), restricted to what messages hold:
 * null, undefined, booleans, numbers, strings, Uint8Array, arrays, and plain objects for the rare descriptive field.
 * It is written out here because a general packer spends ten times as long on a short flat array (measured 570 ns
 * against 50 for `[1, n, 16 bytes]`), takes 20 ms to load in every worker, and would accept extension types that no
 * message has. Numbers keep every bit, -0 and NaN included. A lone surrogate in a string becomes U+FFFD.
 */
import { ProtocolError } from '../base/errors.ts'
import { nextHash, seenTextBytes, seenTexts } from '../base/seen-texts.ts'

/** Any message: a type and its fields. The union of the real ones is in `messages.ts`. */
export type WireMessage = readonly [number, ...unknown[]]

/** A buffer that grows while messages are appended to it. `length` counts the bytes that are in use. */
export interface GrowingBytes {
  bytes: Buffer
  length: number
}

const maxDepth = 64
/** Up to here V8 keeps a typed array on its own heap, so that a copy is cheaper than a view and pins no frame. */
const copiedBytes = 64
/** Up to here a loop is faster than a call out of JavaScript. */
const loopedBytes = 24
const shortText = 48
/**
 * Lists up to this length are made at their size; a longer one grows with what is read. An announced length alone then
 * costs next to nothing, however deep such lists are nested.
 */
const trustedLength = 1024

const float = new DataView(new ArrayBuffer(8))
const floatBytes = new Uint8Array(float.buffer)

// The codec is not re-entrant (nothing user-supplied runs inside it); module variables save a property load per byte.
let target: Buffer = Buffer.alloc(0)
let at = 0

function room(need: number): void {
  if (at + need <= target.length) return
  const larger = Buffer.allocUnsafeSlow(Math.max(target.length * 2, at + need + 1024))
  target.copy(larger, 0, 0, at)
  target = larger
}

/** Appends one message. Throws ProtocolError naming the field that cannot travel; `into` is then as it was. */
export function encodeMessage(message: WireMessage, into: GrowingBytes): void {
  target = into.bytes
  at = into.length
  writeArray(message, 0)
  into.bytes = target
  into.length = at
}

function writeValue(value: unknown, depth: number): void {
  if (typeof value === 'number') return writeNumber(value)
  if (typeof value === 'string') return writeText(value)
  if (Array.isArray(value)) return writeArray(value, depth)
  if (value instanceof Uint8Array) return writeBytes(value)
  room(3)
  if (value === null) target[at++] = 0xc0
  else if (value === undefined) {
    // fixext 1, type 0: what other JavaScript packers write for undefined.
    target[at++] = 0xd4
    target[at++] = 0
    target[at++] = 0
  } else if (value === true) target[at++] = 0xc3
  else if (value === false) target[at++] = 0xc2
  else if (typeof value === 'object') writePlain(value, depth)
  else throw new ProtocolError(`a message cannot hold a ${typeof value}: encode it as bytes first`)
}

function writeNumber(value: number): void {
  room(9)
  if (Number.isInteger(value) && !Object.is(value, -0)) {
    if (value >= 0) {
      if (value < 0x80) target[at++] = value
      else if (value < 0x10000) writeHead16(0xcd, value)
      else if (value <= 0xffffffff) writeHead32(0xce, value)
      else writeFloat(value)
      return
    }
    if (value >= -32) target[at++] = value & 0xff
    else if (value >= -0x80000000) writeHead32(0xd2, value >>> 0)
    else writeFloat(value)
    return
  }
  writeFloat(value)
}

function writeHead16(code: number, value: number): void {
  target[at] = code
  target[at + 1] = value >>> 8
  target[at + 2] = value & 0xff
  at += 3
}

function writeHead32(code: number, value: number): void {
  target[at] = code
  target[at + 1] = value >>> 24
  target[at + 2] = (value >>> 16) & 0xff
  target[at + 3] = (value >>> 8) & 0xff
  target[at + 4] = value & 0xff
  at += 5
}

function writeFloat(value: number): void {
  float.setFloat64(0, value)
  target[at++] = 0xcb
  for (let i = 0; i < 8; i++) target[at++] = floatBytes[i] as number
}

function writeText(text: string): void {
  const length = text.length
  if (length <= shortText) {
    room(length + 2)
    const start = at
    if (length < 32) target[at++] = 0xa0 | length
    else {
      target[at++] = 0xd9
      target[at++] = length
    }
    let i = 0
    for (; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= 0x80) break
      target[at++] = code
    }
    if (i === length) return
    at = start
  }
  const size = Buffer.byteLength(text)
  room(size + 5)
  writeHead32(0xdb, size)
  at += target.write(text, at, size, 'utf8')
}

function writeBytes(bytes: Uint8Array): void {
  const size = bytes.length
  room(size + 5)
  if (size < 0x100) {
    target[at++] = 0xc4
    target[at++] = size
  } else writeHead32(0xc6, size)
  if (size <= loopedBytes) for (let i = 0; i < size; i++) target[at++] = bytes[i] as number
  else {
    target.set(bytes, at)
    at += size
  }
}

function writeArray(items: readonly unknown[], depth: number): void {
  if (depth > maxDepth) throw new ProtocolError(`a message is nested more than ${maxDepth} arrays deep`)
  const length = items.length
  room(5)
  if (length < 16) target[at++] = 0x90 | length
  else writeHead32(0xdd, length)
  for (let i = 0; i < length; i++) writeValue(items[i], depth + 1)
}

function writePlain(value: object, depth: number): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null)
    throw new ProtocolError(`a message cannot hold an instance of ${value.constructor?.name ?? 'a class'}`)
  if (depth > maxDepth) throw new ProtocolError(`a message is nested more than ${maxDepth} objects deep`)
  const keys = Object.keys(value)
  room(5)
  writeHead32(0xdf, keys.length)
  for (const key of keys) {
    writeText(key)
    writeValue((value as Record<string, unknown>)[key], depth + 1)
  }
}

let source: Uint8Array = new Uint8Array(0)
let sourceBuffer: Buffer = target
let position = 0
let end = 0

/**
 * Decodes `count` messages that fill `bytes` from `start` to `stop` exactly. Byte fields above 64 bytes are views of
 * `bytes`, whose memory must therefore never be reused; shorter ones are copies, which
 * others may share: never write into them. Throws ProtocolError.
 */
export function decodeMessages(bytes: Buffer, start: number, stop: number, count: number): WireMessage[] {
  // A plain Uint8Array: its slice() of a few bytes is five times as fast as that of a Buffer.
  source = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  sourceBuffer = bytes
  position = start
  end = stop
  if (count > stop - start) throw malformed('more messages announced than bytes')
  const messages = listFor<WireMessage>(count)
  for (let i = 0; i < count; i++) {
    const message = readValue(0)
    if (!Array.isArray(message) || typeof message[0] !== 'number') throw malformed('a message is not [type, ...fields]')
    messages[i] = message as unknown as WireMessage
  }
  if (position !== end) throw malformed(`${end - position} bytes are left over`)
  return messages
}

function malformed(what: string): ProtocolError {
  return new ProtocolError(`malformed frame: ${what}; is the other end an Outpool process of the same version?`)
}

function readValue(depth: number): unknown {
  if (position >= end) throw malformed('it ends inside a value')
  const code = source[position++] as number
  if (code < 0x80) return code
  if (code >= 0xe0) return code - 0x100
  if (code >= 0xa0 && code < 0xc0) return readText(code & 0x1f)
  if (code >= 0x90 && code < 0xa0) return readArray(code & 0x0f, depth)
  if (code < 0x90) return readPlain(code & 0x0f, depth)
  switch (code) {
    case 0xc4:
      return readBytes(readUnsigned(1))
    case 0xcc:
      return readUnsigned(1)
    case 0xcd:
      return readUnsigned(2)
    case 0xce:
      return readUnsigned(4)
    case 0xcb:
      return readFloat()
    case 0xc0:
      return null
    case 0xc2:
      return false
    case 0xc3:
      return true
    default:
      return readRare(code, depth)
  }
}

function readRare(code: number, depth: number): unknown {
  switch (code) {
    case 0xc5:
      return readBytes(readUnsigned(2))
    case 0xc6:
      return readBytes(readUnsigned(4))
    case 0xd0:
      return (readUnsigned(1) << 24) >> 24
    case 0xd1:
      return (readUnsigned(2) << 16) >> 16
    case 0xd2:
      return readUnsigned(4) | 0
    case 0xd4:
      if (readUnsigned(2) !== 0) throw malformed('an extension type')
      return undefined
    case 0xd9:
      return readText(readUnsigned(1))
    case 0xda:
      return readText(readUnsigned(2))
    case 0xdb:
      return readText(readUnsigned(4))
    case 0xdc:
      return readArray(readUnsigned(2), depth)
    case 0xdd:
      return readArray(readUnsigned(4), depth)
    case 0xde:
      return readPlain(readUnsigned(2), depth)
    case 0xdf:
      return readPlain(readUnsigned(4), depth)
    default:
      throw malformed(`the type 0x${code.toString(16)} is not used by this protocol`)
  }
}

function readUnsigned(size: 1 | 2 | 4): number {
  if (position + size > end) throw malformed('it ends inside a number')
  let value = 0
  for (let i = 0; i < size; i++) value = value * 256 + (source[position++] as number)
  return value
}

function readFloat(): number {
  if (position + 8 > end) throw malformed('it ends inside a number')
  for (let i = 0; i < 8; i++) floatBytes[i] = source[position++] as number
  return float.getFloat64(0)
}

function readText(length: number): string {
  const stop = position + length
  if (stop > end) throw malformed('it ends inside a string')
  if (length <= seenTextBytes) {
    let hash = length
    let i = position
    for (; i < stop; i++) {
      const code = source[i] as number
      if (code >= 0x80) break
      hash = nextHash(hash, code)
    }
    if (i === stop) {
      position = stop
      return seenTexts.of(sourceBuffer, stop - length, length, hash)
    }
  }
  const text = sourceBuffer.toString('utf8', position, stop)
  position = stop
  return text
}

function readBytes(length: number): Uint8Array {
  const start = position
  if (start + length > end) throw malformed('it ends inside a byte field')
  position = start + length
  if (length > copiedBytes) return new Uint8Array(source.buffer, source.byteOffset + start, length)
  if (length === 2 && source[start] === 0) return zeroAnd(source[start + 1] as number)
  return source.slice(start, position)
}

/** A zero and one more byte are the arguments of a call without any, and most of what functions return: made once. */
const zeroAnd = (byte: number): Uint8Array => (zerosAnd[byte] ??= Uint8Array.of(0, byte))
const zerosAnd: Uint8Array[] = []

function readArray(length: number, depth: number): unknown[] {
  if (depth > maxDepth) throw malformed('it is nested too deep')
  // Each item takes a byte at least.
  if (length > end - position) throw malformed('it ends inside an array')
  const items = listFor<unknown>(length)
  for (let i = 0; i < length; i++) items[i] = readValue(depth + 1)
  return items
}

/** Of its final size at once where that is safe: growing would cost more than the decoding. */
function listFor<T>(length: number): T[] {
  return length <= trustedLength ? new Array<T>(length) : []
}

function readPlain(length: number, depth: number): Record<string, unknown> {
  if (depth > maxDepth) throw malformed('it is nested too deep')
  if (length * 2 > end - position) throw malformed('it ends inside an object')
  const plain: Record<string, unknown> = {}
  for (let i = 0; i < length; i++) {
    const key = readValue(depth + 1)
    if (typeof key !== 'string' || key === '__proto__') throw malformed('a key that no message has')
    plain[key] = readValue(depth + 1)
  }
  return plain
}
