/**
 * Some processes that hand refs to each other while the links between them break, and while what was made anew is used
 * before the end of what was there before is noticed everywhere. Some compute for a while, and take and hear nothing then.
 * Made of the runtime's dialler, sessions and references; one seed is one history.
 *
 *     they work, wires are cut --> no more cuts, everybody notices --> nothing that is held was freed
 *                              --> everything is dropped --> nothing is left
 */
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { ConnectionLostError } from '../../../runtime/base/errors.ts'
import { pick, type Random, randomInteger, seededRandom } from '../../../runtime/base/random.ts'
import type { RefTuple } from '../../../runtime/protocol/messages.ts'
import { type LocalHello, peerHello } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { demand } from '../checks.ts'
import { VirtualClock } from '../virtual-clock.ts'
import { PeerProcess } from './process.ts'
import { type WhenFree, Wire } from './wire.ts'
import { Containers, nameOf } from '../containers.ts'

const workMs = 400
const mostEvents = 50_000
const mostBusyMs = 300

/** How a ref came to somebody; `parted`: how often those who vouched for it had lost each other by then. */
interface Gift {
  readonly from: ProcessId
  /** It was the so many-th of all. */
  readonly order: number
  readonly pairs: readonly string[]
  readonly parted: number
  readonly doubtful: boolean
}

const pairOf = (a: ProcessId, b: ProcessId): string => [a, b].sort().join()

export class PeerWorld {
  readonly random: Random
  readonly clock: VirtualClock = new VirtualClock()
  readonly processes: PeerProcess[]
  readonly counts: Map<string, number> = new Map<string, number>()
  readonly story: string[] = []
  tasks = 1
  readonly #wires: Wire[] = []
  readonly #parted = new Map<string, number>()
  readonly #gifts = new Map<string, Gift[]>()
  #given = 0
  readonly containers: Containers = new Containers()
  /** Until when a process computes. */
  readonly #busyUntilMs = new Map<ProcessId, number>()

  constructor(seed: number) {
    this.random = seededRandom(seed)
    const count = 2 + randomInteger(this.random, 3)
    this.processes = Array.from(
      { length: count },
      (_, i) => new PeerProcess(this, (i + 1).toString(16).padStart(16, '0') as ProcessId),
    )
  }

  async run(): Promise<void> {
    const steps = 20 + randomInteger(this.random, 100)
    for (let i = 0; i < steps; i++) this.#later(() => this.#step())
    const cuts = randomInteger(this.random, 12)
    for (let i = 0; i < cuts; i++) this.#later(() => this.#cut())
    const failing = randomInteger(this.random, 8)
    for (let i = 0; i < failing; i++) this.#later(() => this.#cut('a call', (wire) => !wire.heard))
    const busy = randomInteger(this.random, 4)
    for (let i = 0; i < busy; i++) this.#later(() => this.#compute())
    await this.#untilQuiet()
    this.#nothingFreedThatIsHeld()
    for (let round = 0; round < 100 && this.#busy(); round++) {
      for (const process of this.processes) process.finish()
      await this.#untilQuiet()
    }
    this.#atRest()
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  note(text: string): void {
    this.story.push(`${this.clock.now().toFixed(3)} ${text}`)
  }

  /** A process calls another one. */
  dial(from: PeerProcess, to: ProcessId, hello: LocalHello): Promise<Link> {
    const called = this.processes.find(({ id }) => id === to) as PeerProcess
    const wire = new Wire(this.clock, this.random, this.whenFree, peerHello(hello), peerHello(called.hello))
    const [ours, theirs] = wire.ends
    this.#wires.push(wire)
    this.count('dial')
    return new Promise((resolve, reject) => {
      const failed = (): void => {
        if (!ours.closed) ours.lost('it never stood')
        reject(new ConnectionLostError(`process ${to} does not answer`))
      }
      const heard = (): void => {
        if (wire.cut) return failed()
        wire.heard = true
        this.note(
          `${Number(to)} takes a call of ${Number(from.id)}, whose count is ${String(hello.info?.['ended'] ?? 0)}`,
        )
        called.dialer.adopt(theirs)
        if (theirs.closed) this.count('refused')
        const answered = (): void => (wire.cut ? failed() : resolve(ours))
        this.clock.after(wire.latencyMs(), () => this.whenFree(from.id, answered))
      }
      this.clock.after(wire.latencyMs(), () => this.whenFree(to, heard))
    })
  }

  readonly whenFree: WhenFree = (process, act) => {
    const untilMs = this.#busyUntilMs.get(process) ?? 0
    if (untilMs <= this.clock.now()) act()
    else this.clock.at(untilMs, () => this.whenFree(process, act))
  }

  /** One side has noticed that it has lost the other. */
  parted(a: ProcessId, b: ProcessId): void {
    this.count('parted')
    this.note(`${Number(a)} has lost ${Number(b)}`)
    this.#parted.set(pairOf(a, b), (this.#parted.get(pairOf(a, b)) ?? 0) + 1)
  }

  /** Refs that go from one process to another: both, and the owner, have to stay together for it to be good. */
  give(ref: RefTuple, from: PeerProcess, to: PeerProcess): void {
    const pairs = [pairOf(from.id, to.id), pairOf(from.id, ref[0]), pairOf(to.id, ref[0])]
    const gone = from.id === ref[0] ? from.freed.has(ref[1]) : from.lost.has(nameOf(ref))
    const doubtful = gone || this.#isDoubtful(ref, from.id)
    const key = `${nameOf(ref)} ${to.id}`
    const gift = { from: from.id, order: this.#given++, pairs, parted: this.#partedIn(pairs), doubtful }
    this.#gifts.set(key, [...(this.#gifts.get(key) ?? []), gift])
  }

  #step(): void {
    const { random } = this
    const process = pick(random, this.processes)
    const some = (): RefTuple[] => process.handles.filter(() => random.next() < 0.4).slice(0, 3)
    const moves = [
      () => process.put(),
      () => process.drop(randomInteger(random, process.handles.length + 1)),
      () => process.submit(this.#another(process), some()),
      () => process.submit(this.#another(process), some()),
      () => {
        const [task] = process.running.keys()
        if (task !== undefined) process.end(task, some())
      },
    ]
    const move = pick(random, moves)
    this.whenFree(process.id, () => move())
  }

  #compute(): void {
    const process = pick(this.random, this.processes)
    this.count('busy')
    this.note(`${Number(process.id)} computes`)
    this.#busyUntilMs.set(process.id, this.clock.now() + this.random.next() * mostBusyMs)
  }

  #another(process: PeerProcess): PeerProcess {
    return pick(
      this.random,
      this.processes.filter((one) => one !== process),
    )
  }

  #cut(what: string = 'a link', which: (wire: Wire) => boolean = () => true): void {
    const standing = this.#wires.filter((wire) => !wire.over && !wire.cut && which(wire))
    if (standing.length === 0) return
    this.count(`cut ${what}`)
    const wire = pick(this.random, standing)
    this.note(`cut ${what} between ${wire.ends.map(({ peer }) => Number(peer.process)).join(' and ')}`)
    wire.break()
  }

  #later(act: () => void): void {
    this.clock.after(this.random.next() * workMs, act)
  }

  async #untilQuiet(): Promise<void> {
    // Promises settle between two events.
    for (await turn(); this.clock.step(); await turn()) {
      demand(this.clock.count < mostEvents, 'comes-to-rest', () => `${mostEvents} events, and no end`)
      for (const { borrowing } of this.processes) borrowing.state.validate()
    }
  }

  #busy(): boolean {
    return this.processes.some(({ running, handles, submitted }) => running.size + handles.length + submitted.size > 0)
  }

  #nothingFreedThatIsHeld(): void {
    for (const process of this.processes)
      for (const ref of process.held()) {
        const owner = this.processes.find(({ id }) => id === ref[0]) as PeerProcess
        const mayBeLost = process.lost.has(nameOf(ref)) || this.#isDoubtful(ref, process.id)
        if (mayBeLost) this.count('held in doubt')
        else if (owner !== process) this.count('held for sure')
        demand(
          mayBeLost || !owner.freed.has(ref[1]),
          'never-freed-while-held',
          () => `process ${Number(process.id)} holds ${nameOf(ref)}, which is freed, and was not told`,
        )
      }
  }

  /**
   * Whether somebody who vouched for what that process had got by then has lost somebody else. Who gave it may come to be in
   * doubt later, by what it had got before.
   */
  #isDoubtful(ref: RefTuple, holder: ProcessId, by: number = Infinity, seen: Set<Gift> = new Set()): boolean {
    const gifts = this.#gifts.get(`${nameOf(ref)} ${holder}`) ?? []
    for (const gift of gifts) {
      if (gift.order >= by || seen.has(gift)) continue
      seen.add(gift)
      const { from, order, pairs, parted, doubtful } = gift
      if (doubtful || this.#partedIn(pairs) > parted || this.#isDoubtful(ref, from, order, seen)) return true
    }
    return false
  }

  #partedIn(pairs: readonly string[]): number {
    return pairs.slice(0, 2).reduce((sum, pair) => sum + (this.#parted.get(pair) ?? 0), 0)
  }

  #atRest(): void {
    for (const { id, borrowing, counts, submitted, created, freed } of this.processes) {
      const sizes = { references: borrowing.state.size(), counts: counts.counts.size, submitted: submitted.size }
      const left = created - freed.size
      demand(
        Object.values(sizes).every((size) => size === 0) && left === 0,
        'nothing-left',
        () => `process ${Number(id)}: ${JSON.stringify(sizes)}, ${left} of ${created} objects are not freed`,
      )
    }
    for (const process of this.processes)
      for (const other of this.processes) {
        const [here, there] = [process.peers.get(other.id), other.peers.get(process.id)]
        demand(
          (here === undefined) === (there === undefined),
          'both-linked',
          () => `process ${Number(process.id)} is linked to ${Number(other.id)}, which is not`,
        )
      }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve))
}
