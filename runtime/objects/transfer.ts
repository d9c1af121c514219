/**
 * An object on its way from one process to another, over a channel of its own, in chunks of at most 1 MiB:
 *
 *   puller ── {"key", "from"} ──▶ holder
 *   puller ◀── {"sizeBytes"} | {"error"} | {"busy", "others"} ── holder
 *   puller ◀── chunk, chunk, ... from byte `from` to the last ── holder          then the next key, if any
 *
 * - Both sides keep back-pressure: the holder has at most two chunks on the way to the channel, the puller lets the
 *   channel wait while the store has no room. Where store and channel can, chunks are received in place.
 * - A holder that fails within an object ends the channel. What has arrived is kept: the puller asks again for the rest.
 * - Of one object a holder sends only so many copies at a time (serve-limit.ts). Who comes later is told who has got it
 *   since: many nodes that want one object get it from each other.
 */
import { afterFairly } from '../base/clock.ts'
import type { Clock } from '../base/clock.ts'
import { ConnectionLostError, ObjectLostError, ProtocolError, RequestTimeoutError } from '../base/errors.ts'
import { isProcessId, type NodeId } from '../base/ids.ts'
import { chunkBytes } from '../base/limits.ts'
import type { Arrival } from './arrival.ts'
import type { LostCopies } from './lost-copies.ts'
import { notHere } from './pull-failures.ts'
import type { Serving } from './serving.ts'
import type { ObjectReading, ObjectStore } from './store.ts'

/** The bulk channel of the transport, as much of it as a transfer uses. */
export interface ChunkChannel {
  readonly closed: boolean
  /** Who is at the other end. */
  readonly peer?: { readonly node: NodeId }
  sink?: Sink | undefined
  send(chunk: Uint8Array): Promise<void>
  onChunk(chunk: Buffer): void | Promise<void>
  onClose(reason: Error | null): void
  close(reason?: Error): void
}

/** Where the channel may receive chunks in place. */
interface Sink {
  room(length: number): Uint8Array | undefined
  filled(length: number): void
}

/** A request names one key; nothing in it is long. */
const maxRequestBytes = 1024

/** Serves requests from `store` until the channel ends. Without `serving` every puller is served at once. */
export function serveObjects(channel: ChunkChannel, store: ObjectStore, serving?: Serving): void {
  channel.onClose = () => {}
  // While the promise is pending, the channel reads no further request.
  channel.onChunk = (request) =>
    serveOne(channel, store, serving, request).catch((error: unknown) => {
      channel.close(error instanceof Error ? error : new Error(String(error)))
    })
}

async function serveOne(
  channel: ChunkChannel,
  store: ObjectStore,
  serving: Serving | undefined,
  request: Buffer,
): Promise<void> {
  const { key, from } = parseRequest(request)
  const others = serving?.limit.begin(key)
  if (others !== undefined) return channel.send(jsonChunk({ busy: true, others }))
  let done = false
  try {
    const sizeBytes = await sizeOf(channel, store, key, serving?.lost)
    if (sizeBytes === undefined) return
    const reading = await openObject(channel, store, key, serving?.lost)
    if (reading === undefined) return
    try {
      await channel.send(jsonChunk({ sizeBytes }))
      await reading.skipTo?.(from, () => !channel.closed)
      if (channel.closed) throw new ConnectionLostError('the puller does not wait for it any more')
      await sendObject(channel, reading, { key, from, sizeBytes })
    } catch (error) {
      // There is less of it than there was: the next one who asks is told that it is not here.
      if (error instanceof ObjectLostError) {
        serving?.lost.add(key, error.message)
        await store.delete(key)
      }
      throw error
    } finally {
      reading.close()
    }
    done = true
  } finally {
    serving?.limit.end(key, done ? channel.peer?.node : undefined)
  }
}

/** undefined where the puller was told that there is no such object. */
async function sizeOf(
  channel: ChunkChannel,
  store: ObjectStore,
  key: string,
  lost: LostCopies | undefined,
): Promise<number | undefined> {
  let error = lost?.whyLost(key) ?? notHere
  try {
    const sizeBytes = await store.size(key, true)
    if (sizeBytes !== undefined) {
      lost?.remove(key)
      return sizeBytes
    }
  } catch (cause) {
    error = (cause as Error).message
  }
  await channel.send(jsonChunk({ error }))
  return undefined
}

/** undefined where its bytes are not those that were written, which the puller was told: there is no copy here any more. */
async function openObject(
  channel: ChunkChannel,
  store: ObjectStore,
  key: string,
  lost: LostCopies | undefined,
): Promise<Reading | undefined> {
  try {
    return await (store.open?.(key) ?? { read: store.read.bind(store, key), close: () => {} })
  } catch (error) {
    if (!(error instanceof ObjectLostError)) throw error
    lost?.add(key, error.message)
    await store.delete(key)
    await channel.send(jsonChunk({ error: error.message }))
    return undefined
  }
}

type Reading = Pick<ObjectReading, 'skipTo' | 'read' | 'close'>

interface Range {
  readonly key: string
  readonly from: number
  readonly sizeBytes: number
}

async function sendObject(channel: ChunkChannel, reading: Reading, { key, from, sizeBytes }: Range): Promise<void> {
  let sending: Promise<void> = Promise.resolve()
  try {
    for (let offset = from; offset < sizeBytes; offset += chunkBytes) {
      const length = Math.min(chunkBytes, sizeBytes - offset)
      const chunk = await reading.read(offset, length)
      if (chunk.length !== length) throw new ObjectLostError(`object ${key} became shorter while it was sent`)
      const before = sending
      sending = channel.send(chunk)
      // It is awaited in the next turn of the loop; until then a rejection must not count as unhandled.
      sending.catch(() => {})
      await before
    }
    await sending
  } finally {
    // What is on its way is read from where the object lies.
    await sending.catch(() => {})
  }
}

function parseRequest(request: Buffer): { readonly key: string; readonly from: number } {
  if (request.length <= maxRequestBytes) {
    const { key, from = 0 } = parsePlain(request)
    if (typeof key === 'string' && typeof from === 'number' && Number.isSafeInteger(from) && from >= 0)
      return { key, from }
  }
  throw new ProtocolError('a request on a bulk channel names no key')
}

/** The holder sends that object to others now. `others` have got it since. */
export class HolderBusyError extends Error {
  readonly others: readonly NodeId[]

  constructor(others: readonly NodeId[]) {
    super('it is busy with sending the object to others')
    this.others = others
  }
}

export interface FetchOptions {
  readonly arrival: Arrival
  readonly clock: Clock
  /** How long the holder may send nothing. */
  readonly silenceMs: number
}

/**
 * Brings what is missing of one object over a channel that nobody else uses meanwhile. Resolves when the object is
 * sealed; afterwards the channel is free for the next one. Rejects with the holder's reason (ObjectLostError,
 * HolderBusyError), ConnectionLostError, RequestTimeoutError or what the store says; the channel is then closed unless
 * the holder merely refused, and nothing writes to the arrival any more.
 */
export async function fetchObject(channel: ChunkChannel, options: FetchOptions): Promise<void> {
  const fetch = new Fetch(channel, options)
  return fetch.run()
}

class Fetch {
  readonly #channel: ChunkChannel
  readonly #options: FetchOptions
  #answered = false
  #over = false
  /** The holder waits for room here, not the other way round. */
  #isStoring = false
  #resolve!: () => void
  #reject!: (reason: Error) => void
  /** Pending store calls; settled before anybody else goes on with the arrival. */
  #storing: Promise<void> = Promise.resolve()

  constructor(channel: ChunkChannel, options: FetchOptions) {
    this.#channel = channel
    this.#options = options
  }

  async run(): Promise<void> {
    const { clock, silenceMs, arrival } = this.#options
    const finished = new Promise<void>((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // It may reject while the request is still being written, before anybody waits.
    finished.catch(() => {})
    let heardOffset = -1
    let timer = afterFairly(clock, silenceMs, () => check(), true)
    const check = (): void => {
      if (heardOffset === arrival.offset && !this.#isStoring)
        return this.#fail(new RequestTimeoutError(`it sent nothing for ${silenceMs} ms`))
      heardOffset = arrival.offset
      timer = afterFairly(clock, silenceMs, () => check(), true)
    }
    this.#channel.onChunk = (chunk) => {
      this.#storing = this.#take(chunk).catch((error: unknown) => this.#fail(error as Error))
      return this.#storing
    }
    this.#channel.onClose = (reason) => this.#reject(reason ?? new ConnectionLostError('it ended the transfer'))
    try {
      await this.#channel.send(jsonChunk({ key: arrival.key, from: arrival.offset }))
      await finished
    } finally {
      this.#over = true
      this.#channel.sink = undefined
      timer.cancel()
      await this.#storing
      this.#channel.onChunk = () => this.#channel.close(new ProtocolError('a chunk came that nobody asked for'))
      this.#channel.onClose = () => {}
    }
  }

  async #take(chunk: Buffer): Promise<void> {
    const { arrival } = this.#options
    if (this.#over) return
    if (this.#answered) await arrival.write(chunk)
    else if (!(await this.#begin(parsePlain(chunk)))) return
    await this.#checkEnd()
  }

  /** The holder's answer; false where it refuses. The channel stays good then: the holder waits for the next request. */
  async #begin(answer: Record<string, unknown>): Promise<boolean> {
    const { error, busy, sizeBytes } = answer
    if (typeof error === 'string') this.#reject(new ObjectLostError(error))
    else if (busy === true) this.#reject(new HolderBusyError(nodesOf(answer['others'])))
    else if (typeof sizeBytes !== 'number' || !Number.isSafeInteger(sizeBytes) || sizeBytes < 0)
      throw new ProtocolError('the holder answered with no size')
    else {
      const { arrival } = this.#options
      const asked = arrival.offset
      this.#isStoring = true
      await arrival.begin(sizeBytes).finally(() => (this.#isStoring = false))
      if (arrival.offset !== asked) throw new ProtocolError('the holder has another object under that name')
      this.#answered = true
      this.#channel.sink = {
        room: (length) => (this.#over ? undefined : arrival.room(length)),
        filled: (length) => {
          arrival.filled(length)
          if (arrival.isWhole) this.#storing = this.#checkEnd().catch((cause: unknown) => this.#fail(cause as Error))
        },
      }
      return true
    }
    return false
  }

  async #checkEnd(): Promise<void> {
    const { arrival } = this.#options
    if (!arrival.isWhole) return
    this.#channel.sink = undefined
    await arrival.seal()
    this.#resolve()
  }

  #fail(error: Error): void {
    this.#reject(error)
    this.#channel.close(error)
  }
}

function nodesOf(value: unknown): NodeId[] {
  return Array.isArray(value) ? value.filter((id): id is NodeId => isProcessId(id)) : []
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
