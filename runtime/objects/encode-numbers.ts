/** How numbers are written. */
import type { ByteWriter } from './byte-writer.ts'
import { tag } from './value-format.ts'

export function writeNumber(writer: ByteWriter, value: number): void {
  if ((value | 0) !== value || (value === 0 && Object.is(value, -0))) {
    writer.byte(tag.double)
    writer.double(value)
  } else if (value >= 0 && value < tag.shortString) {
    writer.byte(value)
  } else if (value >= -128 && value < 128) {
    writer.byte(tag.int8)
    writer.byte(value & 0xff)
  } else {
    writer.byte(tag.int32)
    writer.int32(value)
  }
}

const scratch = new DataView(new ArrayBuffer(8))

/** The bytes of `writeNumber`, for a number that is all of a value: without a writer. */
export function numberBytes(value: number): Uint8Array {
  if ((value | 0) !== value || (value === 0 && Object.is(value, -0))) {
    scratch.setFloat64(0, value, true)
    return tagged(tag.double, 8)
  }
  if (value >= 0 && value < tag.shortString) return Uint8Array.of(value)
  if (value >= -128 && value < 128) return Uint8Array.of(tag.int8, value & 0xff)
  scratch.setInt32(0, value, true)
  return tagged(tag.int32, 4)
}

function tagged(first: number, count: number): Uint8Array {
  const bytes = new Uint8Array(1 + count)
  bytes[0] = first
  for (let i = 0; i < count; i++) bytes[1 + i] = scratch.getUint8(i)
  return bytes
}

export function writeBigInt(writer: ByteWriter, value: bigint): void {
  if (BigInt.asIntN(64, value) === value) {
    writer.byte(tag.bigint64)
    writer.bigint64(value)
    return
  }
  const isNegative = value < 0n
  const digits = (isNegative ? -value : value).toString(16)
  writer.byte(tag.bigint)
  writer.byte(isNegative ? 1 : 0)
  writer.longString(digits, tag.string, tag.wideString)
}
