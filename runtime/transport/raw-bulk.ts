/**
 * A bulk channel on a bare TCP connection, behind an HTTP upgrade at a node's one port. The kernel writes what it
 * receives straight to where a chunk is to be (`sink`): measured 1.9 to 3 GB/s on one loop, where a stream of buffers
 * that are joined afterwards takes 1.
 *
 *     GET .. Upgrade: outpool-raw | hello ─▶          ◀─ 101 | welcome          then chunks, each with its length
 */
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { afterFairly, systemClock } from '../base/clock.ts'
import { ConnectionLostError, ProtocolError } from '../base/errors.ts'
import { prefixBytes } from '../protocol/frames.ts'
import { routesPath } from '../protocol/version.ts'
import { atAddress, notConnected, silent } from './address-error.ts'
import { FramedBulk, maxBulkFrameBytes } from './bulk.ts'
import type { BulkChannel, ChunkSink } from './bulk.ts'
import { decodeAnswer, encodeHello } from './hello.ts'
import type { Hello, PeerHello } from './hello.ts'
import { ReadTurn } from './read-turn.ts'
import { ignore } from './sockets.ts'
import { hostAndPort } from './splice.ts'
import { environmentTls } from './tls-environment.ts'
import { parseAnswer, upgradeRequest } from './upgrade.ts'

export interface RawBulkOptions {
  /** `ws://host:port` of a node. */
  readonly url: string
  readonly hello: Hello
  readonly token: string
  readonly timeoutMs: number
}

/** Who takes what is received: first the handshake, then the channel. */
interface Reader {
  /** Where the next bytes go. */
  next(): Uint8Array
  /** So many bytes have come, into `buffer`. False: no more for now. */
  arrived(count: number, buffer: Uint8Array): boolean
}

const scratchBytes = 64 * 1024

/** Of all channels of this process. As long as bytes keep coming, libuv reads 32 times before it looks at anything else. */
const turn = new ReadTurn()

/** Rejects as `dial` does. */
export async function openRawBulk({ url, hello, token, timeoutMs }: RawBulkOptions): Promise<BulkChannel> {
  // It refuses an address in the clear where that is not wanted.
  environmentTls(url)
  return new Promise<BulkChannel>((resolve, reject) => {
    const { host, port } = hostAndPort(url)
    const fail = (error: unknown): void => {
      timer.cancel()
      socket.destroy()
      reject(atAddress(error, url))
    }
    const welcomed = (peer: PeerHello, rest: Buffer): void => {
      timer.cancel()
      socket.off('error', broke).off('close', closed)
      const channel = new RawBulk(socket, peer)
      reader = channel
      resolve(channel)
      channel.begin(rest)
    }
    let reader: Reader = new Handshake(url, welcomed, fail)
    const socket = connect({
      ...{ host, port, allowHalfOpen: true, noDelay: true },
      onread: {
        // Asked before each read; Node's types know the fixed buffer alone.
        buffer: (() => reader.next()) as unknown as Uint8Array,
        callback: (count, buffer) => reader.arrived(count, buffer),
      },
    })
    const broke = (cause: NodeJS.ErrnoException): void => {
      fail(isConnected ? cause : notConnected(url, cause, cause.message))
    }
    const closed = (): void => fail(new ConnectionLostError('the other side closed the connection in the handshake'))
    const late = (): void =>
      fail(isConnected ? silent(url, timeoutMs) : notConnected(url, new Error(`no connection within ${timeoutMs} ms`)))
    const timer = afterFairly(systemClock, timeoutMs, late, true)
    let isConnected = false
    socket.once('connect', () => (isConnected = true))
    socket.on('error', ignore).on('error', broke).on('close', closed)
    socket.write(upgradeRequest({ url, path: `${routesPath}/process/any`, protocol: 'outpool-raw', token }))
    socket.write(encodeHello(hello, token))
  })
}

/** The same on a connection that is there already, where the kernel cannot be told where to write: one copy more. */
export function receiveRaw(socket: Duplex, peer: PeerHello): BulkChannel {
  const channel = new RawBulk(socket, peer)
  socket.on('data', (bytes: Buffer) => channel.take(bytes))
  return channel
}

class Handshake implements Reader {
  readonly #url: string
  readonly #welcomed: (peer: PeerHello, rest: Buffer) => void
  readonly #fail: (error: unknown) => void
  readonly #scratch = Buffer.allocUnsafeSlow(scratchBytes)
  #bytes: Buffer = Buffer.alloc(0)
  #upgraded = false

  constructor(url: string, welcomed: (peer: PeerHello, rest: Buffer) => void, fail: (error: unknown) => void) {
    this.#url = url
    this.#welcomed = welcomed
    this.#fail = fail
  }

  next(): Uint8Array {
    return this.#scratch
  }

  arrived(count: number): boolean {
    this.#bytes = Buffer.concat([this.#bytes, this.#scratch.subarray(0, count)])
    try {
      if (!this.#upgraded) {
        const answer = parseAnswer(this.#bytes, this.#url)
        if (answer === undefined) return true
        this.#upgraded = true
        this.#bytes = this.#bytes.subarray(answer.used)
      }
      const welcome = decodeAnswer(this.#bytes)
      if (welcome !== undefined) this.#welcomed(welcome.peer, this.#bytes.subarray(welcome.used))
    } catch (error) {
      this.#fail(error)
    }
    return true
  }
}

/** A chunk that is being received. */
interface Arriving {
  readonly bytes: Uint8Array
  filled: number
  /** It goes to the sink; else to `onChunk`. */
  readonly isDirect: boolean
}

class RawBulk extends FramedBulk implements Reader {
  sink: ChunkSink | undefined
  readonly #scratch = Buffer.allocUnsafeSlow(scratchBytes)
  readonly #prefix = Buffer.alloc(prefixBytes)
  #prefixFilled = 0
  #arriving: Arriving | undefined
  #isPaused = false
  /** Nothing more is read before the next turn of the loop. */
  #isYielding = false

  constructor(socket: Duplex, peer: PeerHello) {
    super(socket, peer)
    socket.on('end', () => {
      const atBoundary = this.#arriving === undefined && this.#prefixFilled === 0
      this.fail(new Error(atBoundary ? 'the other side is gone' : 'it ended inside a chunk'))
    })
    socket.on('error', (error: Error) => this.fail(error))
    socket.on('close', () => this.fail(new Error('the connection broke')))
  }

  /** What had come behind the handshake. */
  begin(rest: Buffer): void {
    this.#parse(rest)
  }

  next(): Uint8Array {
    const { bytes, filled } = this.#arriving ?? { bytes: this.#scratch, filled: 0 }
    return bytes.subarray(filled)
  }

  arrived(count: number, buffer: Uint8Array): boolean {
    if (this.closed) return false
    try {
      if (buffer.buffer === this.#scratch.buffer) this.#parse(this.#scratch.subarray(0, count))
      else if (this.#arriving !== undefined) {
        this.#arriving.filled += count
        this.#deliver(this.#arriving)
      }
    } catch (error) {
      this.fail(error)
    }
    this.#yieldIfLate()
    return !this.#isPaused && !this.#isYielding
  }

  /** Bytes in memory of somebody else. */
  take(bytes: Buffer): void {
    if (this.closed) return
    try {
      this.#parse(bytes)
    } catch (error) {
      this.fail(error)
    }
    this.#yieldIfLate()
  }

  protected override setPaused(paused: boolean): void {
    this.#isPaused = paused
    if (!this.#isYielding) super.setPaused(paused)
  }

  #yieldIfLate(): void {
    if (this.#isYielding || this.closed || turn.hasTime(() => this.#nextTurn())) return
    this.#isYielding = true
    super.setPaused(true)
  }

  #nextTurn(): void {
    this.#isYielding = false
    if (!this.#isPaused && !this.closed) super.setPaused(false)
  }

  #parse(bytes: Buffer): void {
    for (let at = 0; at < bytes.length && !this.closed;) {
      if (this.#arriving === undefined) {
        const taken = bytes.copy(this.#prefix, this.#prefixFilled, at, at + prefixBytes - this.#prefixFilled)
        this.#prefixFilled += taken
        at += taken
        if (this.#prefixFilled === prefixBytes) this.#begun(this.#prefix.readUInt32BE())
      } else {
        const { bytes: target, filled } = this.#arriving
        const part = bytes.subarray(at, at + target.length - filled)
        target.set(part, filled)
        at += part.length
        this.#arriving.filled += part.length
        this.#deliver(this.#arriving)
      }
    }
  }

  #begun(length: number): void {
    this.#prefixFilled = 0
    if (length === 0) return this.finish(null, true)
    if (length > maxBulkFrameBytes) throw new ProtocolError(`a chunk of ${length} bytes is over the limit`)
    // Behind chunks that are still being taken there is no place for this one yet.
    const room = this.isTaking ? undefined : this.sink?.room(length)
    this.#arriving = { bytes: room ?? Buffer.allocUnsafeSlow(length), filled: 0, isDirect: room !== undefined }
  }

  #deliver(arriving: Arriving): void {
    const { bytes, filled, isDirect } = arriving
    if (filled < bytes.length) return
    this.#arriving = undefined
    if (isDirect) this.sink?.filled(filled)
    else this.receive(bytes as Buffer)
  }
}
