/**
 * The table of ArrayBuffers that a value uses. Views over one ArrayBuffer still share it on the other side. Of an
 * ArrayBuffer that is only seen through views the span that they cover travels, not the gigabyte around it; one that
 * is in the value itself travels whole.
 */
import { ByteReader, malformed } from './byte-reader.ts'
import type { ByteWriter } from './byte-writer.ts'
import { outOfBandBytes } from './value-format.ts'

interface Entry {
  readonly memory: ArrayBuffer
  from: number
  to: number
}

/** Views find their words at the same alignment as before. */
const spanAlignment = 8
const bufferKind = { inband: 0, outOfBand: 1, resizable: 2 } as const

type Resizable = ArrayBuffer & { readonly resizable?: boolean; readonly maxByteLength?: number }

/** The buffers of a value that is being written. */
export class BufferCollector {
  #byMemory: Map<ArrayBuffer, number> | undefined
  readonly #entries: Entry[] = []

  get size(): number {
    return this.#entries.length
  }

  /** The number of an ArrayBuffer of which bytes `from` to `to` are used. */
  use(memory: ArrayBuffer, from: number, to: number): number {
    const known = this.#byMemory?.get(memory)
    if (known === undefined) {
      this.#byMemory ??= new Map()
      this.#byMemory.set(memory, this.#entries.length)
      return this.useAlone(memory, from, to)
    }
    const entry = this.#entries[known] as Entry
    if (from < entry.from) entry.from = from
    if (to > entry.to) entry.to = to
    return known
  }

  /** The same for bytes that share their ArrayBuffer by accident, as small Buffers of Node's pool do. */
  useAlone(memory: ArrayBuffer, from: number, to: number): number {
    return this.#entries.push({ memory, from, to }) - 1
  }

  /** Writes the table; returns what travels out of band. */
  write(writer: ByteWriter): Uint8Array[] {
    const outOfBand: Uint8Array[] = []
    const start = writer.length
    writer.varint(this.#entries.length)
    for (const { memory, from, to } of this.#entries) {
      const base = from - (from % spanAlignment)
      const bytes = new Uint8Array(memory, base, to - base)
      const { resizable = false, maxByteLength = 0 } = memory as Resizable
      const isLarge = bytes.length >= outOfBandBytes && !resizable
      writer.byte(isLarge ? bufferKind.outOfBand : resizable ? bufferKind.resizable : bufferKind.inband)
      writer.varint(base)
      if (resizable) writer.varint(maxByteLength)
      writer.varint(bytes.length)
      if (isLarge) outOfBand.push(bytes)
      else writer.raw(bytes)
    }
    writer.u32(writer.length - start)
    return outOfBand
  }
}

export interface DecodedBuffer {
  readonly memory: ArrayBuffer
  /** Where the memory begins in the ArrayBuffer that was written. */
  readonly base: number
}

/** What is made of a buffer that travelled out of band; `base`: where it began in its ArrayBuffer. */
export type TakeBuffer = (bytes: Uint8Array | undefined, length: number, base: number) => DecodedBuffer

/** Reads the table at the end of the reader's bytes and takes it off them. */
export function readBuffers(
  reader: ByteReader,
  outOfBand: readonly Uint8Array[],
  take: TakeBuffer = ownBuffer,
): DecodedBuffer[] {
  if (reader.end < reader.pos + 4) throw malformed('its table of buffers is missing')
  const lengthAt = reader.end - 4
  const start = lengthAt - reader.bytes.readUInt32LE(lengthAt)
  if (start < reader.pos) throw malformed('its table of buffers is longer than its bytes')
  const table = new ByteReader(reader.bytes.subarray(start, lengthAt))
  reader.end = start
  let next = 0
  const buffers = Array.from({ length: table.count(3) }, () => {
    const kind = table.byte()
    const base = table.varint()
    const maxByteLength = kind === bufferKind.resizable ? table.varint() : 0
    const length = table.varint()
    if (kind === bufferKind.outOfBand) return take(outOfBand[next++], length, base)
    const at = table.take(length)
    const bytes = table.bytes.subarray(at, at + length)
    if (kind === bufferKind.inband) return { base, memory: copyOf(bytes) }
    if (kind === bufferKind.resizable) return { base, memory: resizableOf(bytes, maxByteLength) }
    throw malformed(`a buffer of kind ${kind}`)
  })
  if (next !== outOfBand.length) throw malformed('it does not use all of its buffers')
  return buffers
}

/**
 * A buffer that has an ArrayBuffer to itself is taken over as it is; part of a larger one (a received frame, a mapped
 * object) is copied, since programs use `view.buffer` and may write to what they got.
 */
function ownBuffer(bytes: Uint8Array | undefined, length: number, base: number): DecodedBuffer {
  if (bytes === undefined || bytes.length !== length) throw malformed('an out-of-band buffer is missing')
  const { buffer } = bytes
  return { base, memory: buffer instanceof ArrayBuffer && buffer.byteLength === length ? buffer : copyOf(bytes) }
}

/** Memory of its own with the same bytes. */
export function copyOf(bytes: Uint8Array): ArrayBuffer {
  const memory = new ArrayBuffer(bytes.length)
  new Uint8Array(memory).set(bytes)
  return memory
}

function resizableOf(bytes: Uint8Array, maxByteLength: number): ArrayBuffer {
  const Constructor = ArrayBuffer as unknown as new (
    length: number,
    options: { readonly maxByteLength: number },
  ) => ArrayBuffer
  const memory = new Constructor(bytes.length, { maxByteLength })
  new Uint8Array(memory).set(bytes)
  return memory
}
