/**
 * Queued tasks of one class whose large arguments lie on nodes, and which worker each should go to: one on the node that
 * has most of its bytes. When only others are free the task is held back for as long as bringing those bytes would
 * take, and no longer: so it never costs more than twice what the better of both would have cost (the rule for renting
 * or buying skis). Where that was in vain for a node, its next tasks do not wait for it for a while. Pure.
 */
import type { NodeId } from '../base/ids.ts'
import type { ArgumentBytes } from '../protocol/messages.ts'
import type { LeaseRecord } from './lease-record.ts'

interface Located {
  readonly bytes: ArgumentBytes
  readonly sinceMs: number
}

/** What a transfer brings in a millisecond at the least, between machines of one network. */
const bytesPerMs = 1_000_000
/** Shorter transfers are not waited for at all. */
const leastHoldMs = 5
/** For so long a node is not waited for after that was in vain. */
const vainMs = 1_000

export class LocatedTasks {
  readonly #tasks = new Map<number, Located>()
  /** For which something is brought ahead. */
  readonly #named = new Set<number>()
  /** Nodes that were waited for in vain, and until when they are not any more. */
  readonly #vain = new Map<NodeId, number>()

  get size(): number {
    return this.#tasks.size
  }

  add(number: number, bytes: ArgumentBytes, nowMs: number): void {
    this.#tasks.set(number, { bytes, sinceMs: nowMs })
  }

  delete(number: number): void {
    this.#tasks.delete(number)
    this.#named.delete(number)
  }

  /** Where the arguments of the task lie that came as the `index`th of those that are here. */
  bytesAt(index: number): ArgumentBytes | null {
    if (this.#tasks.size <= index) return null
    let at = 0
    for (const { bytes } of this.#tasks.values()) if (at++ === index) return bytes
    return null
  }

  /** The task that a new lease on that node is for, if it has to be brought something: each is named once. */
  firstFor(node: NodeId): number | undefined {
    for (const [number, { bytes }] of this.#tasks) {
      if (this.#named.has(number)) continue
      if (countOn(node, bytes) >= mostOf(bytes)[1]) return undefined
      this.#named.add(number)
      return number
    }
    return undefined
  }

  /** The lease, of those that could take the task, to which it goes now; undefined to hold it back. */
  choose(number: number, takers: readonly LeaseRecord[], nowMs: number): LeaseRecord | undefined {
    const located = this.#tasks.get(number)
    let best: LeaseRecord | undefined
    for (const lease of takers) if (best === undefined || better(lease, best, located?.bytes)) best = lease
    if (best === undefined || located === undefined) return best
    const [node, most] = mostOf(located.bytes)
    const holdMs = (most - bytesOn(best, located.bytes)) / bytesPerMs
    if (holdMs < leastHoldMs || (this.#vain.get(node) ?? -Infinity) > nowMs) return best
    if (nowMs - located.sinceMs < holdMs) return undefined
    this.#vain.set(node, nowMs + vainMs)
    return best
  }
}

/** More bytes there; else the one that is free sooner. */
function better(a: LeaseRecord, b: LeaseRecord, bytes: ArgumentBytes | undefined): boolean {
  const more = bytes === undefined ? 0 : bytesOn(a, bytes) - bytesOn(b, bytes)
  return more === 0 ? a.expectedMicros < b.expectedMicros : more > 0
}

function bytesOn({ grant }: LeaseRecord, bytes: ArgumentBytes): number {
  return countOn(grant.node, bytes)
}

function countOn(at: NodeId, bytes: ArgumentBytes): number {
  for (const [node, count] of bytes) if (node === at) return count
  return 0
}

function mostOf(bytes: ArgumentBytes): ArgumentBytes[number] {
  return bytes.reduce((most, one) => (one[1] > most[1] ? one : most))
}
