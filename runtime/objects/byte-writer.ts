/**
 * Writes bytes into a slab from which small outputs are carved, so that a small value costs one allocation. An output
 * that outgrows the slab moves to memory of its own.
 */
const slabBytes = 64 * 1024
const freshSlabBelow = 512
/** Strings up to this length are written character by character: cheaper than a call into the runtime. */
const loopLength = 40
const wide = /[^\x00-\xff]/

export class ByteWriter {
  bytes: Buffer = Buffer.allocUnsafeSlow(slabBytes)
  pos = 0
  #view: DataView = viewOf(this.bytes)
  #start = 0
  #slab: Buffer = this.bytes

  begin(): void {
    if (this.bytes.length - this.pos < freshSlabBelow) this.#use(Buffer.allocUnsafeSlow(slabBytes))
    // One byte is left free, for a prefix that is known at the end.
    this.#start = ++this.pos
  }

  /** The bytes since `begin`, behind the prefix if there is one. */
  finish(prefix?: number): Buffer {
    if (prefix !== undefined) this.bytes[--this.#start] = prefix
    const length = this.pos - this.#start
    const result = this.bytes.subarray(this.#start, this.pos)
    if (this.bytes === this.#slab) return result
    const grown = this.bytes.length
    this.#use(Buffer.allocUnsafeSlow(slabBytes))
    return grown - length > grown >> 2 ? exactly(result) : result
  }

  /** Forgets what was written since `begin`. */
  rollback(): void {
    if (this.bytes === this.#slab) this.pos = this.#start
    else this.#use(Buffer.allocUnsafeSlow(slabBytes))
  }

  /** Takes back the last bytes. */
  unwrite(count: number): void {
    this.pos -= count
  }

  /** Bytes written since `begin`. */
  get length(): number {
    return this.pos - this.#start
  }

  ensure(count: number): void {
    if (this.pos + count > this.bytes.length) this.#grow(count)
  }

  byte(value: number): void {
    this.ensure(1)
    this.bytes[this.pos++] = value
  }

  u32(value: number): void {
    this.ensure(4)
    this.#view.setUint32(this.pos, value, true)
    this.pos += 4
  }

  int32(value: number): void {
    this.ensure(4)
    this.#view.setInt32(this.pos, value, true)
    this.pos += 4
  }

  double(value: number): void {
    this.ensure(8)
    this.#view.setFloat64(this.pos, value, true)
    this.pos += 8
  }

  bigint64(value: bigint): void {
    this.ensure(8)
    this.#view.setBigInt64(this.pos, value, true)
    this.pos += 8
  }

  /** An unsigned integer below 2^53, seven bits to a byte. */
  varint(value: number): void {
    this.ensure(8)
    let rest = value
    while (rest >= 0x80) {
      this.bytes[this.pos++] = (rest % 0x80) + 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.bytes[this.pos++] = rest
  }

  raw(bytes: Uint8Array): void {
    this.ensure(bytes.length)
    this.bytes.set(bytes, this.pos)
    this.pos += bytes.length
  }

  /** Tries to write a string of up to 63 characters as one-byte characters behind its tag. */
  shortString(text: string, tagByte: number): boolean {
    const length = text.length
    this.ensure(length + 1)
    const { bytes } = this
    let at = this.pos
    bytes[at++] = tagByte + length
    if (length <= loopLength) {
      for (let i = 0; i < length; i++) {
        const code = text.charCodeAt(i)
        if (code > 0xff) return false
        bytes[at++] = code
      }
    } else {
      if (wide.test(text)) return false
      at += bytes.write(text, at, 'latin1')
    }
    this.pos = at
    return true
  }

  /** A length and the characters: one byte each behind `narrowTag`, two (any UTF-16) behind `wideTag`. */
  longString(text: string, narrowTag: number, wideTag: number): void {
    const isWide = wide.test(text)
    this.byte(isWide ? wideTag : narrowTag)
    this.varint(text.length)
    const count = isWide ? text.length * 2 : text.length
    this.ensure(count)
    this.bytes.write(text, this.pos, isWide ? 'utf16le' : 'latin1')
    this.pos += count
  }

  #grow(count: number): void {
    const length = this.pos - this.#start
    const grown = Buffer.allocUnsafeSlow(Math.max(length * 2, slabBytes) + count + 1)
    grown.set(this.bytes.subarray(this.#start, this.pos), 1)
    this.bytes = grown
    this.#view = viewOf(grown)
    this.#start = 1
    this.pos = length + 1
  }

  #use(slab: Buffer): void {
    this.bytes = slab
    this.#slab = slab
    this.#view = viewOf(slab)
    this.#start = 0
    this.pos = 0
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function exactly(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  copy.set(bytes)
  return copy
}
