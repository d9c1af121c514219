/**
 * Who is still there, told from when each peer was last heard. Pure: the caller ticks it once per interval and tells
 * it of everything that arrives.
 *
 *            received                          silent for `misses` intervals
 *   add ──► alive ◄────┐                  ┌──► dead (told once, then forgotten)
 *             └── tick: ping ─────────────┘
 *
 * A detector that was itself late (blocked, or stopped and continued) has not heard because it did not listen: timers
 * run before reads. It then gives every peer a whole new period, and the reads that follow decide.
 */
export interface HeartbeatOptions {
  /** Default 1,000. */
  readonly intervalMs: number
  /** Silent intervals until a peer is dead. Default 5. */
  readonly misses: number
}

export type HeartbeatEvent<Peer> =
  | { readonly type: 'add'; readonly peer: Peer; readonly nowMs: number }
  | { readonly type: 'remove'; readonly peer: Peer }
  | { readonly type: 'received'; readonly peer: Peer; readonly nowMs: number }
  | { readonly type: 'tick'; readonly nowMs: number }

export type HeartbeatInstruction<Peer> =
  | { readonly type: 'ping'; readonly peer: Peer }
  | { readonly type: 'dead'; readonly peer: Peer; readonly silentMs: number }
  /** This detector was late by so much; every deadline was set anew. */
  | { readonly type: 'late'; readonly lateMs: number }

export const defaultHeartbeat: HeartbeatOptions = { intervalMs: 1_000, misses: 5 }

export class HeartbeatState<Peer> {
  readonly #options: HeartbeatOptions
  /** When each peer was last heard, or its deadline set anew. */
  readonly #heardMs = new Map<Peer, number>()
  #lastTickMs: number | undefined

  constructor(options: HeartbeatOptions = defaultHeartbeat) {
    if (!(options.intervalMs > 0) || !(options.misses >= 1))
      throw new RangeError(`a heartbeat needs intervalMs > 0 and misses >= 1, not ${JSON.stringify(options)}`)
    this.#options = options
  }

  get size(): number {
    return this.#heardMs.size
  }

  handle(event: HeartbeatEvent<Peer>): HeartbeatInstruction<Peer>[] {
    switch (event.type) {
      case 'add':
        this.#heardMs.set(event.peer, event.nowMs)
        return []
      case 'remove':
        this.#heardMs.delete(event.peer)
        return []
      case 'received':
        if (this.#heardMs.has(event.peer)) this.#heardMs.set(event.peer, event.nowMs)
        return []
      case 'tick':
        return this.#tick(event.nowMs)
    }
  }

  #tick(nowMs: number): HeartbeatInstruction<Peer>[] {
    const { intervalMs, misses } = this.#options
    const lateMs = this.#lastTickMs === undefined ? 0 : nowMs - this.#lastTickMs - intervalMs
    this.#lastTickMs = nowMs
    const late = lateMs > intervalMs
    const instructions: HeartbeatInstruction<Peer>[] = late ? [{ type: 'late', lateMs }] : []
    for (const [peer, heardMs] of this.#heardMs) {
      const silentMs = nowMs - heardMs
      if (late) this.#heardMs.set(peer, nowMs)
      else if (silentMs > intervalMs * misses) {
        this.#heardMs.delete(peer)
        instructions.push({ type: 'dead', peer, silentMs })
        continue
      }
      instructions.push({ type: 'ping', peer })
    }
    return instructions
  }
}
