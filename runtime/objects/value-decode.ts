/**
 * Reads what `value-encode.ts` wrote: a number or a short text in place, any other value by a walk, which is loaded with
 * the first that needs one.
 */
import { decodeWalking } from './decoder.ts'
import { tag, type EncodedValue, type RefCodec } from './value-format.ts'

const { shortString } = tag
/** Up to here a text is read character by character. */
const smallText = 12

/**
 * The value. It takes over those of `encoded.buffers` that have an ArrayBuffer to themselves, and copies the others;
 * so decoding twice gives two independent values only where the buffers are views of larger memory.
 * @throws ProtocolError where the bytes are not what `encodeValue` writes.
 */
export function decodeValue(encoded: EncodedValue, refs?: RefCodec): unknown {
  const { inband } = encoded
  if (inband.length <= smallBytes && encoded.refs.length === 0 && encoded.buffers.length === 0) {
    const value = decodeSmall(inband, 0)
    if (value !== notSmall) return value
  }
  return decodeWalking(encoded, refs)
}

export const notSmall: unique symbol = Symbol('not a number or a short string')

const smallBytes = 1 + smallText
const scratch = new DataView(new ArrayBuffer(8))

/**
 * The value of the in-band bytes from `at` to `end` where that is a number, a short text, or a constant; otherwise
 * `notSmall`. Read in place: making a decoder and its views of the bytes costs more than most values.
 */
export function decodeSmall(bytes: Uint8Array, at: number, end: number = bytes.length): unknown {
  const payload = end - at - 1
  const first = bytes[at] as number
  if (payload === 0) return decodeByte(first)
  if (first === tag.int8 && payload === 1) return ((bytes[at + 1] as number) << 24) >> 24
  if (first === tag.int32 && payload === 4) return fillScratch(bytes, at + 1, 4).getInt32(0, true)
  if (first === tag.double && payload === 8) return fillScratch(bytes, at + 1, 8).getFloat64(0, true)
  if (first !== shortString + payload || payload > smallText) return notSmall
  let text = ''
  for (let i = at + 1; i < end; i++) text += String.fromCharCode(bytes[i] as number)
  return text
}

function fillScratch(bytes: Uint8Array, at: number, count: number): DataView {
  for (let i = 0; i < count; i++) scratch.setUint8(i, bytes[at + i] as number)
  return scratch
}

function decodeByte(byte: number): unknown {
  if (byte < shortString) return byte
  if (byte === tag.undefined) return undefined
  if (byte === tag.null) return null
  if (byte === tag.true) return true
  if (byte === tag.false) return false
  return notSmall
}
