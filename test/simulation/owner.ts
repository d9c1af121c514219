/**
 * The owner's side of a simulated process (driver or worker): `SubmitState` with its instructions carried out over
 * simulated links, as `runtime/owner/leasing.ts` and `answers.ts` do over real ones.
 */
import type { NodeId, ProcessId } from '../../runtime/base/ids.ts'
import { recallUnstarted } from '../../runtime/objects/claim-page.ts'
import type { PullReport } from '../../runtime/objects/pull-failures.ts'
import { SubmitState } from '../../runtime/owner/submit-state.ts'
import {
  defaultSubmitOptions,
  type Grant,
  type SchedulingClass,
  type SubmitEffects,
  type TaskTemplate,
} from '../../runtime/owner/submit-types.ts'
import { slotOf } from '../../runtime/owner/task-table.ts'
import type { Peer } from '../../runtime/owner/reference-types.ts'
import type {
  ArgumentBytes,
  Done,
  LeaseKind,
  RefTuple,
  RefusalCode,
  ResourceUnits,
} from '../../runtime/protocol/messages.ts'
import { demand } from './checks.ts'
import type { Endpoint } from './network.ts'
import type { SimNode } from './node.ts'
import { answerOf, OwnerLooks } from './left-answers.ts'
import { LocatedArguments } from './located-arguments.ts'
import { ArgumentWaits } from './argument-waits.ts'
import { OwnerTasks } from './owner-tasks.ts'
import { Rebuilding } from './rebuilding.ts'
import { OwnedStreams } from './streams.ts'
import { refKey, type Stored } from './tasks.ts'
import type { SimWorker } from './worker.ts'
import type { World } from './world.ts'

/** A node manager that does not answer is asked again after this, until it is declared dead; milliseconds. */
const askAgainMs = 300

interface Question {
  readonly node: NodeId
  readonly ask: () => void
}

/** A worker's answer to a push. */
export interface Answer {
  readonly worker: Peer
  readonly epoch: number
  readonly sequence: number
  readonly number: number
  readonly attempt: number
  readonly runMicros: number
  readonly origin: 'user' | 'cancelled' | 'arguments' | undefined
  readonly results: readonly { readonly refs: readonly RefTuple[]; readonly stored?: Stored | undefined }[]
  readonly borrowed: readonly RefTuple[]
  /** Of arguments that could not be read. */
  readonly reports?: ReadonlyMap<string, PullReport>
  readonly ackId: number
}

export class SimOwner extends OwnerTasks implements SubmitEffects {
  readonly submit: SubmitState
  readonly waits: ArgumentWaits
  readonly streams: OwnedStreams
  readonly #located: LocatedArguments
  readonly #left: OwnerLooks
  job: ProcessId
  /** By lease: the link to its worker. What comes over another one is late. */
  readonly links: Map<number, number> = new Map<number, number>()
  readonly asked: Map<number, Question> = new Map<number, Question>()
  readonly deadNodes: Set<NodeId> = new Set<NodeId>()
  readonly #endedClasses = new Set<number>()
  #nextAsked = 1
  #nextTemplate = 0

  constructor(world: World, process: Endpoint, job: ProcessId) {
    super(world, process)
    this.job = job
    this.rebuilding = new Rebuilding(this)
    this.waits = new ArgumentWaits(this)
    this.streams = new OwnedStreams(this)
    this.#located = new LocatedArguments(this)
    this.copies = this.#located.copies()
    const clock = {
      now: () => world.clock.now(),
      after: (delayMs: number, action: () => void) => world.network.after(process, delayMs, 'owner tick', action),
    }
    this.#left = new OwnerLooks(this, clock)
    this.submit = new SubmitState(this.table, clock, this, { ...defaultSubmitOptions, ...world.options.submit })
  }

  template(
    kind: LeaseKind,
    resources: ResourceUnits,
    options: Pick<TaskTemplate, 'maxRetries' | 'retryExceptions' | 'timeoutMs' | 'numReturns'>,
    priority = 0,
  ): TaskTemplate {
    const classIndex = this.submit.defineClass({ kind, resources, strategy: null, priority, environment: '' })
    const number = this.#nextTemplate++
    return { number, name: `f${number}`, classIndex, runMicros: -1, deviationMicros: 0, ...options }
  }

  // --- instructions of SubmitState

  argumentBytes(number: number): ArgumentBytes | null {
    return this.#located.bytesOf(number)
  }

  prefetch(number: number, node: NodeId): void {
    this.#located.bring(number, node)
  }

  requestLease(
    requestId: number,
    of: SchedulingClass,
    node: NodeId | null,
    visited: readonly NodeId[],
    argumentBytes: ArgumentBytes | null,
  ): void {
    const home = this.process.nodeId
    this.world.note(this.process, `asks ${node ?? 'home'} for lease request ${requestId}, visited ${visited.join()}`)
    const seen = node === null ? visited : [...visited, home]
    const ask = { requestId, job: this.job, ...of, visited: seen, argumentBytes }
    if (node !== null && this.deadNodes.has(node)) {
      this.world.network.after(this.process, 0, 'dead node', () => this.submit.refused(requestId, 'busy', 'it is dead'))
      return
    }
    this.#toNode(node, 'leaseRequest', (to, link) => to.request(this.process.id, link, ask, to.id === home))
  }

  cancelRequest(requestId: number, node: NodeId | null): void {
    this.world.note(this.process, `cancels lease request ${requestId}`)
    this.#toNode(node, 'leaseCancel', (to, link) => to.grants.cancel(`${this.process.id}/${link}`, requestId))
  }

  open(index: number, grant: Grant): void {
    this.leases.set(index, grant)
    this.world.network.send<SimWorker>(this.process, grant.worker, 'hello', (worker) =>
      this.world.network.send<Endpoint & { objects: SimOwner }>(worker, this.process.id, 'welcome', (_, link) => {
        if (!this.leases.has(index)) return
        this.links.set(index, link)
        this.submit.opened(index)
      }),
    )
  }

  push(index: number, sequence: number, number: number, template: TaskTemplate, attempt: number): void {
    const { node, epoch, worker } = this.#grant(index)
    const call = this.calls.get(number)
    demand(call !== undefined, 'pushed-unsettled', () => `task ${number} is pushed after it settled`)
    if (call === undefined) return
    demand(call.template === template, 'pushed-own-template', () => `task ${number} is pushed with another template`)
    const values = call.awaited.flatMap((ref) => {
      const stored = this.waits.values.get(number)?.get(refKey(ref))?.stored
      return stored === undefined ? [] : [[ref, stored] as const]
    })
    const inside = call.awaited.flatMap((ref) =>
      ref[0] === this.process.id ? (this.outcomes.get(ref[1])?.refs ?? []) : [],
    )
    const owner = { process: this.process.id, node: this.process.nodeId }
    this.world.note(this.process, `pushes ${number}/${attempt} to ${worker} as ${epoch}.${sequence}`)
    this.world.network.send<SimWorker>(this.process, worker, 'push', (to, link) =>
      to.push({ owner, job: this.job, link, epoch, sequence, number, attempt, call, inside, values }),
    )
    this.streams.pushed(number, attempt, node, (allowance) =>
      this.world.network.send<SimWorker>(this.process, worker, 'generatorAllow', (to) =>
        to.streams.allow(epoch, sequence, allowance),
      ),
    )
  }

  rest(index: number, micros: number): void {
    this.#left.rest(index, micros)
  }

  wake(index: number): void {
    this.#left.looks.wake(index)
  }

  recall(index: number, sequences: readonly number[]): readonly number[] | null {
    const { node, worker, epoch, pagePath } = this.#grant(index)
    if (pagePath === '') return []
    const page = this.world.pages.get(worker)
    if (node === this.process.nodeId && page !== undefined) {
      const taken = recallUnstarted(page, epoch, sequences)
      this.unpin(index, taken)
      this.world.note(this.process, `recalls ${taken.join()} of ${sequences.join()} of ${worker}, ${epoch}`)
      return taken
    }
    this.#ask(node, 'recall', (to, answer) => {
      const taken = to.recall(worker, epoch, sequences)
      answer(() => {
        this.unpin(index, taken)
        this.submit.recalled(index, sequences, taken)
      })
    })
    return null
  }

  abort(index: number, sequence: number, recursive: boolean): void {
    const { worker, epoch } = this.#grant(index)
    this.world.network.send<SimWorker>(this.process, worker, 'abort', (to) => to.abort(epoch, sequence, recursive))
  }

  endWorker(index: number, reason: string): void {
    // What it has answered counts.
    this.#left.looks.end(index)
    const { node, worker, epoch } = this.#grant(index)
    this.world.note(this.process, `has ${worker} ended: ${reason}`)
    this.#ask(node, 'workerEnd', (to, answer) =>
      to.endFor(worker, epoch, (startedUpTo) =>
        answer(() => {
          this.world.note(this.process, `hears that ${worker} started ${epoch} up to ${startedUpTo}`)
          this.#ended(index, node, startedUpTo)
          this.#forget(index)
          this.submit.workerEnded(index, [null, 'SIGKILL', 1, ''], startedUpTo)
        }),
      ),
    )
  }

  returnLease(index: number, grant: Grant, endWorker: boolean): void {
    this.world.note(this.process, `returns lease ${grant.leaseId} of ${grant.node}${endWorker ? ', ending' : ''}`)
    this.#forget(index)
    this.#return(grant, endWorker)
  }

  returnGrant(grant: Grant): void {
    this.#return(grant, false)
  }

  classEnded(classIndex: number): void {
    demand(
      !this.#endedClasses.has(classIndex),
      'ends-once',
      () => `class ${classIndex} of ${this.process.id} ended twice`,
    )
    this.#endedClasses.add(classIndex)
  }

  story(_number: number, event: string): void {
    this.world.count(`story ${event}`)
  }

  // --- what comes back

  granted(requestId: number, grant: Grant): void {
    demand(!this.deadNodes.has(grant.node), 'fenced', () => `a grant of dead node ${grant.node} is taken`)
    this.world.note(this.process, `is granted ${requestId}: lease ${grant.leaseId} of ${grant.node}`)
    this.submit.granted(requestId, grant)
  }

  refused(requestId: number, code: RefusalCode, text: string): void {
    this.world.note(this.process, `is refused ${requestId}: ${code}`)
    this.submit.refused(requestId, code, text)
  }

  answered(answer: Answer, link: number): void {
    const { worker, epoch, sequence } = answer
    this.world.note(this.process, `hears of ${epoch}.${sequence} of ${worker.process}: ${answer.origin ?? 'done'}`)
    if (this.deadNodes.has(worker.node)) return
    this.#beforeMessage(worker.process, link)
    this.#answered(answer, this.#leaseAt(worker.process, epoch, link))
  }

  /** An answer that was left, where this process looks. */
  tookLeft(index: number, message: Done): void {
    const { worker, node } = this.#grant(index)
    this.world.note(this.process, `takes ${message[1]}.${message[2]} of ${worker}`)
    this.world.count('left answer taken')
    this.#answered(answerOf({ process: worker, node }, message), index)
  }

  #answered(answer: Answer, index: number | undefined): void {
    const { worker, sequence, borrowed, ackId } = answer
    const number = index === undefined ? -1 : (this.submit.leases.get(index)?.task(sequence) ?? -1)
    const current = this.table.has(number) ? (this.table.at(number).attempt[slotOf(number)] as number) : -1
    // Before the answer, which may give the lease back, and with it what is late there.
    const left = index === undefined ? undefined : this.leftBy(index, sequence)
    const late = this.takeLatePins(index, sequence)
    if (answer.origin === undefined) {
      const taken = index === undefined ? -1 : this.submit.done(index, sequence, answer.runMicros)
      const isOfIt = taken < 0 || taken === answer.number
      demand(isOfIt, 'whole-answers', () => `task ${taken} is answered by what is of ${answer.number}`)
      if (taken >= 0) this.world.checks.answered(this.process.id, taken, answer.attempt, current)
      const isStored = answer.results.some(({ stored }) => stored !== undefined)
      if (taken < 0 && left !== undefined && isStored) this.strayed(...left, worker.node)
      const call = this.calls.get(taken)
      const outcomes = answer.results.map((result) => ({ ...result, error: false }))
      const results = answer.results.map((result, i) => ({
        ...result,
        number: taken >= 0 && this.rebuilding.takes(taken + i) ? taken + i : 0,
      }))
      if (call !== undefined) this.rebuilding.keep(taken, call, outcomes, this.waits.values.get(taken) ?? new Map())
      return this.replied(worker, taken, taken >= 0, results, borrowed, ackId, late)
    }
    const { submit } = this
    const verdict = index === undefined ? undefined : submit.failed(index, sequence, answer.runMicros, answer.origin)
    if (verdict !== undefined && answer.origin === 'user')
      this.world.checks.answered(this.process.id, verdict.number, answer.attempt, current)
    this.replied(worker, verdict?.number ?? -1, verdict?.settle === true, [], borrowed, ackId, late)
    if (verdict !== undefined && answer.origin === 'arguments')
      this.waits.again(verdict.number, answer.reports ?? new Map())
  }

  returned(index: number, sequences: readonly number[]): void {
    this.unpin(index, sequences)
    this.submit.returned(index, sequences)
  }

  fromLease(worker: ProcessId, epoch: number, link: number, what: (index: number) => void): void {
    this.#beforeMessage(worker, link)
    const index = this.#leaseAt(worker, epoch, link)
    if (index !== undefined) what(index)
  }

  nodeDead(node: NodeId, reason: string): void {
    if (this.deadNodes.has(node)) return
    for (const [index, grant] of [...this.leases]) if (grant.node === node) this.#left.looks.end(index)
    this.deadNodes.add(node)
    for (const [id, question] of this.asked) if (question.node === node) this.asked.delete(id)
    this.rebuilding.nodeDead(node)
    this.waits.nodeDead(node)
    this.submit.nodeDead(node, reason)
    for (const [index, grant] of this.leases) if (grant.node === node) this.#forget(index)
    for (const { ends } of this.world.network.linksOf(this.process.id)) {
      const peer = this.world.network.processes.get(ends[0] === this.process.id ? ends[1] : ends[0])
      if (peer?.nodeId === node) this.world.network.close(this.process, peer.id)
    }
  }

  override gone(peer: ProcessId): void {
    for (const [index, grant] of [...this.leases]) if (grant.worker === peer) this.#broken(index)
    super.gone(peer)
  }

  /** The link to a node manager is gone, and with it the leases that it granted. */
  nodeGone(node: NodeId): void {
    for (const [index, grant] of [...this.leases]) if (grant.node === node) this.#broken(index)
    for (const [id, { node: asked }] of this.asked) if (asked === node) this.#askAgain(id)
    for (const [requestId, request] of [...this.submit.requests]) {
      if ((request.node ?? this.process.nodeId) === node) this.submit.refused(requestId, 'busy', 'node link is gone')
    }
  }

  override atRest(who: string): void {
    super.atRest(who)
    const { calls, pins, latePins, leases, asked } = this
    demand(this.streams.size === 0, 'nothing-left', () => `${this.streams.size} generators of ${who}`)
    const sizes = {
      ...{ calls: calls.size, pins: pins.size + latePins.size, leases: leases.size, asked: asked.size },
      looks: this.#left.looks.size,
    }
    const inner = {
      requests: this.submit.requests.size,
      records: this.submit.leases.size,
      unsettled: this.submit.unsettled,
    }
    for (const [name, size] of Object.entries({ ...sizes, ...inner })) {
      demand(size === 0, 'nothing-left', () => `${size} entries in ${name} of ${who}`)
    }
  }

  #return(grant: Grant, endWorker: boolean): void {
    if (this.deadNodes.has(grant.node)) return
    this.#toNode(grant.node, 'leaseReturn', (to, link) => to.return(this.process.id, link, grant.leaseId, endWorker))
  }

  #leaseAt(worker: ProcessId, epoch: number, link: number): number | undefined {
    for (const [index, grant] of this.leases) {
      if (grant.worker === worker && grant.epoch === epoch && this.links.get(index) === link) return index
    }
    return undefined
  }

  /** Whatever a worker had started may have left results, or had copies brought there of what it read. */
  #ended(index: number, node: NodeId, startedUpTo: number | null): void {
    const sequences = new Set(this.submit.leases.get(index)?.all())
    for (const key of this.lateResults.keys()) if (key.startsWith(`${index}.`)) sequences.add(Number(key.split('.')[1]))
    for (const sequence of sequences) {
      if (startedUpTo !== null && sequence > startedUpTo) continue
      const left = this.leftBy(index, sequence)
      if (left !== undefined) this.strayed(...left, node)
      const pins = this.pins.get(this.submit.leases.get(index)?.task(sequence) ?? -1) ?? []
      for (const ref of [...pins, ...(this.latePins.get(`${index}.${sequence}`) ?? [])])
        this.#located.mayHaveCome(ref, node)
    }
  }

  #broken(index: number): void {
    this.links.delete(index)
    this.submit.broken(index, 'the link is gone')
  }

  /** What a worker left before it sent something comes first. */
  #beforeMessage(worker: ProcessId, link: number): void {
    if (this.#left.looks.size === 0) return
    for (const [index, grant] of this.leases)
      if (grant.worker === worker && this.links.get(index) === link) this.#left.looks.before(index)
  }

  #forget(index: number): void {
    this.#left.forget(index)
    this.unpinLease(index)
    this.leases.delete(index)
    this.links.delete(index)
  }

  #grant(index: number): Grant {
    const grant = this.leases.get(index)
    if (grant === undefined) throw new Error(`lease ${index} of ${this.process.id} is not known outside of its state`)
    return grant
  }

  #toNode(node: NodeId | null, what: string, deliver: (to: SimNode, link: number) => void): void {
    this.world.network.send<SimNode>(this.process, node ?? this.process.nodeId, what, deliver)
  }

  /** Asks a node manager until it answers or is declared dead. */
  #ask(node: NodeId, what: string, put: (to: SimNode, answer: (act: () => void) => void) => void): void {
    const id = this.#nextAsked++
    const ask = (): void => {
      if (!this.asked.has(id)) return
      this.#toNode(node, what, (to) =>
        put(to, (act) =>
          this.world.network.send(to, this.process.id, `${what} answered`, () => {
            if (this.asked.delete(id)) act()
          }),
        ),
      )
    }
    this.asked.set(id, { node, ask })
    ask()
  }

  #askAgain(id: number): void {
    this.world.network.after(this.process, askAgainMs, 'ask again', () => this.asked.get(id)?.ask())
  }
}
