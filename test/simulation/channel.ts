/** Bulk channels between simulated processes: in order, with a latency and a speed; they break, and with them a chunk. */
import { ConnectionLostError } from '../../runtime/base/errors.ts'
import type { NodeId } from '../../runtime/base/ids.ts'
import type { ChunkChannel } from '../../runtime/objects/transfer.ts'
import type { Endpoint } from './network.ts'
import type { World } from './world.ts'

const bytesPerMs = 1_000_000

export class SimChannel implements ChunkChannel {
  closed = false
  sink: ChunkChannel['sink'] = undefined
  readonly peer: { readonly node: NodeId }
  readonly owner: Endpoint
  onChunk: ChunkChannel['onChunk'] = () => {}
  onClose: ChunkChannel['onClose'] = () => {}
  other!: SimChannel
  readonly #world: World
  readonly #sending = new Set<(reason: Error) => void>()
  readonly #arrived: Buffer[] = []
  #isBusy = false
  #lastAtMs = 0

  constructor(world: World, owner: Endpoint, peer: Endpoint) {
    this.#world = world
    this.owner = owner
    this.peer = { node: peer.nodeId }
  }

  /** Resolves when it has arrived at the other side. */
  send(bytes: Uint8Array): Promise<void> {
    const world = this.#world
    if (!this.closed && this.owner.alive && world.random.next() < world.options.channelBreaks) {
      world.count('channel breaks')
      this.close(new ConnectionLostError('the channel broke'))
    }
    if (this.closed) return Promise.reject(new ConnectionLostError('the channel is closed'))
    const chunk = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes)
    const now = world.clock.now()
    this.#lastAtMs = Math.max(this.#lastAtMs, now + world.network.latencyMs()) + chunk.length / bytesPerMs
    return new Promise((resolve, reject) => {
      this.#sending.add(reject)
      world.clock.at(this.#lastAtMs, () => {
        if (!this.#sending.delete(reject)) return
        resolve()
        const { other } = this
        world.network.run(other.owner, 'chunk', () => other.#take(chunk))
      })
    })
  }

  close(reason?: Error): void {
    if (this.closed) return
    this.#end(reason ?? null)
    const { other } = this
    this.#world.clock.after(this.#world.network.latencyMs(), () => {
      // One that is dead, or stopped, hears nothing; the end of the world is not its concern.
      if (!other.closed) this.#world.network.run(other.owner, 'channel ends', () => other.#end(reason ?? null))
    })
  }

  #take(chunk: Buffer): void {
    if (this.closed) return
    this.#arrived.push(chunk)
    if (!this.#isBusy) this.#world.background(this.#goOn())
  }

  /** One after the other: while a chunk is dealt with, the next ones wait. */
  async #goOn(): Promise<void> {
    this.#isBusy = true
    for (let chunk = this.#arrived.shift(); chunk !== undefined && !this.closed; chunk = this.#arrived.shift())
      await this.onChunk(chunk)
    this.#isBusy = false
  }

  #end(reason: Error | null): void {
    if (this.closed) return
    this.closed = true
    this.#world.channels.delete(this)
    for (const reject of this.#sending) reject(reason ?? new ConnectionLostError('the channel is closed'))
    this.#sending.clear()
    this.onClose(reason)
  }
}

/** A channel from one process to another; the ends are of the first and of the second. */
export function channelBetween(world: World, from: Endpoint, to: Endpoint): readonly [SimChannel, SimChannel] {
  const ends = [new SimChannel(world, from, to), new SimChannel(world, to, from)] as const
  ends[0].other = ends[1]
  ends[1].other = ends[0]
  for (const end of ends) world.channels.add(end)
  return ends
}
