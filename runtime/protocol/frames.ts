/**
 * Frames: what is written to a peer at once. On a byte stream a frame is
 *
 *   | u32 body length | 0xdd | u32 message count | message | message | ...
 *
 * and its body alone is one WebSocket message. The body is one MessagePack array. Big endian throughout.
 */
import { ProtocolError } from '../base/errors.ts'
import { frameBytes, frameMessages } from '../base/limits.ts'
import { decodeMessages, encodeMessage } from './message-codec.ts'
import type { GrowingBytes, WireMessage } from './message-codec.ts'

export type { WireMessage } from './message-codec.ts'

/** Bytes of the length prefix on a byte stream. */
export const prefixBytes = 4
const headerBytes = prefixBytes + 5
const initialSlabBytes = 4 * 1024
/** A slab above this (one giant message made it grow) is not kept for the next frames. */
const largestKeptSlabBytes = 4 * frameBytes

/**
 * Collects messages into the current frame. Messages are encoded as they are appended, so a caller may reuse its
 * buffers, and an unencodable message fails where it is sent. Frames are cut out of a slab which is reused from its
 * beginning as soon as the transport says (`recycle`) that everything was written.
 */
export class FrameBuilder {
  /** Messages in the current frame. */
  count = 0
  readonly #maxFrameBytes: number
  readonly #slab: GrowingBytes = { bytes: Buffer.allocUnsafeSlow(initialSlabBytes), length: headerBytes }
  #start = 0

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Bytes in the current frame. */
  get byteLength(): number {
    return this.count === 0 ? 0 : this.#slab.length - this.#start
  }

  /** Appends a message; true when the frame must be written now. Throws ProtocolError for what cannot travel. */
  append(message: WireMessage): boolean {
    const slab = this.#slab
    const before = slab.length
    encodeMessage(message, slab)
    const bodyBytes = slab.length - this.#start - prefixBytes
    if (bodyBytes > this.#maxFrameBytes) {
      const messageBytes = slab.length - before
      slab.length = before
      throw new ProtocolError(
        `a message of type ${message[0]} takes ${messageBytes} bytes, ` +
          `over the limit of ${this.#maxFrameBytes} for a frame; send large values through the object store`,
      )
    }
    this.count++
    return this.count >= frameMessages || bodyBytes >= frameBytes
  }

  /** Closes the current frame and returns it, length prefix included. The bytes stay valid until `recycle`. */
  take(): Buffer {
    const slab = this.#slab
    const { bytes } = slab
    const start = this.#start
    const stop = slab.length
    bytes.writeUInt32BE(stop - start - prefixBytes, start)
    bytes[start + 4] = 0xdd
    bytes.writeUInt32BE(this.count, start + 5)
    this.count = 0
    if (bytes.length > largestKeptSlabBytes) this.#renew(initialSlabBytes)
    else if (bytes.length - stop < bytes.length / 4) this.#renew(bytes.length)
    else this.#begin(stop)
    return bytes.subarray(start, stop)
  }

  /** Everything that was taken has been written: its memory may be overwritten. */
  recycle(): void {
    if (this.count === 0) this.#begin(0)
  }

  #renew(sizeBytes: number): void {
    this.#slab.bytes = Buffer.allocUnsafeSlow(sizeBytes)
    this.#begin(0)
  }

  #begin(start: number): void {
    this.#start = start
    this.#slab.length = start + headerBytes
  }
}

/** The messages of one frame body, `bytes[start..stop)`. Throws ProtocolError. */
export function decodeFrame(bytes: Buffer, start: number = 0, stop: number = bytes.length): WireMessage[] {
  if (stop - start < 5 || bytes[start] !== 0xdd)
    throw new ProtocolError('malformed frame: it does not begin as a list of messages')
  return decodeMessages(bytes, start + 5, stop, bytes.readUInt32BE(start + 1))
}

/**
 * Cuts a byte stream into frames. A frame that lies within one chunk is handed out in place; one that spans chunks is
 * gathered in a buffer of its exact size, so each byte is copied at most once. A length over the limit is refused
 * before anything is allocated for it.
 */
export class FrameSplitter {
  readonly #maxBodyBytes: number
  readonly #onFrame: (bytes: Buffer, start: number, stop: number) => void
  /** The length prefix, while it is split over chunks. */
  readonly #prefix: Buffer = Buffer.alloc(prefixBytes)
  #prefixFilled = 0
  #partial: Buffer | undefined
  #filled = 0

  constructor(maxBodyBytes: number, onFrame: (bytes: Buffer, start: number, stop: number) => void) {
    this.#maxBodyBytes = maxBodyBytes
    this.#onFrame = onFrame
  }

  /** True between frames: an end of the stream here is a clean one. */
  get atBoundary(): boolean {
    return this.#partial === undefined && this.#prefixFilled === 0
  }

  /** Throws ProtocolError for a length over the limit, and whatever `onFrame` throws; then the stream is unusable. */
  push(chunk: Buffer): void {
    let offset = 0
    while (offset < chunk.length) {
      if (this.#partial !== undefined) offset = this.#fill(this.#partial, chunk, offset)
      else offset = this.#next(chunk, offset)
    }
  }

  #fill(partial: Buffer, chunk: Buffer, offset: number): number {
    const taken = chunk.copy(partial, this.#filled, offset)
    this.#filled += taken
    if (this.#filled === partial.length) {
      this.#partial = undefined
      this.#onFrame(partial, 0, partial.length)
    }
    return offset + taken
  }

  #next(chunk: Buffer, offset: number): number {
    let at = offset
    let size: number
    if (this.#prefixFilled === 0 && chunk.length - at >= prefixBytes) {
      size = chunk.readUInt32BE(at)
      at += prefixBytes
    } else {
      const taken = chunk.copy(this.#prefix, this.#prefixFilled, at, at + prefixBytes - this.#prefixFilled)
      this.#prefixFilled += taken
      at += taken
      if (this.#prefixFilled < prefixBytes) return at
      size = this.#prefix.readUInt32BE(0)
      this.#prefixFilled = 0
    }
    if (size > this.#maxBodyBytes)
      throw new ProtocolError(`a frame of ${size} bytes was announced, the limit is ${this.#maxBodyBytes}`, {
        details: { sizeBytes: size, limitBytes: this.#maxBodyBytes },
      })
    if (chunk.length - at >= size) {
      this.#onFrame(chunk, at, at + size)
      return at + size
    }
    this.#partial = Buffer.allocUnsafeSlow(size)
    this.#filled = 0
    return at
  }
}
