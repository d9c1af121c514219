/**
 * Processes and the links between them. Per pair one link, in order in each direction, each message with a latency of
 * its own. A link is made by the first message. When it is cut, what is under way is lost, both ends are told, each
 * after a while, and only then a new one can carry anything. A process that dies leaves what it has sent, or not.
 */
import type { NodeId, ProcessId } from '../../runtime/base/ids.ts'
import { type Random, randomInteger } from '../../runtime/base/random.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface Endpoint {
  readonly id: ProcessId
  readonly nodeId: NodeId
  alive: boolean
  /** Stopped (SIGSTOP): what comes waits. */
  paused: boolean
  readonly inbox: (() => void)[]
  /** The link to that process is over. `link` numbers it. */
  gone(peer: ProcessId, link: number): void
}

interface Link {
  readonly number: number
  readonly ends: readonly [ProcessId, ProcessId]
  broken: boolean
  /** One end is dead; what it has sent still arrives. */
  ending: boolean
  /** By sender: when its last message arrives. */
  readonly lastAt: Map<ProcessId, number>
  readonly stalledUntil: Map<ProcessId, number>
}

export class Network {
  readonly processes: Map<ProcessId, Endpoint> = new Map<ProcessId, Endpoint>()
  readonly links: Map<string, Link> = new Map<string, Link>()
  readonly latencyMs: () => number
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #happened: (where: Endpoint, what: string) => void
  /** By pair: when the last end hears of the end of the old link. */
  readonly #healedAt = new Map<string, number>()
  #nextLink = 1

  constructor(clock: VirtualClock, random: Random, happened: (where: Endpoint, what: string) => void) {
    this.#clock = clock
    this.#random = random
    this.#happened = happened
    const slow = 0.1 + random.next() * 3
    this.latencyMs = () => 0.02 + random.next() * slow * (random.next() < 0.05 ? 10 : 1)
  }

  send<To extends Endpoint>(
    from: Endpoint,
    to: ProcessId,
    what: string,
    deliver: (to: To, link: number) => void,
  ): void {
    if (!from.alive) return
    const link = this.#linkOf(from.id, to)
    if (link.broken) return
    const earliest = Math.max(link.lastAt.get(from.id) ?? 0, link.stalledUntil.get(from.id) ?? 0)
    const atMs = Math.max(earliest, this.#clock.now() + this.latencyMs())
    link.lastAt.set(from.id, atMs)
    this.#clock.after(atMs - this.#clock.now(), () => {
      if (link.broken) return
      const receiver = this.processes.get(to)
      if (receiver?.alive !== true) this.#break(link)
      else this.run(receiver, what, () => deliver(receiver as To, link.number))
    })
  }

  /** Something happens in a process, as soon as it is not stopped. */
  run(process: Endpoint, what: string, act: () => void): void {
    const happen = (): void => {
      if (!process.alive) return
      act()
      this.#happened(process, what)
    }
    if (process.paused) process.inbox.push(happen)
    else happen()
  }

  after(process: Endpoint, delayMs: number, what: string, act: () => void): { cancel(): void } {
    return this.#clock.after(delayMs, () => this.run(process, what, act))
  }

  resume(process: Endpoint): void {
    process.paused = false
    for (const act of process.inbox.splice(0)) act()
  }

  /** The process is gone. What it has sent arrives before its end is noticed, or is lost with it. */
  kill(process: Endpoint): void {
    process.alive = false
    for (const link of this.linksOf(process.id)) {
      const lost = this.#random.next() < 0.5
      const [a, b] = link.ends
      const other = a === process.id ? b : a
      if (lost) this.#break(link)
      else {
        link.ending = true
        this.#forget(link)
        const lastMs = link.lastAt.get(process.id) ?? 0
        this.#tellGone(link, other, Math.max(lastMs - this.#clock.now(), 0) + this.latencyMs())
      }
    }
  }

  cut(link: Link): void {
    this.#break(link)
  }

  /** Closes a process's own side of a link; the other hears of it. */
  close(from: Endpoint, to: ProcessId): void {
    const link = this.links.get(keyOf(from.id, to))
    if (link !== undefined) this.#break(link)
  }

  stall(link: Link, durationMs: number): void {
    const end = link.ends[randomInteger(this.#random, 2)] as ProcessId
    link.stalledUntil.set(end, this.#clock.now() + durationMs)
  }

  linksOf(process: ProcessId): Link[] {
    return [...this.links.values()].filter(({ ends }) => ends[0] === process || ends[1] === process)
  }

  #linkOf(from: ProcessId, to: ProcessId): Link {
    const key = keyOf(from, to)
    let link = this.links.get(key)
    if (link === undefined) {
      link = {
        number: this.#nextLink++,
        ends: [from, to],
        broken: false,
        ending: false,
        lastAt: new Map(),
        stalledUntil: new Map(),
      }
      this.links.set(key, link)
      const healedAt = this.#healedAt.get(key) ?? 0
      for (const end of [from, to]) link.lastAt.set(end, healedAt)
    }
    return link
  }

  #break(link: Link): void {
    if (link.broken || link.ending) return
    link.broken = true
    this.#forget(link)
    for (const end of link.ends) this.#tellGone(link, end, this.latencyMs())
  }

  #forget(link: Link): void {
    const key = keyOf(...link.ends)
    if (this.links.get(key) === link) this.links.delete(key)
  }

  #tellGone(link: Link, end: ProcessId, delayMs: number): void {
    const process = this.processes.get(end)
    const other = link.ends[0] === end ? link.ends[1] : link.ends[0]
    if (process?.alive !== true) return
    const key = keyOf(...link.ends)
    this.#healedAt.set(key, Math.max(this.#healedAt.get(key) ?? 0, this.#clock.now() + delayMs))
    this.after(process, delayMs, `link to ${other} is gone`, () => process.gone(other, link.number))
  }
}

function keyOf(a: ProcessId, b: ProcessId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`
}
