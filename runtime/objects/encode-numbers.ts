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
