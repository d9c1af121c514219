/**
 * A cluster in one thread: a head, node managers, workers and drivers that are made of the very state machines of the
 * runtime, on virtual time, with seeded links and faults. One seed is one history.
 *
 *     drivers work, things go wrong --> everything is whole again --> all work ends --> all refs are dropped --> at rest
 */
import { ConnectionLostError } from '../../runtime/base/errors.ts'
import { parseObjectKey, type ProcessId } from '../../runtime/base/ids.ts'
import { type Random, randomInteger, seededRandom } from '../../runtime/base/random.ts'
import type { LeaseOptions } from '../../runtime/node/lease-types.ts'
import type { ObjectPullerOptions } from '../../runtime/node/transfer.ts'
import { claimWords } from '../../runtime/objects/claim-page.ts'
import type { SubmitOptions } from '../../runtime/owner/submit-types.ts'
import { serveObjects } from '../../runtime/objects/transfer.ts'
import type { Holder, RefTuple, ResourceUnits } from '../../runtime/protocol/messages.ts'
import { channelBetween, type SimChannel } from './channel.ts'
import { scheduleAway } from './away.ts'
import { Checks, demand, Violation } from './checks.ts'
import { SimDriver } from './driver.ts'
import { killNode, scheduleEnds, scheduleFaults } from './faults.ts'
import { SimHead, silentMs } from './head.ts'
import { SharedRings } from './left-answers.ts'
import { type Endpoint, Network } from './network.ts'
import { Losses } from './losses.ts'
import { SimNode } from './node.ts'
import { OwnMemory } from './process-store.ts'
import { Trouble } from './trouble.ts'
import { VirtualClock } from './virtual-clock.ts'
import { Walls } from './walls.ts'
import { SimWorker } from './worker.ts'
import { Workload } from './workload.ts'

export interface WorldOptions {
  readonly submit: Partial<SubmitOptions>
  readonly leases: Partial<LeaseOptions>
  /** Whether workers have claim pages. */
  readonly pages: boolean
  readonly spawnFails: number
  /** Memory of each node for values, in bytes. */
  readonly arenaBytes: number
  /** How likely a disk has no room, a copy on disk is damaged, a bulk channel breaks at a chunk. */
  readonly diskFails: number
  readonly damages: number
  readonly channelBreaks: number
  /** Whether drivers are on the machine of their home, and use its memory. */
  readonly sharing: boolean
  /** Specs of finished tasks that an owner may keep. */
  readonly specs: number
  /** Whether owners tell where the arguments of tasks lie, and have them brought to where those go. */
  readonly locates: boolean
  /** Whether values are lost often that many read at once: memory is short, disks are bad, and reports come late. */
  readonly loses: boolean
  /** Whether workers leave answers in memory that they share with owners, and many short tasks are called. */
  readonly rings: boolean
  /** Whether lines of tasks at workers are longer than their claim pages. */
  readonly lines: boolean
}

/** How likely a bulk channel breaks at a chunk, where they break at all: seldom, and in one history of five often. */
const breaksOf = (draw: number): number => (draw < 0.8 ? draw * 0.1 : 0.2 + (draw - 0.8) * 1.5)

type Page = ReturnType<typeof claimWords>
type Link = Parameters<Network['cut']>[0]

/** How long a process may be held up in the middle of something, in milliseconds: nobody is taken for dead by that. */
const heldUpMs = 20

/** Events after which a history that has not come to rest is stuck in a loop. */
const mostEvents = 200_000

export class World {
  readonly seed: number
  readonly random: Random
  readonly clock: VirtualClock = new VirtualClock()
  readonly checks: Checks = new Checks()
  readonly options: WorldOptions
  readonly network: Network
  head: SimHead
  readonly drivers: SimDriver[] = []
  readonly workload: Workload
  readonly pages: Map<ProcessId, Page> = new Map<ProcessId, Page>()
  /** Processes that were killed, or lost a link to a living one: what they passed on may be lost. */
  readonly #cutOff = new Set<ProcessId>()
  /** How often what happened. */
  readonly counts: Map<string, number> = new Map<string, number>()
  /** Put into words when somebody reads it. */
  readonly #trace: { readonly atMs: number; readonly say: () => string }[] = []
  readonly channels: Set<SimChannel> = new Set<SimChannel>()
  readonly rings: SharedRings
  readonly losses: Losses = new Losses(this)
  readonly walls: Walls
  #inBackground = 0
  #failure: Error | undefined
  #nextId = 1

  constructor(seed: number) {
    Violation.first = undefined
    this.seed = seed
    this.random = seededRandom(seed)
    const { random } = this
    // By draws of their own, as `locates`.
    const rings = seededRandom(seed ^ 0xa115).next()
    const loses = seededRandom(seed ^ 0xd15c).next() < 0.1
    const bad = { arenaBytes: 6 * 1024 * 1024, damages: 0.5 }
    this.options = {
      // What time takes back is to be taken back often, however long the queue is.
      submit: {
        ...{ requestsPerClass: 1 + randomInteger(random, 8), cancelGraceMs: 50, overdueInQueueMicros: 10_000 },
        ...(rings < 0.25 && { answerLookMicros: 300 * 10 ** (8 * rings) }),
      },
      leases: {
        extraWorkersPerCpu: randomInteger(random, 3),
        prestart: randomInteger(random, 2),
        idleReapMs: random.next() < 0.3 ? 50 : 5_000,
        infeasibleTimeoutMs: 2_000,
      },
      pages: random.next() < 0.85,
      spawnFails: random.next() < 0.2 ? 0.2 : 0,
      arenaBytes: (12 + randomInteger(random, 28)) * 1024 * 1024,
      diskFails: random.next() < 0.2 ? 0.3 : 0,
      damages: random.next() < 0.2 ? 0.3 : 0,
      channelBreaks: random.next() < 0.5 ? breaksOf(random.next()) : 0,
      sharing: random.next() < 0.5 || rings < 0.25,
      specs: random.next() < 0.3 ? 3 : 1_000,
      // By a draw of its own, so that the other histories are as they were without.
      locates: seededRandom(seed ^ 0x10ca7e).next() < 0.4,
      ...(loses ? bad : {}),
      loses,
      rings: rings < 0.25,
      lines: seededRandom(seed ^ 0x11e5).next() < 0.03,
    }
    this.rings = new SharedRings(this)
    this.network = new Network({
      ...{ clock: this.clock, random, trouble: new Trouble(seed, loses ? 0.5 : 0) },
      happened: (where, what) => this.#happened(where, what),
      troubled: (fate) => this.count(`message ${fate}`),
      mayBreak: (a, b) => this.mayBeCut(a, b),
      tear: (link) => this.cut(link),
    })
    // What a task needs at once has to fit.
    this.workload = new Workload(random, loses ? 1_200_000 : 3_000_000)
    this.walls = new Walls(this, seed)
    this.head = new SimHead(this, this.newId())
    this.network.processes.set(this.head.id, this.head)
  }

  /** Runs the whole history. Throws a Violation, or whatever a state machine throws. */
  async run(): Promise<void> {
    const { random } = this
    const homes: SimNode[] = []
    for (let i = 0; i < 1 + randomInteger(random, 3); i++) homes.push(this.addNode(this.#someResources(i)))
    for (let i = 0; i < 1 + randomInteger(random, 2); i++) this.#addDriver(homes[i % homes.length] as SimNode)
    for (const driver of this.drivers) driver.run(5 + randomInteger(random, 28))
    if (random.next() < 0.8) scheduleFaults(this, random, randomInteger(random, 12), 1_000)
    scheduleEnds(this, seededRandom(this.seed ^ 0x4ead))
    scheduleAway(this, seededRandom(this.seed ^ 0xa3a7))
    await this.#untilQuiet('all work is done')
    this.#readAll()
    await this.#untilQuiet('all values are read')
    for (const driver of this.drivers) if (driver.alive) driver.finish()
    for (const worker of this.workers()) this.network.run(worker, 'drop kept', () => worker.dropKept())
    await this.#untilQuiet('all refs are dropped')
    await this.#lookForOwners()
    this.#atRest()
    for (const driver of this.drivers) {
      this.kill(driver)
    }
    await this.#untilQuiet('all jobs are over')
    for (const node of this.nodes()) node.atRest(true)
  }

  /** In the calm, with or without a node that dies before: every driver wants the values of all that it has. */
  #readAll(): void {
    if (this.random.next() < 0.6) killNode(this, this.random)
    for (const driver of this.drivers) if (driver.alive) this.network.run(driver, 'reads all', () => driver.readAll())
  }

  newId(): ProcessId {
    return (this.#nextId++).toString(16).padStart(16, '0') as ProcessId
  }

  /** What happened last, for the report of a violation. */
  get story(): readonly string[] {
    return this.#trace.map(({ atMs, say }) => `${atMs.toFixed(3)} ${say()}`)
  }

  addNode(total: ResourceUnits): SimNode {
    const node = new SimNode(this, this.newId(), total)
    this.network.processes.set(node.id, node)
    this.network.run(node, 'starts', () => node.start())
    return node
  }

  /** Whether a process uses the memory of its node: it is on the same machine, and their link does not break. */
  sharesStore(process: Endpoint): boolean {
    return !(process instanceof SimDriver) || this.options.sharing
  }

  pullerParts(process: Endpoint): Pick<ObjectPullerOptions, 'clock' | 'open' | 'idleMs'> {
    const { clock, network } = this
    const own = {
      now: () => clock.now(),
      after: (delayMs: number, act: () => void) => network.after(process, delayMs, 'transfer', act),
    }
    return { clock: own, open: (holder) => this.#open(process, holder), idleMs: 50 }
  }

  pageOf(worker: ProcessId): Page {
    let page = this.pages.get(worker)
    if (page === undefined)
      this.pages.set(worker, (page = this.options.rings ? claimWords(undefined, this.rings.access) : claimWords()))
    return page
  }

  kill(process: Endpoint): void {
    if (!process.alive) return
    this.count('dies')
    this.#cutOff.add(process.id)
    this.losses.cutOff(process.id)
    this.#end(process, 'dies')
  }

  /** A worker ends that nobody needs: nothing is lost with it. */
  leave(worker: SimWorker): void {
    if (worker.alive) this.#end(worker, 'leaves')
  }

  /** The head dies, and another is started in its place, with what that one has saved. */
  restartHead(afterMs: number): void {
    const { head } = this
    if (!head.alive) return
    this.kill(head)
    this.clock.after(afterMs, () => {
      this.count('head restored')
      this.head = new SimHead(this, head.id, head.saved)
      this.network.replace(this.head)
      this.network.run(this.head, 'is started again', () => this.head.restore())
    })
  }

  #end(process: Endpoint, how: string): void {
    this.#say(process, how)
    if (process instanceof SimNode) for (const key of process.store.keys()) this.losses.lost(key, `its node ${how}`)
    const saidMs = this.network.allArrivedMs(process.id, process.nodeId) - this.clock.now()
    this.network.kill(process)
    for (const channel of [...this.channels]) if (channel.owner === process) channel.close()
    if (!(process instanceof SimWorker)) return
    const node = this.network.processes.get(process.nodeId)
    if (node instanceof SimNode) {
      // What it said to its node is read before its end.
      const delayMs = Math.max(saidMs, 0) + this.network.latencyMs()
      this.network.after(node, delayMs, `worker ${process.id} exits`, () => node.exited(process))
    }
  }

  /** A node manager dies; a guardian ends its workers. */
  killNode(node: SimNode): void {
    this.kill(node)
    for (const worker of node.workers.values()) this.clock.after(this.random.next() * 5, () => this.kill(worker))
  }

  cut(link: Link): void {
    this.count('cut')
    for (const end of link.ends) this.#cutOff.add(end)
    for (const end of link.ends) this.losses.cutOff(end)
    for (const channel of [...this.channels])
      if (link.ends.includes(channel.owner.id) && link.ends.includes(channel.other.owner.id)) channel.close()
    this.#tell(() => `cut ${link.ends.map((end) => this.nameOf(end)).join(' - ')}`)
    this.network.cut(link)
  }

  /** Nothing comes through in one direction, for a while or until the link breaks. */
  cutOneWay(link: Link, from: ProcessId, durationMs: number, breaks: boolean): void {
    const to = link.ends[0] === from ? link.ends[1] : link.ends[0]
    this.count('cut one way')
    if (breaks) for (const end of link.ends) this.#cutOff.add(end)
    for (const end of link.ends) this.losses.cutOff(end)
    this.#tell(() => `nothing comes from ${this.nameOf(from)} to ${this.nameOf(to)}`)
    this.network.cutOneWay(link, from, durationMs, breaks)
    if (durationMs < silentMs) return
    // Heartbeats find it: the head declares a node dead that it does not hear, a node looks for the head again.
    const [sender, receiver] = [this.network.processes.get(from), this.network.processes.get(to)]
    if (receiver === this.head && sender instanceof SimNode)
      this.network.after(this.head, silentMs, 'missed heartbeats', () => this.head.silent(sender.id))
    if (sender === this.head && receiver instanceof SimNode)
      this.network.after(receiver, silentMs, 'silent head', () => this.network.close(receiver, from))
  }

  /** Everything but the sockets between a node manager and its own workers. */
  mayBeCut(a: ProcessId, b: ProcessId): boolean {
    if (a === b) return false
    const [one, other] = [this.network.processes.get(a), this.network.processes.get(b)]
    const isBound = (process: Endpoint | undefined, node: ProcessId): boolean =>
      process?.nodeId === node &&
      (process instanceof SimWorker || (process instanceof SimDriver && this.options.sharing))
    return !isBound(one, b) && !isBound(other, a)
  }

  isNode(process: ProcessId): boolean {
    return this.network.processes.get(process) instanceof SimNode
  }

  nodes(): SimNode[] {
    return this.#living(SimNode)
  }

  workers(): SimWorker[] {
    return this.#living(SimWorker)
  }

  owners(): (SimDriver | SimWorker)[] {
    return [...this.drivers.filter(({ alive }) => alive), ...this.workers()]
  }

  /** An owner frees an object: nobody may hold it, unless it was passed on by somebody who is gone. */
  checkFree(ref: RefTuple): void {
    const holders = this.checks.holdersOf(ref)
    for (const id of holders) if (this.#cutOff.has(id)) return
    // Nor by what was taken for dead, and by whoever will hear of that in a moment.
    if (this.#cutOff.has(ref[0]) || this.losses.isDeclaredDead(ref[2])) return
    const fencedOff = this.owners().find(({ id }) => id === ref[0])?.objects.deadNodes
    for (const { id, nodeId, objects } of this.owners()) {
      // Where the one was told that the node of the other is dead, the ref is lost, whether or not the other knows.
      const lost = objects.deadNodes.has(ref[2]) || fencedOff?.has(nodeId) || this.losses.isDeclaredDead(nodeId)
      const holds = id !== ref[0] && !lost && objects.refs.isHeld(ref[0], ref[1])
      demand(!holds, 'never-freed-while-held', () => `${this.nameOf(id)} holds ${ref[0]}:${ref[1]}, which is freed`)
    }
  }

  /** How many items of a generator its consumer has had. */
  takenBy(owner: ProcessId, number: number): number {
    return (
      this.owners()
        .find(({ id }) => id === owner)
        ?.objects.streams.takenOf(number) ?? Infinity
    )
  }

  /** A detail for the story. */
  note(where: Endpoint, what: string): void {
    this.#say(where, `  ${what}`)
  }

  nameOf(id: ProcessId): string {
    const process = this.network.processes.get(id)
    const kind = process instanceof SimNode ? 'node' : process instanceof SimWorker ? 'worker' : 'process'
    return `${kind} ${Number.parseInt(id, 16)}`
  }

  #living<T extends Endpoint>(kind: new (...args: never[]) => T): T[] {
    const living: T[] = []
    for (const process of this.network.processes.values()) {
      if (process.alive && process instanceof kind) living.push(process)
    }
    return living
  }

  #addDriver(home: SimNode): void {
    const driver = new SimDriver(this, this.newId(), home.id)
    this.network.processes.set(driver.id, driver)
    this.drivers.push(driver)
  }

  #someResources(index: number): ResourceUnits {
    const cpus = (this.options.loses ? 4 : 1) + randomInteger(this.random, 3)
    const cpu = ['CPU', cpus * 10_000] as const
    return index > 0 && this.random.next() < 0.5 ? [cpu, ['gpu', 10_000]] : [cpu]
  }

  count(what: string): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1)
  }

  /** A bulk channel to whom an object is asked of. */
  #open(from: Endpoint, [, process]: Holder): Promise<SimChannel> {
    const to = this.network.processes.get(process)
    const dial = (): Promise<SimChannel> => this.#dial(from, process)
    return from instanceof SimNode && to instanceof SimNode ? this.walls.open(from, process, dial) : dial()
  }

  #dial(from: Endpoint, process: ProcessId): Promise<SimChannel> {
    return new Promise((resolve, reject) => {
      this.network.after(from, 2 * this.network.latencyMs(), 'dial', () => {
        const to = this.network.processes.get(process)
        if (to?.alive !== true) return reject(new ConnectionLostError(`${process} cannot be reached`))
        resolve(this.serve(from, to))
      })
    })
  }

  /** A channel between two processes; what comes over it is answered out of the store of the second. */
  serve(from: Endpoint, to: Endpoint): SimChannel {
    const [near, far] = channelBetween(this, from, to)
    this.network.run(to, 'serve', () => {
      if (to instanceof SimNode) serveObjects(far, to.store, to.serving)
      else if (to instanceof SimDriver && to.objects.values.store instanceof OwnMemory)
        serveObjects(far, to.objects.values.store.shelf)
      else far.close(new ConnectionLostError('it has no store'))
    })
    return near
  }

  #happened(where: Endpoint, what: string): void {
    this.count(what)
    this.#say(where, what)
    if (where instanceof SimNode) where.settle()
    else if (where instanceof SimWorker) where.settle()
    else if (where instanceof SimDriver) where.objects.refs.validate()
  }

  #say(where: Endpoint, what: string): void {
    this.#tell(() => `${this.nameOf(where.id)}: ${what}`)
  }

  #tell(say: () => string): void {
    this.#trace.push({ atMs: this.clock.now(), say })
    if (this.#trace.length > 2_000) this.#trace.splice(0, 1_000)
  }

  /** Something that goes on by promises, which the clock waits for. */
  background(what: Promise<unknown>): void {
    this.#inBackground++
    what.catch((error: unknown) => (this.#failure ??= error as Error)).finally(() => this.#inBackground--)
  }

  /** What happens while a process is held up; nothing, where promises are to settle first. */
  stepsBetween(count: number): void {
    const untilMs = this.clock.now() + heldUpMs
    for (let left = count; left > 0 && this.#inBackground === 0; left--) if (!this.clock.step(untilMs)) return
  }

  async #untilQuiet(why: string): Promise<void> {
    while (this.clock.step()) {
      if (this.#inBackground > 0) await new Promise((resolve) => setImmediate(resolve))
      const found = Violation.first ?? this.#failure
      if (found !== undefined) throw found
      demand(this.clock.count < mostEvents, 'comes-to-rest', () => `${mostEvents} events, and not until ${why}`)
    }
  }

  /** Time enough for every node to find out which owners from elsewhere are dead. */
  async #lookForOwners(): Promise<void> {
    for (let round = 0; round < 3; round++) {
      this.clock.after(61_000, () => {})
      await this.#untilQuiet('time has passed')
      for (const node of this.nodes())
        this.network.run(node, 'looks for owners', () => node.membership.foreign.lookCalmly())
      await this.#untilQuiet('all nodes know which owners live')
    }
  }

  /** What lies on a node after all refs are dropped must be of an owner that was not reached in time. */
  #leaked(node: SimNode): void {
    for (const key of node.store.keys()) {
      const { owner } = parseObjectKey(key)
      const process = this.network.processes.get(owner)
      const isDead = process?.alive !== true
      const excused = !isDead && (this.losses.wasCutOff(owner) || this.losses.wasCutOff(node.id))
      demand(excused, 'nothing-left', () => `node ${node.id} keeps ${key}${isDead ? ', whose owner is dead' : ''}`)
    }
  }

  #atRest(): void {
    this.checks.allSettled((id, number) =>
      this.owners()
        .find((owner) => owner.id === id)
        ?.objects.whereIs(number),
    )
    for (const { id, objects } of this.owners()) objects.atRest(this.nameOf(id))
    for (const node of this.nodes()) {
      node.atRest(false)
      this.walls.atRest(node)
      this.#leaked(node)
    }
    for (const { owner, other } of this.channels) {
      const kept = owner.alive && other.owner.alive
      demand(!kept, 'nothing-left', () => `a channel of ${this.nameOf(owner.id)} to ${this.nameOf(other.owner.id)}`)
    }
    for (const worker of this.workers()) {
      demand(worker.executor.sizes().busy === 0, 'nothing-left', () => `${this.nameOf(worker.id)} is busy for ever`)
    }
  }
}
