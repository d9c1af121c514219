/** The objects of a simulated process: outcomes, gets, and the reference protocol over simulated links. */
import { objectKey, type NodeId, type ProcessId } from '../../runtime/base/ids.ts'
import type { Copies } from '../../runtime/owner/copies.ts'
import { ReferenceState } from '../../runtime/owner/reference-state.ts'
import type { PullReport } from '../../runtime/objects/pull-failures.ts'
import type { Peer, ReferenceEffects } from '../../runtime/owner/reference-types.ts'
import { slotOf, TaskTable } from '../../runtime/owner/task-table.ts'
import type { Holder, RefTuple } from '../../runtime/protocol/messages.ts'
import { demand } from './checks.ts'
import type { Endpoint } from './network.ts'
import type { SimNode } from './node.ts'
import { NodeStore, OwnMemory } from './process-store.ts'
import type { Rebuilding } from './rebuilding.ts'
import { isLost, type Outcome, type Stored } from './tasks.ts'
import { keyOf, Values } from './values.ts'
import type { World } from './world.ts'

/** Removals gather for this long, in milliseconds, as they do in the runtime. */
const flushMs = 20

interface Announced {
  readonly adder: ProcessId
  readonly requestId: number
  readonly numbers: readonly number[]
  readonly borrower: Peer
  readonly ended: number
}

export interface OwnerEndpoint extends Endpoint {
  readonly objects: OwnerObjects
}

export class OwnerObjects implements ReferenceEffects {
  readonly table: TaskTable = new TaskTable()
  readonly refs: ReferenceState
  readonly world: World
  readonly process: Endpoint
  readonly outcomes: Map<number, Outcome> = new Map<number, Outcome>()
  readonly waiters: Map<number, ((outcome: Outcome) => void)[]> = new Map()
  /** Gets that were asked of another owner. */
  readonly questions: Map<number, { owner: ProcessId; answer: (outcome: Outcome) => void }> = new Map()
  /** Refs whose owner was lost. */
  readonly lost: Set<string> = new Set<string>()
  readonly values: Values
  /** Nodes on which attempts that came to nothing may have left their results. */
  readonly strays: Map<number, Set<NodeId>> = new Map<number, Set<NodeId>>()
  rebuilding!: Rebuilding
  copies!: Copies
  readonly #sessions = new Map<ProcessId, number>()
  /** Announcements by those who have heard of the end of a link that this process has yet to hear of. */
  #early: Announced[] = []
  readonly #taskOf = new Map<number, number>()
  #nextQuestion = 1
  /** Copies that were added, or made again. */
  #copies = 0
  #flushing = false

  constructor(world: World, process: Endpoint) {
    this.world = world
    this.process = process
    const home = world.network.processes.get(process.nodeId) as SimNode
    const shares = world.sharesStore(process)
    const store = shares ? new NodeStore(world, process, home) : new OwnMemory(world, process)
    this.values = new Values(world, process as OwnerEndpoint, store)
    const counts = {
      get: (number: number): number => this.table.page(number)?.references[slotOf(number)] ?? 0,
      set: (number: number, value: number): void => {
        this.table.at(number).references[slotOf(number)] = value
      },
    }
    this.refs = new ReferenceState({ process: process.id, node: process.nodeId }, this, counts)
  }

  refOf(number: number): RefTuple {
    return [this.process.id, number, this.process.nodeId]
  }

  /** A new object with a value; the caller holds it. */
  put(refs: readonly RefTuple[], sizeBytes: number): RefTuple {
    const number = this.table.allocate()
    this.refs.retainOwned(number)
    this.refs.contain(number, refs)
    this.world.checks.held(this.refOf(number), this.process.id)
    if (sizeBytes === 0) this.outcomes.set(number, { error: false, refs })
    else this.#store(number, refs, sizeBytes)
    return this.refOf(number)
  }

  /** What becomes of any object that is held here, when it is known. */
  outcomeOf(ref: RefTuple, then: (outcome: Outcome) => void): void {
    const [owner, number] = ref
    if (owner === this.process.id) this.#own(number, then)
    else this.#ask(ref, then)
  }

  #ask(ref: RefTuple, then: (outcome: Outcome) => void, report?: PullReport): void {
    const [owner, number] = ref
    const id = this.#nextQuestion++
    this.refs.retain(ref)
    const answer = (outcome: Outcome): void => {
      this.questions.delete(id)
      then(outcome)
      this.release(ref)
    }
    this.questions.set(id, { owner, answer })
    const what = report === undefined ? 'objectGet' : 'objectLost'
    this.world.network.send<OwnerEndpoint>(this.process, owner, what, (to) => {
      const answer = (outcome: Outcome): void =>
        this.world.network.send<OwnerEndpoint>(to, this.process.id, 'objectValue', (from) =>
          from.objects.questions.get(id)?.answer(outcome),
        )
      if (report === undefined) to.objects.#own(number, answer)
      else to.objects.rebuilding.reported(number, report, () => to.objects.#own(number, answer))
    })
  }

  /** What is new of an object, of which no copy could be read. */
  outcomeAgain(ref: RefTuple, report: PullReport, then: (outcome: Outcome) => void): void {
    const [owner, number] = ref
    if (owner !== this.process.id) return this.#ask(ref, then, report)
    this.rebuilding.reported(number, report, () => this.#own(number, then))
  }

  /** The task that makes an object. */
  taskOf(number: number): number {
    return this.#taskOf.get(number) ?? number
  }

  protected results(task: number, count: number): void {
    for (let i = 1; i < count; i++) this.#taskOf.set(task + i, task)
  }

  /** The refs in the value of an object, as handles here; [] where there is no value. */
  get(ref: RefTuple, then: (handles: readonly RefTuple[]) => void): void {
    // One that was freed while its task ran is wanted again.
    if (ref[0] === this.process.id && this.table.has(ref[1])) this.refs.retainOwned(ref[1])
    else this.refs.retain(ref)
    const take = ({ refs, stored }: Outcome): void => {
      const end = (inner: readonly RefTuple[]): void => {
        this.refs.decodeWithin(ref, inner)
        for (const one of inner) this.world.checks.held(one, this.process.id)
        then(inner)
        this.release(ref)
      }
      if (stored === undefined) return end(refs)
      // It is held until its value is here.
      this.refs.retain(ref)
      this.values.read(ref, stored, (reading, report) => {
        if (reading !== undefined) this.values.drop(reading)
        if (reading !== undefined || report === undefined) end(reading === undefined ? [] : refs)
        else this.outcomeAgain(ref, report, take)
        this.release(ref)
      })
    }
    this.outcomeOf(ref, take)
  }

  /** As in `runtime/owner/object-table.ts`. */
  addHolder(number: number, holder: Holder): void {
    const outcome = this.outcomes.get(number)
    const stored = outcome?.stored
    if (outcome === undefined || stored === undefined || outcome.released === true) return
    if (stored.holders.some(([node, process]) => node === holder[0] && process === holder[1])) return
    const holders = [...stored.holders, this.#copyAt(holder)]
    this.world.losses.known(keyOf(this.refOf(number)), holder)
    this.outcomes.set(number, { ...outcome, stored: { ...stored, holders } })
  }

  /** An attempt on that node came to nothing, and may have left results. */
  strayed(number: number, count: number, node: NodeId): void {
    for (let i = number; i < number + count; i++) {
      if (!this.table.has(i)) {
        this.values.freeAt(node, objectKey({ owner: this.process.id, number: i }))
        continue
      }
      const nodes = this.strays.get(i) ?? new Set<NodeId>()
      this.strays.set(i, nodes.add(node))
    }
  }

  release(ref: RefTuple): void {
    this.refs.release(ref[0], ref[1])
    this.released()
  }

  released(): void {
    if (this.#flushing) return
    this.#flushing = true
    this.world.network.after(this.process, flushMs, 'flush', () => {
      this.#flushing = false
      this.refs.flush()
    })
  }

  /** A task has a result, for the first time or for another one. */
  settle(number: number, outcome: Outcome): void {
    if (!this.rebuilding.settle(number, outcome)) this.settled(number, outcome)
  }

  /** An object gets its value; whoever waits is told. */
  settled(number: number, became: Outcome): void {
    const { stored } = became
    const task = this.taskOf(number)
    const isAgain = stored !== undefined && this.table.at(task).attempt[slotOf(task)] !== 0
    const holders = isAgain ? stored.holders.map((holder) => this.#copyAt(holder)) : []
    const outcome = isAgain ? { ...became, stored: { ...stored, holders } } : became
    for (const holder of stored?.holders ?? []) this.world.losses.known(keyOf(this.refOf(number)), holder)
    const held = this.refs.isLive(number)
    const waiters = this.waiters.get(number) ?? []
    this.waiters.delete(number)
    if (held) this.outcomes.set(number, outcome)
    else this.#forget(number, outcome)
    for (const tell of waiters) tell(outcome)
  }

  gone(peer: ProcessId): void {
    const { nodeId } = this.world.network.processes.get(peer) as Endpoint
    // What it told of copies that it had brought there may be lost.
    for (const number of this.refs.borrowedBy(peer)) this.strayed(number, 1, nodeId)
    this.#sessions.set(peer, this.endedSessions(peer) + 1)
    this.refs.processDead(peer)
    const early = this.#early.filter(({ adder }) => adder !== peer)
    this.#early = []
    for (const one of early) this.#announced(one)
    for (const question of [...this.questions.values()]) {
      if (question.owner === peer) question.answer({ error: true, refs: [] })
    }
    this.released()
  }

  free(number: number): void {
    this.world.checkFree(this.refOf(number))
    const outcome = this.outcomes.get(number)
    if (outcome === undefined) return
    this.outcomes.delete(number)
    this.#forget(number, outcome)
  }

  /** Copies that attempts may have left go. `except`: what is freed there anyway. */
  freeStrays(number: number, except: readonly Holder[] = []): void {
    const strays = [...(this.strays.get(number) ?? [])].map((node): Holder => [node, node])
    this.strays.delete(number)
    this.values.free(
      number,
      strays.filter(([node]) => !except.some(([, process]) => process === node)),
    )
  }

  #forget(number: number, { stored, error }: Outcome): void {
    const holders = stored?.holders ?? []
    this.values.free(number, holders)
    this.freeStrays(number, holders)
    if (this.rebuilding.unheld(number)) {
      if (error) this.outcomes.set(number, { error, refs: [] })
      return
    }
    this.#taskOf.delete(number)
    this.table.release(number)
  }

  /** As in `runtime/owner/object-table.ts`. */
  #copyAt([node, process]: Holder): Holder {
    return [node, process, ++this.#copies]
  }

  /** The object is ready when its value is in a store. */
  #store(number: number, refs: readonly RefTuple[], sizeBytes: number): void {
    const ref = this.refOf(number)
    this.refs.retainOwned(number)
    this.values.put(ref, sizeBytes, 0, (stored: Stored | string) => {
      const failed = typeof stored === 'string'
      if (failed) this.world.count('put refused')
      this.settle(number, failed ? { error: true, refs: [] } : { error: false, refs, stored })
      this.release(ref)
    })
  }

  sendAdd(owner: Peer, requestId: number, numbers: readonly number[], borrower: Peer, ended: number): void {
    const announced = { adder: this.process.id, requestId, numbers, borrower, ended }
    this.world.note(this.process, `announces ${borrower.process} as borrower of ${numbers.join()} to ${owner.process}`)
    this.world.network.send<OwnerEndpoint>(this.process, owner.process, 'refAdd', (to) =>
      to.objects.#announced(announced),
    )
  }

  /** One link is one session; both ends hear of each end. */
  endedSessions(process: ProcessId): number {
    return this.#sessions.get(process) ?? 0
  }

  /** What somebody says of another process counts in the session in which that one said it. */
  #announced(said: Announced): void {
    const { adder, requestId, numbers, borrower, ended } = said
    const isSure = borrower.process === adder || borrower.process === this.process.id
    const here = isSure ? ended : this.endedSessions(borrower.process)
    if (ended > here) this.#early.push(said)
    else if (ended === here) this.refs.refAdd(adder, requestId, numbers, borrower)
    else {
      // The borrower knows, or will, that it has lost the ref.
      this.world.count('refAdd too late')
      this.sendAck(adder, requestId)
    }
  }

  sendAck(to: ProcessId, requestId: number): void {
    this.world.network.send<OwnerEndpoint>(this.process, to, 'refAck', (asker) => {
      asker.objects.refs.refAcked(requestId)
      asker.objects.released()
    })
  }

  sendRemove(owner: Peer, numbers: readonly number[], adder: ProcessId): void {
    const from = this.process.id
    this.world.note(this.process, `borrows ${numbers.join()} of ${owner.process} no more, by ${adder}`)
    this.world.network.send<OwnerEndpoint>(this.process, owner.process, 'refRemove', (to) => {
      to.objects.refs.refRemove(numbers, from, adder)
      to.objects.released()
    })
  }

  sendReplyAck(worker: ProcessId, ackId: number): void {
    this.world.network.send<OwnerEndpoint>(this.process, worker, 'replyAck', (to) => {
      to.objects.refs.replyAcked(ackId)
      to.objects.released()
    })
  }

  ownerDied(owner: ProcessId, number: number): void {
    this.lost.add(`${owner}:${number}`)
  }

  /** A link is the watch: its end is the process's end. */
  watch(peer: Peer): void {
    this.world.network.send(this.process, peer.process, 'watch', () => undefined)
  }

  unwatch(): void {
    // The link stays.
  }

  atRest(who: string): void {
    const tables = { objects: this.table.size, refs: this.refs.size(), gets: this.questions.size }
    const sizes = { ...tables, values: this.values.size, strays: this.strays.size, rebuilding: this.rebuilding.size }
    for (const [name, size] of Object.entries(sizes)) {
      demand(size === 0, 'nothing-left', () => `${size} entries in ${name} of ${who} (${JSON.stringify(sizes)})`)
    }
  }

  #own(number: number, then: (outcome: Outcome) => void): void {
    let outcome = this.outcomes.get(number)
    if (outcome !== undefined && isLost(outcome)) {
      // Its number may be kept for lineage alone.
      if (!this.refs.isHeld(this.process.id, number)) return then({ error: true, refs: [] })
      this.rebuilding.need(number)
      outcome = this.outcomes.get(number)
    }
    if (outcome !== undefined) return then(outcome)
    if (!this.table.has(number)) return then({ error: true, refs: [] })
    const waiters = this.waiters.get(number)
    if (waiters === undefined) this.waiters.set(number, [then])
    else waiters.push(then)
  }
}
