/** Links that carry frames of bytes: over a byte stream (unix socket) and over a WebSocket. */
import type { Duplex } from 'node:stream'
import { ConnectionLostError, ProtocolError } from '../base/errors.ts'
import { frameBytes, linkHighWaterBytes, linkQuietMs, maxFrameBytes } from '../base/limits.ts'
import { clearInterval, nextTick, setInterval } from '../base/timers.ts'
import { decodeFrame, FrameBuilder, FrameSplitter, prefixBytes } from '../protocol/frames.ts'
import type { WireMessage } from '../protocol/frames.ts'
import type { PeerHello } from './hello.ts'
import { describePeer, LinkCore, lostText } from './link.ts'
import {
  cutOffLater,
  endGently,
  peerAddress,
  restOf,
  setKeepAlive,
  setReferenced,
  type MessageSocket,
} from './sockets.ts'

/** A frame without messages. */
const emptyFrame = new FrameBuilder(frameBytes).take()

abstract class FramedLink extends LinkCore {
  protected readonly socket: Duplex
  readonly #builder: FrameBuilder
  readonly #flushSoon: () => void
  #flushScheduled = false
  #isQuiet = true

  constructor(socket: Duplex, peer: PeerHello, frameLimitBytes: number) {
    super(peer)
    this.socket = socket
    this.#builder = new FrameBuilder(frameLimitBytes)
    this.#flushSoon = () => {
      this.#flushScheduled = false
      this.flush()
    }
    setKeepAlive(socket)
    socket.on('error', (error: Error) => this.lost(error))
    socket.on('close', () => this.lost(undefined))
    if (peerAddress(socket) !== '') this.#stayAwake()
  }

  /**
   * What lies between two machines may end connections that are idle; a task that runs for long would end with them. The
   * probes of the kernel are nothing to a proxy.
   */
  #stayAwake(): void {
    const timer = setInterval(() => {
      if (this.#isQuiet && !this.closed && this.queuedBytes === 0) this.beat()
      this.#isQuiet = true
    }, linkQuietMs)
    timer.unref()
    this.socket.once('close', () => clearInterval(timer))
  }

  /** Writes something that says nothing. */
  protected abstract beat(): void
  /** Writes one frame, prefix included; true when every byte written so far has left this process. */
  protected abstract write(frame: Buffer): boolean
  protected abstract readonly queuedBytes: number

  get bufferedBytes(): number {
    return this.#builder.byteLength + this.queuedBytes
  }

  send(message: WireMessage): void {
    if (this.closed) return
    if (this.#builder.append(message)) this.flush()
    else if (!this.#flushScheduled) {
      this.#flushScheduled = true
      nextTick(this.#flushSoon)
    }
  }

  flush(): void {
    if (this.#builder.count === 0 || this.closed) return
    this.#isQuiet = false
    if (this.write(this.#builder.take())) this.#builder.recycle()
  }

  async drained(): Promise<void> {
    while (!this.closed && this.bufferedBytes > linkHighWaterBytes) {
      this.flush()
      if (this.queuedBytes === 0) return
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.socket.off('drain', done).off('close', done)
          resolve()
        }
        this.socket.on('drain', done).on('close', done)
      })
    }
  }

  ref(): void {
    setReferenced(this.socket, true)
  }

  unref(): void {
    setReferenced(this.socket, false)
  }

  /** Decodes one frame and delivers it; what breaks the protocol closes the link. */
  protected receive(bytes: Buffer, start: number, stop: number): void {
    if (this.closed) return
    let messages: WireMessage[]
    try {
      messages = decodeFrame(bytes, start, stop)
    } catch (error) {
      return this.broken(error)
    }
    this.deliver(messages)
  }

  protected broken(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    this.fault(new ProtocolError(`${describePeer(this.peer)}: ${text}`, { cause: error }))
  }

  protected lost(cause: Error | undefined): void {
    const text = lostText(this.peer, cause?.message ?? 'the other side closed it')
    this.finish(new ConnectionLostError(text, cause === undefined ? {} : { cause }), false)
  }
}

/** Length-prefixed frames on a connected socket (a unix socket, or one that was upgraded to a plain byte stream). */
export class StreamLink extends FramedLink {
  readonly kind = 'unix'
  readonly #written: (error?: Error | null) => void

  constructor(socket: Duplex, peer: PeerHello, frameLimitBytes: number = maxFrameBytes) {
    super(socket, peer, frameLimitBytes)
    const splitter = new FrameSplitter(frameLimitBytes, (bytes, start, stop) => this.receive(bytes, start, stop))
    const read = (chunk: Buffer): void => {
      if (this.closed) return
      try {
        splitter.push(chunk)
      } catch (error) {
        this.broken(error)
      }
    }
    socket.on('data', read)
    socket.on('end', () => this.lost(undefined))
    // A worker that has ended answered before that what it answered, whether or not it was written to since.
    this.#written = (error) => {
      if (error && !this.closed) for (const chunk of restOf(socket)) read(chunk)
    }
  }

  protected get queuedBytes(): number {
    return this.socket.writableLength
  }

  protected write(frame: Buffer): boolean {
    this.socket.write(frame, this.#written)
    // A socket that took everything in its synchronous attempt reports nothing buffered.
    return this.socket.writableLength === 0
  }

  protected beat(): void {
    this.socket.write(emptyFrame, this.#written)
  }

  protected shut(graceful: boolean): void {
    if (graceful) endGently(this.socket)
    else this.socket.destroy()
  }

  protected pauseReading(): void {
    this.socket.pause()
  }

  protected resumeReading(): void {
    if (!this.closed) this.socket.resume()
  }
}

/** One binary WebSocket message per frame. `socket` is the one below `webSocket`. */
export class WebSocketLink extends FramedLink {
  readonly kind = 'websocket'
  readonly #webSocket: MessageSocket

  constructor(webSocket: MessageSocket, socket: Duplex, peer: PeerHello) {
    super(socket, peer, maxFrameBytes)
    this.#webSocket = webSocket
    webSocket.on('message', (data: Buffer, isBinary: boolean) => {
      if (isBinary) this.receive(data, 0, data.length)
      else this.broken(new ProtocolError('a text message came on a binary protocol'))
    })
    webSocket.on('error', (error: Error) => this.broken(error))
    webSocket.on('close', () => this.lost(undefined))
  }

  protected get queuedBytes(): number {
    return this.#webSocket.bufferedAmount
  }

  protected write(frame: Buffer): boolean {
    this.#webSocket.send(frame.subarray(prefixBytes), { binary: true, compress: false })
    return this.#webSocket.bufferedAmount === 0
  }

  /** Is answered by the other side as soon as it has time. */
  protected beat(): void {
    this.#webSocket.ping()
  }

  protected shut(graceful: boolean): void {
    if (!graceful) return this.#webSocket.terminate()
    this.#webSocket.close(1000)
    cutOffLater(this.#webSocket, this.socket)
  }

  protected pauseReading(): void {
    this.#webSocket.pause()
  }

  protected resumeReading(): void {
    if (!this.closed) this.#webSocket.resume()
  }
}
