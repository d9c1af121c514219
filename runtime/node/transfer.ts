/**
 * Brings objects from their holders into the local store. One object is pulled once at a time, however many ask for it;
 * channels to a holder are kept for a while, since a task often needs several objects of one.
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import { PullFailures } from '../objects/pull-failures.ts'
import { Arrival } from '../objects/arrival.ts'
import { fetchObject, HolderBusyError } from '../objects/transfer.ts'
import type { ChunkChannel } from '../objects/transfer.ts'
import type { ObjectStore } from '../objects/store.ts'
import type { Holder } from '../protocol/messages.ts'
import type { NodeManagerEvents } from './node-options.ts'

export interface ObjectPullerOptions {
  readonly store: ObjectStore
  readonly clock: Clock
  /** Opens a channel to the process that holds the object. */
  readonly open: (holder: Holder) => Promise<ChunkChannel>
  readonly events?: Pick<NodeManagerEvents, 'warn'>
  /** This node, which is no holder for itself. */
  readonly self?: NodeId
  /** Objects in transfer at the same time, and their bytes; the others wait. Default 16, and 1 GiB. */
  readonly maxConcurrent?: number
  readonly maxBytes?: number
  /** How long a holder may send nothing. Default 10,000 ms. */
  readonly silenceMs?: number
  /** How long an unused channel is kept. Default 5,000 ms. */
  readonly idleMs?: number
}

interface Waiting {
  readonly key: string
  readonly sizeBytes: number
  readonly go: () => void
}

interface IdleChannel {
  readonly channel: ChunkChannel
  readonly timer: Timer
}

const defaultMaxBytes = 1024 ** 3
/** Of what may be on its way, the part that nobody waits for yet: whoever is blocked finds room. */
const aheadShare = 0.5
/** How long a holder that is busy with others is left alone, in milliseconds. */
const busyMs = 50

export class ObjectPuller {
  readonly #options: ObjectPullerOptions
  readonly #pulls = new Map<string, Promise<void>>()
  /** Unused channels by the process at their other end. */
  readonly #idle = new Map<ProcessId, IdleChannel[]>()
  /** Objects of these for which somebody waits. */
  readonly #blocking = new Set<string>()
  /** Those that may not be on their way yet: somebody waits for the first, nobody yet for the others. */
  readonly #wanted: Waiting[] = []
  readonly #ahead: Waiting[] = []
  #active = 0
  #activeBytes = 0
  #closed = false

  constructor(options: ObjectPullerOptions) {
    this.#options = options
  }

  /** Objects that are being pulled. */
  get size(): number {
    return this.#pulls.size
  }

  /**
   * Resolves when the object is in the store. Rejects with ObjectLostError naming each holder and why it failed.
   * `ahead`: nobody is blocked without it; it waits for those for which somebody is.
   */
  pull(key: string, sizeBytes: number, holders: readonly Holder[], ahead: boolean = false): Promise<void> {
    if (!ahead) this.#hurry(key)
    let pull = this.#pulls.get(key)
    if (pull === undefined) {
      pull = this.#pull(key, sizeBytes, holders).finally(() => {
        this.#pulls.delete(key)
        this.#blocking.delete(key)
      })
      this.#pulls.set(key, pull)
    }
    return pull
  }

  /** An object that may be on its way here has been freed: it is not kept when it arrives. */
  unwanted(key: string): void {
    const { store, events } = this.#options
    this.#pulls.get(key)?.then(
      () =>
        store.delete(key).catch((error: unknown) => {
          events?.warn(`freeing object ${key} failed: ${(error as Error).message}`)
        }),
      () => {},
    )
  }

  /** The same for all that is on its way of an owner that is gone. */
  ownerGone(owner: ProcessId): void {
    for (const key of this.#pulls.keys()) if (key.startsWith(owner)) this.unwanted(key)
  }

  /** Somebody waits for it now. */
  #hurry(key: string): void {
    this.#blocking.add(key)
    const at = this.#ahead.findIndex((waiting) => waiting.key === key)
    if (at < 0) return
    this.#wanted.push(...this.#ahead.splice(at, 1))
    this.#goOn()
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

  async #pull(key: string, sizeBytes: number, holders: readonly Holder[]): Promise<void> {
    const { store } = this.#options
    if (await store.contains(key)) return
    await this.#enter(key, sizeBytes)
    const arrival = new Arrival(key, store)
    try {
      await this.#pullFromAny(arrival, holders)
    } finally {
      if (!arrival.isWhole) await arrival.abort()
      this.#leave(sizeBytes)
    }
  }

  /** Waits until this object may be on its way too; those that wait go on in order. */
  #enter(key: string, sizeBytes: number): Promise<void> {
    return new Promise((go) => {
      const queue = this.#blocking.has(key) ? this.#wanted : this.#ahead
      queue.push({ key, sizeBytes, go })
      this.#goOn()
    })
  }

  #leave(sizeBytes: number): void {
    this.#active--
    this.#activeBytes -= sizeBytes
    this.#goOn()
  }

  #goOn(): void {
    while (this.#goesNext(this.#wanted, 1)) this.#start(this.#wanted)
    while (this.#wanted.length === 0 && this.#goesNext(this.#ahead, aheadShare)) this.#start(this.#ahead)
  }

  #goesNext([next]: readonly Waiting[], share: number): boolean {
    if (next === undefined) return false
    // One is on its way in any case, however large.
    if (this.#active === 0) return true
    const { maxConcurrent = 16, maxBytes = defaultMaxBytes } = this.#options
    return this.#active < maxConcurrent * share && this.#activeBytes + next.sizeBytes <= maxBytes * share
  }

  #start(queue: Waiting[]): void {
    const { sizeBytes, go } = queue.shift() as Waiting
    this.#active++
    this.#activeBytes += sizeBytes
    go()
  }

  /** Tries one holder after the other, and those that they name. */
  async #pullFromAny(arrival: Arrival, holders: readonly Holder[]): Promise<void> {
    const { self, clock } = this.#options
    const left = holders.filter(([node, process]) => node !== self || process !== self)
    const known = new Set(left.map(([, process]) => process))
    const failures = new PullFailures()
    const busy: Holder[] = []
    for (;;) {
      const holder = left.shift()
      if (holder === undefined && busy.length > 0 && !this.#closed) {
        left.push(...busy.splice(0))
        await new Promise<void>((resolve) => void clock.after(busyMs, resolve, true))
        continue
      }
      if (holder === undefined) break
      const failure = await this.#pullFrom(arrival, holder)
      if (failure === undefined) return
      if (failure instanceof HolderBusyError) {
        busy.push(holder)
        for (const node of failure.others)
          if (node !== self && !known.has(node)) {
            known.add(node)
            left.push([node, node])
          }
      } else {
        // What another holder has may be of another making: a task that was run again.
        await arrival.abort()
        failures.add(holder, failure)
      }
    }
    // This node was thought to have it.
    failures.absent.push(...holders.filter(([node, process]) => node === self && process === self))
    throw failures.error(arrival.key)
  }

  /**
   * undefined when it went well. A kept channel may have died unnoticed, so that failure is followed by a fresh one; and
   * as long as something arrives before it breaks, the holder is asked for the rest.
   */
  async #pullFrom(arrival: Arrival, holder: Holder): Promise<Error | undefined> {
    const { clock, silenceMs = 10_000 } = this.#options
    for (;;) {
      const kept = this.#takeIdle(holder[1])
      const before = arrival.offset
      try {
        const channel = kept ?? (await this.#options.open(holder))
        await fetchObject(channel, { arrival, clock, silenceMs }).finally(() => this.#keep(holder[1], channel))
        return undefined
      } catch (error) {
        if (this.#closed || (kept?.closed !== true && arrival.offset <= before)) return error as Error
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
