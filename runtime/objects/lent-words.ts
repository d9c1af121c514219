/** Many numbers read where they lie, in the bytes of an encoded value: nothing is copied, and nothing taken over. */
import { ByteReader, malformed } from './byte-reader.ts'
import { readBuffers, type DecodedBuffer } from './value-buffers.ts'
import { tag, viewKinds, type EncodedValue } from './value-format.ts'

/** A chunk of items, or what became of one. */
export type LentWords = Int32Array | Float64Array

/** In-band bytes of such a value are fewer. */
const mostInband = 64
const key = 'numbers'
const classes = new Map<number, Int32ArrayConstructor | Float64ArrayConstructor>([
  [viewKinds.indexOf('Int32Array'), Int32Array],
  [viewKinds.indexOf('Float64Array'), Float64Array],
])

/**
 * The value where it is 32-bit integers or doubles in a large buffer, or an object with nothing but such `numbers`: as a
 * view of that buffer. undefined for any other, also for one that is malformed: whoever decodes that is told.
 */
export function decodeLent(encoded: EncodedValue): LentWords | { readonly numbers: LentWords } | undefined {
  const { inband, buffers, refs } = encoded
  if (buffers.length !== 1 || refs.length > 0 || inband.length > mostInband || inband[0] !== tag.tables)
    return undefined
  try {
    return read(new ByteReader(inband), buffers)
  } catch {
    return undefined
  }
}

function read(
  reader: ByteReader,
  outOfBand: readonly Uint8Array[],
): LentWords | { readonly numbers: LentWords } | undefined {
  reader.pos = 1
  let found: Uint8Array | undefined
  const [buffer] = readBuffers(reader, outOfBand, (bytes, length, base): DecodedBuffer => {
    if (bytes?.length !== length) throw malformed('an out-of-band buffer is missing')
    found = bytes
    return { base, memory: bytes.buffer as ArrayBuffer }
  })
  let next = reader.byte()
  const isRecord = next === tag.newShape
  if (isRecord) {
    if (reader.varint() !== 1 || reader.byte() !== tag.shortString + key.length) return undefined
    if (reader.narrow(key.length) !== key) return undefined
    next = reader.byte()
  }
  const Class = next === tag.view ? classes.get(reader.byte()) : undefined
  if (Class === undefined || buffer === undefined || found === undefined || reader.varint() !== 0) return undefined
  const offset = reader.varint() - buffer.base
  const length = reader.varint()
  if (reader.pos !== reader.end || offset < 0 || offset + length * Class.BYTES_PER_ELEMENT > found.length)
    return undefined
  const numbers = new Class(buffer.memory, found.byteOffset + offset, length)
  return isRecord ? { numbers } : numbers
}
