/**
 * The bulk channel: chunks of objects on a connection of their own, so that no control message waits behind them. A
 * chunk is one length-prefixed frame on a byte stream and one binary message on a WebSocket. An empty frame says that
 * the end is in order: the end of the stream alone is also what a crash looks like.
 */
import type { Duplex } from 'node:stream'
import { ConnectionLostError, OutpoolError, ProtocolError } from '../base/errors.ts'
import { bulkHeaderBytes, chunkBytes } from '../base/limits.ts'
import { queueMicrotask } from '../base/timers.ts'
import { FrameSplitter, prefixBytes } from '../protocol/frames.ts'
import type { PeerHello } from './hello.ts'
import { describePeer } from './link.ts'
import { cutOffLater, endGently, setKeepAlive, type MessageSocket } from './sockets.ts'

/** The most bytes of one chunk, its header included. */
export const maxBulkFrameBytes: number = chunkBytes + bulkHeaderBytes
/** Received chunks that wait for `onChunk` before reading pauses. */
const maxWaitingChunks = 4

/** Memory of the receiver's own, into which chunks are read without a copy in between. */
export interface ChunkSink {
  /** Where the next chunk goes, `length` bytes; undefined: it is to come by `onChunk`. Throws where it is not wanted. */
  room(length: number): Uint8Array | undefined
  /** That chunk is there. */
  filled(length: number): void
}

export interface BulkChannel {
  readonly peer: PeerHello
  readonly closed: boolean
  /**
   * Sends one chunk, at most 1 MiB and its header. Resolves when its bytes have left this process, so that they may
   * be overwritten; several may be under way at once. Rejects with ConnectionLostError when the channel closed.
   */
  send(chunk: Uint8Array): Promise<void>
  /** Called per chunk, in order, with memory of its own; while the promise it returns is pending, reading pauses. */
  onChunk(chunk: Buffer): void | Promise<void>
  /** Set where chunks should be read straight to; a channel that cannot do so ignores it, and calls `onChunk`. */
  sink?: ChunkSink | undefined
  /** Called once, after the last chunk; null when either side closed in order. */
  onClose(reason: Error | null): void
  /** Ends the channel after what was sent; with a reason, at once. */
  close(reason?: Error): void
}

type ChunkHandler = (chunk: Buffer) => void | Promise<void>
type CloseHandler = (reason: Error | null) => void

export abstract class BulkCore implements BulkChannel {
  readonly peer: PeerHello
  /** Called when this side ends the channel because what came by it is no chunk, before `onClose`. */
  onFault: ((error: Error) => void) | undefined
  protected readonly socket: Duplex
  #onChunk: ChunkHandler | undefined
  #onClose: CloseHandler | undefined
  #waiting: Buffer[] = []
  #pumping = false
  #paused = false
  /** Why the channel is over: null for an end in order, undefined while it is open. */
  #end: Error | null | undefined
  #endTold = false

  constructor(socket: Duplex, peer: PeerHello) {
    this.socket = socket
    this.peer = peer
    setKeepAlive(socket)
  }

  protected abstract write(chunk: Uint8Array, written: (error?: Error | null) => void): void
  protected abstract shut(graceful: boolean): void
  protected abstract setPaused(paused: boolean): void

  get closed(): boolean {
    return this.#end !== undefined
  }

  get onChunk(): ChunkHandler {
    return this.#onChunk ?? (() => {})
  }

  set onChunk(handler: ChunkHandler) {
    this.#onChunk = handler
    queueMicrotask(() => void this.#pump())
  }

  get onClose(): CloseHandler {
    return this.#onClose ?? (() => {})
  }

  set onClose(handler: CloseHandler) {
    this.#onClose = handler
    queueMicrotask(() => this.#tellEnd())
  }

  send(chunk: Uint8Array): Promise<void> {
    if (chunk.length > maxBulkFrameBytes)
      return Promise.reject(
        new ProtocolError(`a chunk of ${chunk.length} bytes is over the ${maxBulkFrameBytes} allowed`),
      )
    if (this.#end !== undefined) return Promise.reject(this.#lost(this.#end))
    if (chunk.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      this.write(chunk, (error) => {
        if (error === undefined || error === null) resolve()
        else reject(this.#lost(error))
      })
    })
  }

  close(reason?: Error): void {
    this.finish(reason ?? null, reason === undefined)
  }

  /** Whether chunks that came are still being taken. */
  protected get isTaking(): boolean {
    return this.#pumping || this.#waiting.length > 0
  }

  protected receive(chunk: Buffer): void {
    if (this.#end !== undefined) return
    this.#waiting.push(chunk)
    if (this.#waiting.length >= maxWaitingChunks && !this.#paused) this.#setPaused(true)
    if (this.#onChunk !== undefined) void this.#pump()
  }

  protected finish(end: Error | null, graceful: boolean): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.shut(graceful)
    queueMicrotask(() => this.#tellEnd())
  }

  protected fail(error: unknown): void {
    if (error instanceof ProtocolError) this.tellFault(error)
    if (error instanceof OutpoolError) this.finish(error, false)
    else this.finish(this.#lost(error), false)
  }

  protected tellFault(cause: Error): void {
    if (this.#end === undefined)
      this.onFault?.(new ProtocolError(`${describePeer(this.peer)}: ${cause.message}`, { cause }))
  }

  async #pump(): Promise<void> {
    if (this.#pumping) return
    this.#pumping = true
    let chunk: Buffer | undefined
    while ((chunk = this.#waiting.shift()) !== undefined) {
      try {
        const pending = (this.#onChunk as ChunkHandler)(chunk)
        if (pending !== undefined) {
          if (!this.#paused) this.#setPaused(true)
          await pending
        }
      } catch (error) {
        this.#waiting = []
        this.fail(error)
      }
    }
    this.#pumping = false
    if (this.#paused) this.#setPaused(false)
    this.#tellEnd()
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused
    if (this.#end === undefined) this.setPaused(paused)
  }

  #tellEnd(): void {
    if (this.#endTold || this.#end === undefined || this.#onClose === undefined) return
    if (this.#pumping || this.#waiting.length > 0) return
    this.#endTold = true
    this.#onClose(this.#end)
  }

  #lost(cause: unknown): ConnectionLostError {
    const how = cause instanceof Error ? cause.message : 'it was closed'
    return new ConnectionLostError(`the bulk channel with ${describePeer(this.peer)} is lost: ${how}`, { cause })
  }
}

/** Chunks as length-prefixed frames on a byte stream: the writing side. */
export abstract class FramedBulk extends BulkCore {
  protected write(chunk: Uint8Array, written: (error?: Error | null) => void): void {
    const prefix = Buffer.allocUnsafe(prefixBytes)
    prefix.writeUInt32BE(chunk.length)
    this.socket.cork()
    this.socket.write(prefix)
    this.socket.write(chunk, written)
    this.socket.uncork()
  }

  protected shut(graceful: boolean): void {
    if (!graceful) return void this.socket.destroy()
    if (this.socket.writable) this.socket.write(Buffer.alloc(prefixBytes))
    endGently(this.socket)
  }

  protected setPaused(paused: boolean): void {
    if (paused) this.socket.pause()
    else this.socket.resume()
  }
}

export class StreamBulk extends FramedBulk {
  constructor(socket: Duplex, peer: PeerHello) {
    super(socket, peer)
    const splitter = new FrameSplitter(maxBulkFrameBytes, (bytes, start, stop) => {
      if (start === stop) this.finish(null, true)
      else this.receive(bytes.subarray(start, stop))
    })
    socket.on('data', (data: Buffer) => {
      try {
        splitter.push(data)
      } catch (error) {
        this.fail(error)
      }
    })
    socket.on('end', () => {
      this.fail(new Error(splitter.atBoundary ? 'the other side is gone' : 'it ended inside a chunk'))
    })
    socket.on('error', (error: Error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the connection broke')))
  }
}

export class WebSocketBulk extends BulkCore {
  readonly #webSocket: MessageSocket

  constructor(webSocket: MessageSocket, socket: Duplex, peer: PeerHello) {
    super(socket, peer)
    this.#webSocket = webSocket
    webSocket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary && data.length <= maxBulkFrameBytes) this.receive(data)
      else this.fail(new ProtocolError(`a bulk message of ${data.length} bytes is not a chunk`))
    })
    webSocket.on('error', (error: Error) => {
      this.tellFault(error)
      this.fail(error)
    })
    webSocket.on('close', (code: number) => {
      if (code === 1000) this.finish(null, true)
      else this.fail(new Error(`the connection broke (${code})`))
    })
  }

  protected write(chunk: Uint8Array, written: (error?: Error | null) => void): void {
    this.#webSocket.send(chunk, { binary: true, compress: false }, written)
  }

  protected shut(graceful: boolean): void {
    if (!graceful) return this.#webSocket.terminate()
    this.#webSocket.close(1000)
    cutOffLater(this.#webSocket, this.socket)
  }

  protected setPaused(paused: boolean): void {
    if (paused) this.#webSocket.pause()
    else this.#webSocket.resume()
  }
}
