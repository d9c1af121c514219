/** The objects of a simulated process: outcomes, gets, and the reference protocol over simulated links. */
import type { ProcessId } from '../../runtime/base/ids.ts'
import { ReferenceState } from '../../runtime/owner/reference-state.ts'
import type { Peer, ReferenceEffects } from '../../runtime/owner/reference-types.ts'
import { slotOf, TaskTable } from '../../runtime/owner/task-table.ts'
import type { RefTuple } from '../../runtime/protocol/messages.ts'
import { demand } from './checks.ts'
import type { Endpoint } from './network.ts'
import type { Outcome } from './tasks.ts'
import type { World } from './world.ts'

/** Removals gather for this long, in milliseconds, as they do in the runtime. */
const flushMs = 20

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
  #nextQuestion = 1
  #flushing = false

  constructor(world: World, process: Endpoint) {
    this.world = world
    this.process = process
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
  put(refs: readonly RefTuple[]): RefTuple {
    const number = this.table.allocate()
    this.refs.retainOwned(number)
    this.refs.contain(number, refs)
    this.outcomes.set(number, { error: false, refs })
    this.world.checks.held(this.refOf(number), this.process.id)
    return this.refOf(number)
  }

  /** What becomes of any object that is held here, when it is known. */
  outcomeOf(ref: RefTuple, then: (outcome: Outcome) => void): void {
    const [owner, number] = ref
    if (owner === this.process.id) return this.#own(number, then)
    const id = this.#nextQuestion++
    this.refs.retain(ref)
    const answer = (outcome: Outcome): void => {
      this.questions.delete(id)
      then(outcome)
      this.release(ref)
    }
    this.questions.set(id, { owner, answer })
    this.world.network.send<OwnerEndpoint>(this.process, owner, 'objectGet', (to) => {
      to.objects.#own(number, (outcome) =>
        this.world.network.send<OwnerEndpoint>(to, this.process.id, 'objectValue', (from) =>
          from.objects.questions.get(id)?.answer(outcome),
        ),
      )
    })
  }

  /** The refs in the value of an object, as handles here; [] where there is no value. */
  get(ref: RefTuple, then: (handles: readonly RefTuple[]) => void): void {
    this.refs.retain(ref)
    this.outcomeOf(ref, ({ refs }) => {
      this.refs.decodeWithin(ref, refs)
      for (const inner of refs) this.world.checks.held(inner, this.process.id)
      then(refs)
      this.release(ref)
    })
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

  /** An object gets its value; whoever waits is told. */
  settle(number: number, outcome: Outcome): void {
    const held = this.refs.isHeld(this.process.id, number)
    const waiters = this.waiters.get(number) ?? []
    this.waiters.delete(number)
    if (held) this.outcomes.set(number, outcome)
    else this.table.release(number)
    for (const tell of waiters) tell(outcome)
  }

  gone(peer: ProcessId): void {
    this.refs.processDead(peer)
    for (const question of [...this.questions.values()]) {
      if (question.owner === peer) question.answer({ error: true, refs: [] })
    }
    this.released()
  }

  free(number: number): void {
    this.world.checkFree(this.refOf(number))
    if (!this.outcomes.delete(number)) return
    this.table.release(number)
  }

  sendAdd(owner: Peer, requestId: number, numbers: readonly number[], borrower: Peer): void {
    const from = this.process.id
    this.world.network.send<OwnerEndpoint>(this.process, owner.process, 'refAdd', (to) =>
      to.objects.refs.refAdd(from, requestId, numbers, borrower),
    )
  }

  sendAck(to: ProcessId, requestId: number): void {
    this.world.network.send<OwnerEndpoint>(this.process, to, 'refAck', (asker) => {
      asker.objects.refs.refAcked(requestId)
      asker.objects.released()
    })
  }

  sendRemove(owner: Peer, numbers: readonly number[], adder: ProcessId): void {
    const from = this.process.id
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
    const sizes = { objects: this.table.size, refs: this.refs.size(), gets: this.questions.size }
    for (const [name, size] of Object.entries(sizes)) {
      demand(size === 0, 'nothing-left', () => `${size} entries in ${name} of ${who} (${JSON.stringify(sizes)})`)
    }
  }

  #own(number: number, then: (outcome: Outcome) => void): void {
    const outcome = this.outcomes.get(number)
    if (outcome !== undefined) return then(outcome)
    if (!this.table.has(number)) return then({ error: true, refs: [] })
    const waiters = this.waiters.get(number)
    if (waiters === undefined) this.waiters.set(number, [then])
    else waiters.push(then)
  }
}
