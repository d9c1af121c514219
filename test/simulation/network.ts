/**
 * Processes and the links between them. Per pair one link, in order in each direction, each message with a latency of
 * its own. A link is made by the first message. When it is cut, what is under way is lost, both ends are told, each
 * after a while, and only then a new one can carry anything. A process that dies leaves what it has sent, or not.
 */
import type { NodeId, ProcessId } from '../../runtime/base/ids.ts'
import { type Random, randomInteger } from '../../runtime/base/random.ts'
import type { Trouble } from './trouble.ts'
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

export interface NetworkOptions {
  readonly clock: VirtualClock
  readonly random: Random
  readonly trouble: Trouble
  readonly happened: (where: Endpoint, what: string) => void
  /** Something became of a single message. */
  readonly troubled: (fate: string) => void
  /** Whether the link between two processes can break while both live. */
  readonly mayBreak: (a: ProcessId, b: ProcessId) => boolean
  /** Cuts the link, as at any other moment. */
  readonly tear: (link: Link) => void
}

/** How often a process may be held up in the middle of one thing. */
const mostHolds = 4

/** A process was ended in the middle of what it did. */
export class EndedWithin extends Error {
  readonly process: Endpoint

  constructor(process: Endpoint) {
    super(`process ${process.id} was ended in the middle of something`)
    this.process = process
  }
}

export class Network {
  readonly processes: Map<ProcessId, Endpoint> = new Map<ProcessId, Endpoint>()
  readonly links: Map<string, Link> = new Map<string, Link>()
  readonly latencyMs: () => number
  readonly #clock: VirtualClock
  readonly #random: Random
  readonly #happened: (where: Endpoint, what: string) => void
  readonly #trouble: Trouble
  readonly #troubled: (fate: string) => void
  readonly #tear: (link: Link) => void
  readonly #mayBreak: (a: ProcessId, b: ProcessId) => boolean
  /** By sender and receiver: until when nothing comes through. */
  readonly #cutUntil = new Map<string, number>()
  /** By pair: when the last end hears of the end of the old link. */
  readonly #healedAt = new Map<string, number>()
  /** Of dead processes: what they sent before their end still arrives, and then the end. */
  readonly #ending = new Set<Link>()
  /** By sender and receiver: the link is gone, and the sender has yet to hear of it. */
  readonly #untold = new Set<string>()
  #nextLink = 1
  /** Processes in which something happens just now: seldom more than one, and then one within the other. */
  readonly #busy: Endpoint[] = []
  /** The one that is in the middle of it, while others go on. */
  #held: Endpoint | undefined
  /** Those that come to what they missed. */
  readonly #behind = new Set<Endpoint>()
  /** How often it was held up in that. */
  #holds = 0

  constructor({ clock, random, trouble, happened, troubled, mayBreak, tear }: NetworkOptions) {
    this.#clock = clock
    this.#random = random
    this.#trouble = trouble
    this.#happened = happened
    this.#troubled = troubled
    this.#mayBreak = mayBreak
    this.#tear = tear
    const slow = 0.1 + random.next() * 3
    this.latencyMs = () => 0.02 + random.next() * slow * (random.next() < 0.05 ? 10 : 1)
  }

  send<To extends Endpoint>(
    from: Endpoint,
    to: ProcessId,
    what: string,
    deliver: (to: To, link: number) => void,
  ): void {
    // What is sent over a link that is gone is lost, until the sender hears of it and makes another.
    if (!from.alive || this.#untold.has(`${from.id}>${to}`)) return
    const link = this.#linkOf(from.id, to)
    if (link.broken) return
    const fate = this.#trouble.fateOf(what, this.#mayBreak(from.id, to))
    if (fate !== undefined) this.#troubled(fate)
    if (fate === 'lost') return
    if (fate === 'torn') return this.#tear(link)
    const receiving = this.processes.get(to)
    const now = this.#clock.now()
    const cutUntil = this.#cutUntil.get(`${from.id}>${to}`) ?? 0
    const earliest = Math.max(link.lastAt.get(from.id) ?? 0, link.stalledUntil.get(from.id) ?? 0, cutUntil)
    const lateMs = fate === 'late' || fate === 'overtaken' ? this.#trouble.lateMs(what) : 0
    const atMs = Math.max(earliest, now + this.latencyMs() + lateMs)
    // What comes behind it does not wait for it.
    if (fate !== 'overtaken') link.lastAt.set(from.id, atMs)
    this.#clock.at(atMs, () => {
      if (link.broken) return
      const receiver = this.processes.get(to)
      // One that was started again in its place knows nothing of that link.
      if (receiver?.alive !== true || receiver !== receiving) return this.#break(link)
      for (let times = fate === 'twice' ? 2 : 1; times > 0; times--)
        this.run(receiver, what, () => deliver(receiver as To, link.number))
    })
  }

  /** A process is started in the place of a dead one: of the ends of that one's links it will not hear. */
  replace(process: Endpoint): void {
    this.processes.set(process.id, process)
    for (const way of [...this.#untold]) if (way.startsWith(`${process.id}>`)) this.#untold.delete(way)
  }

  /** Something happens in a process, as soon as it is not stopped. */
  run(process: Endpoint, what: string, act: () => void): void {
    const happen = (): void => {
      if (!process.alive || !this.#happens(process, act)) return
      this.#happened(process, what)
      this.#catchUp(process)
    }
    if (process.paused || this.#held === process || process.inbox.length > 0) process.inbox.push(happen)
    else happen()
  }

  /** False when the process was ended in the middle of it. */
  #happens(process: Endpoint, act: () => void): boolean {
    if (this.#busy.push(process) === 1) this.#holds = 0
    try {
      act()
      return true
    } catch (error) {
      if (error instanceof EndedWithin && error.process === process) return false
      throw error
    } finally {
      this.#busy.pop()
    }
  }

  /**
   * The process in which something happens is held up in the middle of that, as the system does it to processes, while
   * `others` go on. Throws EndedWithin when it is killed meanwhile. False, and nothing is done, where that cannot be.
   */
  holdUp(others: () => void): boolean {
    const [process] = this.#busy
    if (process === undefined || this.#busy.length > 1 || this.#held !== undefined) return false
    if (++this.#holds > mostHolds) return false
    this.#held = process
    try {
      others()
    } finally {
      this.#held = undefined
    }
    if (!process.alive) throw new EndedWithin(process)
    return true
  }

  after(process: Endpoint, delayMs: number, what: string, act: () => void): { cancel(): void } {
    return this.#clock.after(delayMs, () => this.run(process, what, act))
  }

  resume(process: Endpoint): void {
    process.paused = false
    if (this.#held !== process) for (const act of process.inbox.splice(0)) act()
  }

  /** What came while it was held up happens one by one: promises settle between two things. */
  #catchUp(process: Endpoint): void {
    if (process.inbox.length === 0 || this.#behind.has(process)) return
    this.#behind.add(process)
    this.#clock.after(0, () => {
      this.#behind.delete(process)
      if (process.paused || this.#held === process) return
      process.inbox.shift()?.()
      this.#catchUp(process)
    })
  }

  /** The process is gone. What it has sent arrives before its end is noticed, or is lost with it. */
  kill(process: Endpoint): void {
    process.alive = false
    for (const link of this.linksOf(process.id)) {
      if (link.ending) continue
      const [a, b] = link.ends
      const other = a === process.id ? b : a
      // Within a machine nothing is lost that was sent.
      const lost = this.#random.next() < 0.5 && this.#mayBreak(a, b)
      if (lost) this.#break(link)
      else {
        link.ending = true
        this.#forget(link)
        this.#ending.add(link)
        const lastMs = link.lastAt.get(process.id) ?? 0
        this.#tellGone(link, other, Math.max(lastMs - this.#clock.now(), 0) + this.latencyMs())
      }
    }
  }

  /** When the last of what was sent over the link between two processes is there. */
  allArrivedMs(from: ProcessId, to: ProcessId): number {
    return this.links.get(keyOf(from, to))?.lastAt.get(from) ?? 0
  }

  /** Whether a link of the two stands, as far as both know. */
  isLinked(a: ProcessId, b: ProcessId): boolean {
    const link = this.links.get(keyOf(a, b))
    return link !== undefined && !link.broken && !link.ending
  }

  /** Whether anything comes through between two processes, both ways. */
  passes(a: ProcessId, b: ProcessId): boolean {
    const now = this.#clock.now()
    return [`${a}>${b}`, `${b}>${a}`].every((way) => now >= (this.#cutUntil.get(way) ?? 0))
  }

  cut(link: Link): void {
    this.#break(link)
  }

  /** Closes a process's own side of a link; the other hears of it. */
  close(from: Endpoint, to: ProcessId): void {
    const key = keyOf(from.id, to)
    const link = this.links.get(key)
    if (link !== undefined) this.#break(link)
    // Of a process that is dead, what is still under way comes to nobody.
    for (const ending of this.#ending) if (keyOf(...ending.ends) === key) ending.broken = true
  }

  stall(link: Link, durationMs: number): void {
    const end = link.ends[randomInteger(this.#random, 2)] as ProcessId
    link.stalledUntil.set(end, this.#clock.now() + durationMs)
  }

  /**
   * Nothing comes from there to the other end, over this link or a later one; the sender does not notice. At the end it
   * all comes, or the link breaks with it.
   */
  cutOneWay(link: Link, from: ProcessId, durationMs: number, breaks: boolean): void {
    const to = link.ends[0] === from ? link.ends[1] : link.ends[0]
    const untilMs = this.#clock.now() + durationMs
    // A link that breaks carries nothing more.
    link.stalledUntil.set(from, breaks ? untilMs + 1 : untilMs)
    this.#cutUntil.set(`${from}>${to}`, untilMs)
    if (breaks) this.#clock.after(durationMs, () => this.#break(link))
  }

  linksOf(process: ProcessId): Link[] {
    return [...this.links.values(), ...this.#ending].filter(({ ends }) => ends[0] === process || ends[1] === process)
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
    const way = `${end}>${other}`
    this.#untold.add(way)
    this.after(process, delayMs, `link to ${other} is gone`, () => {
      this.#untold.delete(way)
      this.#ending.delete(link)
      process.gone(other, link.number)
    })
  }
}

function keyOf(a: ProcessId, b: ProcessId): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`
}
