/** Reads the bytes that `ByteWriter` wrote. They come from outside: whatever runs past the end is a ProtocolError. */
import { ProtocolError } from '../base/errors.ts'
import { nextHash, seenTextBytes, seenTexts } from '../base/seen-texts.ts'

/** Strings up to this length are read character by character: cheaper than a call into the runtime. */
const loopLength = 12

export class ByteReader {
  readonly bytes: Buffer
  pos: number
  /** Where the value ends; the bytes may go on behind it. */
  end: number

  constructor(bytes: Uint8Array) {
    this.bytes = asBuffer(bytes)
    this.pos = 0
    this.end = bytes.length
  }

  /** Moves over `count` bytes and says where they began. */
  take(count: number): number {
    const at = this.pos
    if (!(count <= this.end - at)) throw malformed('it ends too early')
    this.pos = at + count
    return at
  }

  byte(): number {
    return this.bytes[this.take(1)] as number
  }

  u32(): number {
    return this.bytes.readUInt32LE(this.take(4))
  }

  int8(): number {
    return this.bytes.readInt8(this.take(1))
  }

  int32(): number {
    return this.bytes.readInt32LE(this.take(4))
  }

  double(): number {
    return this.bytes.readDoubleLE(this.take(8))
  }

  bigint64(): bigint {
    return this.bytes.readBigInt64LE(this.take(8))
  }

  varint(): number {
    let scale = 1
    let value = 0
    for (;;) {
      const byte = this.byte()
      value += (byte & 0x7f) * scale
      if (byte < 0x80) break
      scale *= 0x80
      if (scale > 2 ** 49) throw malformed('a number is too long')
    }
    if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number is too large')
    return value
  }

  /** How many items follow, each of at least `itemBytes` bytes: never more than the bytes that are there. */
  count(itemBytes: number): number {
    const value = this.varint()
    if (value * itemBytes > this.end - this.pos) throw malformed('a list is longer than its bytes')
    return value
  }

  narrow(length: number): string {
    const at = this.take(length)
    if (length > loopLength) return this.bytes.toString('latin1', at, at + length)
    let text = ''
    for (let i = at; i < at + length; i++) text += String.fromCharCode(this.bytes[i] as number)
    return text
  }

  wide(length: number): string {
    const at = this.take(length * 2)
    return this.bytes.toString('utf16le', at, at + length * 2)
  }

  /** One-byte characters that are the key of an object: mostly without an allocation. */
  key(length: number): string {
    if (length > seenTextBytes) return this.narrow(length)
    const at = this.take(length)
    const { bytes } = this
    let hash = length
    for (let i = at; i < at + length; i++) hash = nextHash(hash, bytes[i] as number)
    return seenTexts.of(bytes, at, length, hash)
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function malformed(why: string, cause?: unknown): ProtocolError {
  const message = `malformed value: ${why}; the peer may run another version of Outpool`
  return new ProtocolError(message, cause === undefined ? {} : { cause })
}
