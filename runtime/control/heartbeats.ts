/** The clockwork around `HeartbeatState` for the links of nodes: one timer for all of them. */
import type { Clock, Timer } from '../base/clock.ts'
import type { NodeId } from '../base/ids.ts'
import { defaultHeartbeat, HeartbeatState } from '../transport/heartbeat-state.ts'
import type { LinkId } from './membership-state.ts'

export interface HeartbeatsOptions {
  readonly clock: Clock
  readonly heartbeatIntervalMs?: number
  readonly heartbeatMisses?: number
}

export interface HeartbeatActions {
  ping(link: LinkId): void
  silent(node: NodeId, silentMs: number): void
}

export class Heartbeats {
  readonly #clock: Clock
  readonly #intervalMs: number
  readonly #state: HeartbeatState<LinkId>
  readonly #actions: HeartbeatActions
  readonly #nodes: Map<LinkId, NodeId> = new Map()
  #timer: Timer | undefined

  constructor(options: HeartbeatsOptions, actions: HeartbeatActions) {
    this.#clock = options.clock
    this.#intervalMs = options.heartbeatIntervalMs ?? defaultHeartbeat.intervalMs
    this.#state = new HeartbeatState({
      intervalMs: this.#intervalMs,
      misses: options.heartbeatMisses ?? defaultHeartbeat.misses,
    })
    this.#actions = actions
    this.#schedule()
  }

  watch(node: NodeId, link: LinkId): void {
    this.unwatch(node)
    this.#nodes.set(link, node)
    this.#state.handle({ type: 'add', peer: link, nowMs: this.#clock.now() })
  }

  unwatch(node: NodeId): void {
    for (const [link, watched] of this.#nodes) {
      if (watched !== node) continue
      this.#nodes.delete(link)
      this.#state.handle({ type: 'remove', peer: link })
    }
  }

  /** Anything that comes from a node says that it lives. */
  heard(link: LinkId): void {
    this.#state.handle({ type: 'received', peer: link, nowMs: this.#clock.now() })
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #schedule(): void {
    this.#timer = this.#clock.after(this.#intervalMs, () => {
      this.#schedule()
      this.#tick()
    })
  }

  #tick(): void {
    for (const one of this.#state.handle({ type: 'tick', nowMs: this.#clock.now() })) {
      if (one.type === 'ping') this.#actions.ping(one.peer)
      else if (one.type === 'dead') {
        const node = this.#nodes.get(one.peer)
        this.#nodes.delete(one.peer)
        if (node !== undefined) this.#actions.silent(node, one.silentMs)
      }
    }
  }
}
