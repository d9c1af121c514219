/**
 * An object on its way from one process to another, over a channel of its own, in chunks of at most 1 MiB:
 *
 *   puller ── {"key"} ──▶ holder
 *   puller ◀── {"sizeBytes"} | {"error"} ── holder
 *   puller ◀── chunk, chunk, ... until sizeBytes are there ── holder          then the next key, if any
 *
 * Both sides keep back-pressure: the holder reads the next chunk while one is being written to the channel, the puller
 * lets the channel wait while the store writes. A holder that fails within an object ends the channel.
 */
import type { Clock } from '../base/clock.ts'
import { ObjectLostError, ProtocolError, RequestTimeoutError } from '../base/errors.ts'
import { chunkBytes } from '../base/limits.ts'
import type { ObjectStore, ObjectWriter } from './store.ts'

/** The bulk channel of the transport, as much of it as a transfer uses. */
export interface ChunkChannel {
  readonly closed: boolean
  send(chunk: Uint8Array): Promise<void>
  onChunk(chunk: Buffer): void | Promise<void>
  onClose(reason: Error | null): void
  close(reason?: Error): void
}

/** A request names one key; nothing in it is long. */
const maxRequestBytes = 1024

/** Serves requests from `store` until the channel ends. */
export function serveObjects(channel: ChunkChannel, store: ObjectStore): void {
  channel.onClose = () => {}
  // While the promise is pending, the channel reads no further request.
  channel.onChunk = (request) =>
    serveOne(channel, store, request).catch((error: unknown) => {
      channel.close(error instanceof Error ? error : new Error(String(error)))
    })
}

async function serveOne(channel: ChunkChannel, store: ObjectStore, request: Buffer): Promise<void> {
  const key = parseRequest(request)
  let sizeBytes: number | undefined
  try {
    sizeBytes = await store.size(key)
  } catch (error) {
    return channel.send(jsonChunk({ error: (error as Error).message }))
  }
  if (sizeBytes === undefined) return channel.send(jsonChunk({ error: 'it does not have the object (any more)' }))
  await channel.send(jsonChunk({ sizeBytes }))
  let sending: Promise<void> = Promise.resolve()
  for (let offset = 0; offset < sizeBytes; offset += chunkBytes) {
    const chunk = await store.read(key, offset, Math.min(chunkBytes, sizeBytes - offset))
    if (chunk.length !== Math.min(chunkBytes, sizeBytes - offset))
      throw new ObjectLostError(`object ${key} became shorter while it was sent`)
    await sending
    sending = channel.send(chunk)
    // It is awaited in the next turn of the loop; until then a rejection must not count as unhandled.
    sending.catch(() => {})
  }
  await sending
}

function parseRequest(request: Buffer): string {
  if (request.length <= maxRequestBytes) {
    const value = parsePlain(request)
    if (typeof value['key'] === 'string') return value['key']
  }
  throw new ProtocolError('a request on a bulk channel names no key')
}

export interface FetchOptions {
  readonly key: string
  readonly store: ObjectStore
  readonly clock: Clock
  /** How long the holder may send nothing. */
  readonly silenceMs: number
}

/**
 * Brings one object into `store` over a channel that nobody else uses meanwhile. Resolves when it is sealed; afterwards
 * the channel is free for the next one. Rejects with the holder's reason, ConnectionLostError, RequestTimeoutError or
 * what the store says; what was written is then aborted, and the channel is closed unless the holder merely refused.
 */
export async function fetchObject(channel: ChunkChannel, options: FetchOptions): Promise<void> {
  const fetch = new Fetch(channel, options)
  return fetch.run()
}

class Fetch {
  readonly #channel: ChunkChannel
  readonly #options: FetchOptions
  #writer: ObjectWriter | undefined
  #offset = 0
  #resolve!: () => void
  #reject!: (reason: Error) => void
  /** Pending store calls; settled before anything is aborted. */
  #storing: Promise<void> = Promise.resolve()

  constructor(channel: ChunkChannel, options: FetchOptions) {
    this.#channel = channel
    this.#options = options
  }

  async run(): Promise<void> {
    const { clock, silenceMs, key } = this.#options
    const finished = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // It may reject while the request is still being written, before anybody waits.
    finished.catch(() => {})
    let heardOffset = -1
    let timer = clock.after(silenceMs, () => check(), true)
    const check = (): void => {
      if (heardOffset === this.#offset)
        return this.#fail(new RequestTimeoutError(`it sent nothing for ${silenceMs} ms`))
      heardOffset = this.#offset
      timer = clock.after(silenceMs, () => check(), true)
    }
    this.#channel.onChunk = (chunk) => {
      this.#storing = this.#take(chunk).catch((error: unknown) => this.#fail(error as Error))
      return this.#storing
    }
    this.#channel.onClose = (reason) => this.#reject(reason ?? new ObjectLostError('it ended the transfer'))
    try {
      await this.#channel.send(jsonChunk({ key }))
      await finished
    } catch (error) {
      await this.#storing
      await this.#writer?.abort()
      throw error
    } finally {
      timer.cancel()
      this.#channel.onChunk = () => this.#channel.close(new ProtocolError('a chunk came that nobody asked for'))
      this.#channel.onClose = () => {}
    }
  }

  async #take(chunk: Buffer): Promise<void> {
    const { store, key } = this.#options
    if (this.#writer === undefined) {
      const header = parsePlain(chunk)
      const { error, sizeBytes } = header
      // The channel stays good: the holder waits for the next request.
      if (typeof error === 'string') return this.#reject(new ObjectLostError(error))
      if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
        throw new ProtocolError('the holder answered with no size')
      this.#writer = await store.create(key, sizeBytes)
    } else {
      await this.#writer.write(chunk, this.#offset)
      this.#offset += chunk.length
    }
    if (this.#offset < this.#writer.sizeBytes) return
    await this.#writer.seal()
    this.#resolve()
  }

  #fail(error: Error): void {
    this.#reject(error)
    this.#channel.close(error)
  }
}

function jsonChunk(value: Readonly<Record<string, unknown>>): Uint8Array {
  return Buffer.from(JSON.stringify(value))
}

function parsePlain(chunk: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(chunk.toString('utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch {
    // Told below.
  }
  throw new ProtocolError('a bulk channel carried something that is not a request or its answer')
}
