/**
 * Brings objects from their holders into the local store. One object is pulled once at a time, however many ask for it;
 * channels to a holder are kept for a while, since a task often needs several objects of one.
 */
import type { Clock, Timer } from '../base/clock.ts'
import { ObjectLostError } from '../base/errors.ts'
import type { ProcessId } from '../base/ids.ts'
import { fetchObject } from '../objects/transfer.ts'
import type { ChunkChannel } from '../objects/transfer.ts'
import type { ObjectStore } from '../objects/store.ts'
import type { Holder } from '../protocol/messages.ts'

export interface ObjectPullerOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  /** Opens a channel to the process that holds the object. */
  readonly open: (holder: Holder) => Promise<ChunkChannel>
  /** Objects in transfer at the same time; the others wait. Default 16. */
  readonly maxConcurrent?: number
  /** How long a holder may send nothing. Default 10,000 ms. */
  readonly silenceMs?: number
  /** How long an unused channel is kept. Default 5,000 ms. */
  readonly idleMs?: number
}

interface IdleChannel {
  readonly channel: ChunkChannel
  readonly timer: Timer
}

export class ObjectPuller {
  readonly #options: ObjectPullerOptions
  readonly #pulls = new Map<string, Promise<void>>()
  /** Unused channels by the process at their other end. */
  readonly #idle = new Map<ProcessId, IdleChannel[]>()
  readonly #waiting: (() => void)[] = []
  #active = 0
  #closed = false

  constructor(options: ObjectPullerOptions) {
    this.#options = options
  }

  /** Objects that are being pulled. */
  get size(): number {
    return this.#pulls.size
  }

  /** Resolves when the object is in the store. Rejects with ObjectLostError naming each holder and why it failed. */
  pull(key: string, holders: readonly Holder[]): Promise<void> {
    let pull = this.#pulls.get(key)
    if (pull === undefined) {
      pull = this.#pull(key, holders).finally(() => this.#pulls.delete(key))
      this.#pulls.set(key, pull)
    }
    return pull
  }

  close(): void {
    this.#closed = true
    for (const channels of this.#idle.values())
      for (const { channel, timer } of channels) {
        timer.cancel()
        channel.close()
      }
    this.#idle.clear()
  }

  async #pull(key: string, holders: readonly Holder[]): Promise<void> {
    const { store, maxConcurrent = 16 } = this.#options
    if (await store.contains(key)) return
    if (this.#active >= maxConcurrent) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#active++
    const failures: string[] = []
    try {
      for (const holder of holders) {
        const failure = await this.#pullFrom(key, holder)
        if (failure === undefined) return
        failures.push(`process ${holder[1]} of node ${holder[0]}: ${failure}`)
      }
    } finally {
      this.#active--
      this.#waiting.shift()?.()
    }
    const tried = failures.length === 0 ? 'it has no holder' : failures.join('; ')
    throw new ObjectLostError(`object ${key} could not be brought here: ${tried}`, { details: { key } })
  }

  /** undefined when it went well. A kept channel may have died unnoticed, so that failure is followed by a fresh one. */
  async #pullFrom(key: string, holder: Holder): Promise<string | undefined> {
    const { store, clock, silenceMs = 10_000 } = this.#options
    for (;;) {
      const kept = this.#takeIdle(holder[1])
      try {
        const channel = kept ?? (await this.#options.open(holder))
        await fetchObject(channel, { key, store, clock, silenceMs }).finally(() => this.#keep(holder[1], channel))
        return undefined
      } catch (error) {
        if (kept?.closed !== true) return (error as Error).message
      }
    }
  }

  #takeIdle(holder: ProcessId): ChunkChannel | undefined {
    const channels = this.#idle.get(holder)
    for (let entry = channels?.pop(); entry !== undefined; entry = channels?.pop()) {
      entry.timer.cancel()
      if (!entry.channel.closed) return entry.channel
    }
    this.#idle.delete(holder)
    return undefined
  }

  #keep(holder: ProcessId, channel: ChunkChannel): void {
    if (channel.closed) return
    if (this.#closed) return channel.close()
    let channels = this.#idle.get(holder)
    if (channels === undefined) this.#idle.set(holder, (channels = []))
    const entry: IdleChannel = {
      channel,
      timer: this.#options.clock.after(this.#options.idleMs ?? 5_000, () => this.#dropIdle(holder, entry)),
    }
    channels.push(entry)
  }

  #dropIdle(holder: ProcessId, entry: IdleChannel): void {
    const channels = this.#idle.get(holder)
    const index = channels?.indexOf(entry) ?? -1
    if (channels === undefined || index < 0) return
    channels.splice(index, 1)
    if (channels.length === 0) this.#idle.delete(holder)
    entry.channel.close()
  }
}
