/**
 * A value as messages carry it: one byte says whether plain in-band bytes follow, or a whole flattened envelope with
 * buffers and refs. Most arguments and results are the first kind, and cost one byte more than themselves.
 *
 *     0 | in-band bytes                1 | flattened value (see value-flatten.ts)
 */
import { ProtocolError } from '../base/errors.ts'
import { decodeSmall, decodeValue, notSmall } from './value-decode.ts'
import { encodedBytes, flattenInto, parse } from './value-flatten.ts'
import { emptyBuffers, emptyRefs, type EncodedValue, type RefCodec } from './value-format.ts'

const plain = 0
const whole = 1

export function compactBytes(encoded: EncodedValue): number {
  return 1 + (isPlain(encoded) ? encoded.inband.length : encodedBytes(encoded))
}

/** Writes the compact form at `offset`; returns the offset behind it. */
export function compactInto(encoded: EncodedValue, target: Uint8Array, offset: number): number {
  if (!isPlain(encoded)) {
    target[offset] = whole
    return offset + 1 + flattenInto(encoded, target.subarray(offset + 1))
  }
  target[offset] = plain
  const inband = encoded.inband
  if (inband.length > 8) target.set(inband, offset + 1)
  else for (let i = 0; i < inband.length; i++) target[offset + 1 + i] = inband[i] as number
  return offset + 1 + inband.length
}

/** Values of one byte are most of what functions return; each is written once, when it is first met. */
const ofOneByte = (byte: number): Uint8Array => (bytesOfOne[byte] ??= Uint8Array.of(plain, byte))
const bytesOfOne: Uint8Array[] = []

export function compact(encoded: EncodedValue): Uint8Array {
  if (encoded.inband.length === 1 && isPlain(encoded)) return ofOneByte(encoded.inband[0] as number)
  const target = Buffer.allocUnsafe(compactBytes(encoded))
  compactInto(encoded, target, 0)
  return target
}

/** The envelope in compact bytes, as views of them. Throws ProtocolError for anything else. */
export function expand(bytes: Uint8Array): EncodedValue {
  if (bytes[0] === plain) return { inband: bytes.subarray(1), buffers: emptyBuffers, refs: emptyRefs }
  if (bytes[0] === whole) return parse(bytes.subarray(1))
  throw new ProtocolError('a value in a message is neither plain nor whole')
}

export function decodeCompact(bytes: Uint8Array, refs?: RefCodec): unknown {
  if (bytes[0] === plain) {
    const value = decodeSmall(bytes, 1)
    if (value !== notSmall) return value
  }
  return decodeValue(expand(bytes), refs)
}

/** The value of the compact bytes from `at` to `end`, where that is small; otherwise `notSmall`. */
export function decodeSmallCompact(bytes: Uint8Array, at: number, end: number): unknown {
  return end - at > 1 && bytes[at] === plain ? decodeSmall(bytes, at + 1, end) : notSmall
}

/** Whether these compact bytes hold neither refs nor buffers. */
export function isPlainBytes(bytes: Uint8Array): boolean {
  return bytes[0] === plain
}

function isPlain(encoded: EncodedValue): boolean {
  return encoded.buffers.length === 0 && encoded.refs.length === 0
}
