/**
 * Workers of other nodes that own something here: results of tasks which they had run here, copies of their values. They
 * free it when it is used no more. One that is killed frees nothing, and its job may go on for long: where such an owner has
 * no link to this node, its own node is asked whether it lives, and what it owned here is freed if not.
 *
 *     1. linked --link gone--> 2. asked at the next look --dead--> (freed, forgotten)
 *        ^------ links again ------+   ^--- alive, or no answer: after twice as long ---+
 */
import type { Clock, Timer } from '../base/clock.ts'
import type { NodeId, ProcessId } from '../base/ids.ts'
import type { ProcessStatus } from '../protocol/messages.ts'

export interface ForeignOwnersOptions {
  readonly clock: Clock
  readonly self: NodeId
  readonly isLinked: (owner: ProcessId) => boolean
  /** Asks a node of its processes; one that is known to be dead has none. Rejects where it cannot be reached. */
  readonly ask: (node: NodeId, owners: readonly ProcessId[]) => Promise<readonly ProcessStatus[2][]>
  /** It lives no more. Called once. */
  readonly onDead: (owner: ProcessId) => void
}

interface Foreign {
  readonly node: NodeId
  waitMs: number
  /** Not asked before; monotonic milliseconds. */
  dueMs: number
}

/** Time between two looks, in milliseconds. */
const lookMs = 5_000
/** Most time between two questions about one owner, in milliseconds. */
const mostWaitMs = 60_000

export class ForeignOwners {
  readonly #options: ForeignOwnersOptions
  readonly #owners = new Map<ProcessId, Foreign>()
  readonly #asking = new Set<NodeId>()
  #timer: Timer | undefined
  #closed = false

  constructor(options: ForeignOwnersOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#owners.size
  }

  /** A process of that node owns something here, or will. One of this node is none of these. */
  note(owner: ProcessId, node: NodeId): void {
    if (node === this.#options.self || this.#owners.has(owner) || this.#closed) return
    this.#owners.set(owner, { node, waitMs: lookMs, dueMs: 0 })
    this.#lookLater()
  }

  forget(owner: ProcessId): void {
    if (!this.#owners.delete(owner) || this.#owners.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#owners.clear()
  }

  #lookLater(): void {
    this.#timer ??= this.#options.clock.after(lookMs, () => {
      this.#timer = undefined
      this.#look()
      if (this.#owners.size > 0) this.#lookLater()
    })
  }

  #look(): void {
    const { clock, isLinked } = this.#options
    const now = clock.now()
    const wanted = new Map<NodeId, ProcessId[]>()
    for (const [owner, foreign] of this.#owners) {
      if (isLinked(owner)) foreign.waitMs = lookMs
      else if (now >= foreign.dueMs && !this.#asking.has(foreign.node)) {
        foreign.dueMs = now + foreign.waitMs
        foreign.waitMs = Math.min(2 * foreign.waitMs, mostWaitMs)
        const others = wanted.get(foreign.node)
        if (others === undefined) wanted.set(foreign.node, [owner])
        else others.push(owner)
      }
    }
    for (const [node, owners] of wanted) void this.#ask(node, owners)
  }

  async #ask(node: NodeId, owners: readonly ProcessId[]): Promise<void> {
    this.#asking.add(node)
    try {
      const states = await this.#options.ask(node, owners)
      for (const [i, owner] of owners.entries()) {
        if (states[i] !== 'dead' || !this.#owners.has(owner)) continue
        this.forget(owner)
        this.#options.onDead(owner)
      }
    } catch {
      // Its node cannot be reached now: that is asked again later, and becomes known if it is dead.
    } finally {
      this.#asking.delete(node)
    }
  }
}
