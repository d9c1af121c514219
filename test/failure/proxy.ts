/** A TCP proxy in front of a node's port, whose directions can be stalled and whose connections can be cut. */
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

interface Pair {
  readonly near: Socket
  readonly far: Socket
  /** Whether bytes came by it since the last look. */
  busy: boolean
}

export type Direction = 'in' | 'out'

export class Proxy {
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  readonly #stalled = new Set<Direction>()
  #refuses = false
  #onWelcome: (() => void) | undefined
  /** Connections that were made through it so far. */
  connections = 0
  /** Connections that were ended because they were idle. */
  idleCuts = 0
  #idleTimer: NodeJS.Timeout | undefined

  static async start(url: string): Promise<Proxy> {
    const { hostname, port } = new URL(url)
    const proxy = new Proxy(Number(port), hostname)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  private constructor(port: number, host: string) {
    this.#server = createServer((near) => {
      if (this.#refuses) return near.destroy()
      this.connections++
      const pair = { near, far: connect(port, host), busy: true }
      this.#pairs.add(pair)
      this.#forward(pair, near, pair.far, 'in')
      this.#forward(pair, pair.far, near, 'out')
    })
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  get open(): number {
    return this.#pairs.size
  }

  /** From now on nothing passes in this direction: `in` is towards the node. What comes is kept. */
  stall(direction: Direction): void {
    this.#stalled.add(direction)
    for (const { near, far } of this.#pairs) (direction === 'in' ? near : far).pause()
  }

  resume(): void {
    this.#stalled.clear()
    for (const { near, far } of this.#pairs) {
      near.resume()
      far.resume()
    }
  }

  /** Breaks every connection; with `refuse`, new ones too until it is called again without. */
  cut({ refuse = false }: { readonly refuse?: boolean } = {}): void {
    this.#refuses = refuse
    for (const { near, far } of this.#pairs) {
      near.destroy()
      far.destroy()
    }
  }

  /** Calls back as soon as the node takes another connection, of which the other side does not know yet. */
  onWelcome(action: () => void): void {
    this.#onWelcome = action
  }

  /** From now on it breaks connections by which nothing came for so long, in either direction, as many proxies do. */
  cutIdle(idleMs: number): void {
    const looks = 20
    const idle = new WeakMap<Pair, number>()
    // Looks are counted and not the time: while this process stands still, so do those that it stands between.
    this.#idleTimer = setInterval(() => {
      for (const pair of this.#pairs) {
        const before = pair.busy ? 0 : (idle.get(pair) ?? 0) + 1
        pair.busy = false
        idle.set(pair, before)
        if (before <= looks) continue
        this.idleCuts++
        pair.near.destroy()
        pair.far.destroy()
      }
    }, idleMs / looks)
  }

  async close(): Promise<void> {
    clearInterval(this.#idleTimer)
    this.cut({ refuse: true })
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()))
  }

  #forward(pair: Pair, from: Socket, to: Socket, direction: Direction): void {
    from.on('data', (bytes) => {
      pair.busy = true
      if (direction === 'out' && this.#onWelcome && bytes.includes(' 101 ')) this.#onWelcome()
      if (!to.write(bytes)) from.pause()
    })
    to.on('drain', () => {
      if (!this.#stalled.has(direction)) from.resume()
    })
    from.on('error', () => {})
    from.on('close', () => {
      this.#pairs.delete(pair)
      to.destroy()
    })
    if (this.#stalled.has(direction)) from.pause()
  }
}
