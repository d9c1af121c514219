/**
 * An encoded value as one self-contained string of bytes, as it is sent and stored:
 *
 *     magic, version, 0, 0 | u32 in-band bytes | u32 buffers | u32 refs
 *     for each buffer: u48 offset, u48 length          ascending, no overlap
 *     for each ref: owner (8), u48 number, node (8), process (8)
 *     in-band bytes | padding, buffer | padding, buffer ...
 */
import { ProtocolError } from '../base/errors.ts'
import type { ProcessId } from '../base/ids.ts'
import { emptyBuffers, emptyRefs, type EncodedValue, type RefDescriptor } from './value-format.ts'

/** Bytes that say how long the head is. */
export const headerBytes: number = 16
const bufferEntryBytes = 12
const refEntryBytes = 30
const magic = 0x4f
const version = 1
/** Buffers begin at multiples of this, unless a store asks for whole pages. */
const defaultAlignment = 8

/** Where the parts of a flattened value lie. */
export interface FlatLayout {
  readonly inbandOffset: number
  readonly inbandBytes: number
  readonly buffers: readonly { readonly offset: number; readonly length: number }[]
  readonly refs: readonly RefDescriptor[]
}

/** A part of a flattened value, for who writes it piece by piece. */
export interface FlatPiece {
  readonly offset: number
  readonly bytes: Uint8Array
}

/** The size of the flattened value. `alignment` of its buffers in bytes, a power of two of at least 8. */
export function encodedBytes(encoded: EncodedValue, alignment: number = defaultAlignment): number {
  let end = tableBytes(encoded.buffers.length, encoded.refs.length) + encoded.inband.length
  for (const buffer of encoded.buffers) end = alignUp(end, alignment) + buffer.length
  return end
}

export function flatten(encoded: EncodedValue): Uint8Array {
  const target = Buffer.allocUnsafe(encodedBytes(encoded))
  if (encoded.buffers.length > 0 || encoded.refs.length > 0) {
    flattenInto(encoded, target)
  } else {
    writeHeader(target, encoded)
    target.set(encoded.inband, headerBytes)
  }
  return target
}

/** Writes the flattened value to the beginning of `target`; returns its size in bytes. */
export function flattenInto(encoded: EncodedValue, target: Uint8Array, alignment: number = defaultAlignment): number {
  let end = 0
  for (const { offset, bytes } of flatPieces(encoded, alignment)) {
    target.fill(0, end, offset)
    target.set(bytes, offset)
    end = offset + bytes.length
  }
  return end
}

/** The parts of the flattened value in their order, uncopied; what lies between them is zero. */
export function flatPieces(encoded: EncodedValue, alignment: number = defaultAlignment): FlatPiece[] {
  const { inband, buffers, refs } = encoded
  const head = Buffer.allocUnsafe(tableBytes(buffers.length, refs.length))
  writeHeader(head, encoded)
  const pieces: FlatPiece[] = [
    { offset: 0, bytes: head },
    { offset: head.length, bytes: inband },
  ]
  let at = headerBytes
  let end = head.length + inband.length
  for (const bytes of buffers) {
    const offset = alignUp(end, alignment)
    at = head.writeUIntLE(offset, at, 6)
    at = head.writeUIntLE(bytes.length, at, 6)
    pieces.push({ offset, bytes })
    end = offset + bytes.length
  }
  for (const ref of refs) at = writeRef(head, at, ref)
  return pieces
}

/**
 * The encoded value in `bytes`, as views of them.
 * @throws ProtocolError where they are not a flattened value.
 */
export function parse(bytes: Uint8Array): EncodedValue {
  const whole = asBuffer(bytes)
  // Most values have neither buffers nor refs: then what follows the header is in band.
  if (isPlain(whole)) return { inband: whole.subarray(headerBytes), buffers: emptyBuffers, refs: emptyRefs }
  const { inbandOffset, inbandBytes, buffers, refs } = parseLayout(whole, whole.length)
  return {
    inband: whole.subarray(inbandOffset, inbandOffset + inbandBytes),
    buffers:
      buffers.length === 0 ? emptyBuffers : buffers.map((at) => whole.subarray(at.offset, at.offset + at.length)),
    refs,
  }
}

/** How many bytes at the beginning hold everything but the buffers; takes the first `headerBytes` bytes. */
export function headBytes(header: Uint8Array): number {
  if (header.length < headerBytes) throw broken('it is shorter than its header')
  const head = asBuffer(header)
  if (head.readUInt32LE(0) !== (magic | (version << 8))) throw broken('it does not begin as one')
  return tableBytes(head.readUInt32LE(8), head.readUInt32LE(12)) + head.readUInt32LE(4)
}

/** Reads the head of a flattened value of `sizeBytes`; `bytes` are at least the tables at its beginning. */
export function parseLayout(bytes: Uint8Array, sizeBytes: number): FlatLayout {
  const head = asBuffer(bytes)
  let end = headBytes(head)
  const inbandBytes = head.readUInt32LE(4)
  const inbandOffset = end - inbandBytes
  if (end > sizeBytes || inbandOffset > head.length) throw broken('it is shorter than its head')
  const buffers: { offset: number; length: number }[] = []
  let at = headerBytes
  for (let left = head.readUInt32LE(8); left > 0; left--) {
    const offset = head.readUIntLE(at, 6)
    const length = head.readUIntLE(at + 6, 6)
    if (offset < end || offset + length > sizeBytes) throw broken('a buffer lies outside of it')
    buffers.push({ offset, length })
    end = offset + length
    at += bufferEntryBytes
  }
  const count = head.readUInt32LE(12)
  if (count === 0) return { inbandOffset, inbandBytes, buffers, refs: emptyRefs }
  const refs = Array.from({ length: count }, (_, index) => readRef(head, at + index * refEntryBytes))
  return { inbandOffset, inbandBytes, buffers, refs }
}

function writeHeader(head: Buffer, { inband, buffers, refs }: EncodedValue): void {
  head.writeUInt32LE(magic | (version << 8), 0)
  head.writeUInt32LE(inband.length, 4)
  head.writeUInt32LE(buffers.length, 8)
  head.writeUInt32LE(refs.length, 12)
}

function isPlain(whole: Buffer): boolean {
  const { length } = whole
  if (length < headerBytes || whole.readUInt32LE(8) !== 0 || whole.readUInt32LE(12) !== 0) return false
  return whole.readUInt32LE(0) === (magic | (version << 8)) && whole.readUInt32LE(4) === length - headerBytes
}

function tableBytes(bufferCount: number, refCount: number): number {
  return headerBytes + bufferCount * bufferEntryBytes + refCount * refEntryBytes
}

function writeRef(head: Buffer, at: number, { owner, number, address }: RefDescriptor): number {
  head.write(owner, at, 'hex')
  head.writeUIntLE(number, at + 8, 6)
  head.write(address.node, at + 14, 'hex')
  head.write(address.process, at + 22, 'hex')
  return at + refEntryBytes
}

function readRef(head: Buffer, at: number): RefDescriptor {
  const id = (from: number): ProcessId => head.toString('hex', from, from + 8) as ProcessId
  return {
    owner: id(at),
    number: head.readUIntLE(at + 8, 6),
    address: { node: id(at + 14), process: id(at + 22) },
  }
}

function alignUp(offset: number, alignment: number): number {
  return Math.ceil(offset / alignment) * alignment
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function broken(why: string): ProtocolError {
  return new ProtocolError(`not a flattened value: ${why}; the peer may run another version of Outpool`)
}
