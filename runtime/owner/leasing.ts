/**
 * The outside of `SubmitState`: lease requests to node managers, links and claim pages of leased workers, pushes.
 * Everything here follows an instruction; what comes back is handed to the state machine.
 */
import type { NodeId, ProcessId } from '../base/ids.ts'
import { type ArgumentBytes, type Done, MessageType, type Attachment, type Message } from '../protocol/messages.ts'
import { type ClaimPage, openClaimPage, recallUnstarted } from '../objects/claim-page.ts'
import type { Link } from '../transport/link.ts'
import type { OwnerHost } from './host.ts'
import type { GeneratorPlace } from './generators.ts'
import type { Frees } from './frees.ts'
import type { LatePins } from './late-pins.ts'
import { LinkParts, type CapturedCall } from './captured-calls.ts'
import type { LeaseRecord } from './lease-record.ts'
import type { NodeLinks } from './node-links.ts'
import type { Peers } from './peers.ts'
import { prefetch } from './prefetch.ts'
import { SilentNodes } from './silent-nodes.ts'
import type { SubmitState } from './submit-state.ts'
import type { Failure, Grant, SchedulingClass, StoryEvent, SubmitEffects, TaskTemplate } from './submit-types.ts'
import { emptyChunk, slotOf, type TaskTable } from './task-table.ts'
import { AnswerLooks } from './answer-looks.ts'
import { argumentBytesOf, noArguments } from './arguments.ts'
import type { ByteSlab } from './byte-slab.ts'

/** What the owner decides beyond leases. */
export interface LeasingEvents {
  fail(number: number, failure: Failure): void
  story(number: number, event: StoryEvent, lease: number): void
  attachments(number: number): readonly Attachment[] | null
  /** The worker of that lease is dead, and had these tasks. */
  leftBehind(lease: LeaseRecord, node: NodeId): void
  templateBytes(template: TaskTemplate): Uint8Array
  /** What a call of a function with captures needs at its worker. */
  captured(number: number): CapturedCall | undefined
  classEnded(classIndex: number, how: Failure): void
  /** What a worker answered without sending it. */
  answered(link: Link, message: Done): void
  /** The task of a generator is on its way to a worker. */
  generatorPushed(number: number, attempt: number, to: GeneratorPlace): void
}

export interface LeasingParts {
  readonly host: OwnerHost
  readonly nodes: NodeLinks
  readonly peers: Peers
  readonly table: TaskTable
  readonly slab: ByteSlab
  readonly latePins: LatePins
  readonly frees: Frees
}

interface OpenLease {
  readonly grant: Grant
  link: Link | undefined
  page: ClaimPage | undefined
}

/** What this process knows of one worker link. */
interface WorkerLink {
  readonly templates: Set<number>
  parts: LinkParts | undefined
  readonly leases: Map<number, number>
}

/** A node manager that does not answer is asked again after this, until it is declared dead. */
const askAgainMs = 300

export class Leasing implements Required<SubmitEffects> {
  readonly #looks: AnswerLooks
  readonly #host: OwnerHost
  readonly #nodes: NodeLinks
  readonly #peers: Peers
  readonly #events: LeasingEvents
  readonly #table: TaskTable
  readonly #slab: ByteSlab
  readonly #latePins: LatePins
  readonly #frees: Frees
  readonly #silent: SilentNodes
  readonly #leases = new Map<number, OpenLease>()
  readonly #links = new WeakMap<Link, WorkerLink>()
  /** Questions to node managers by request id: what to do with the answer. */
  readonly #questions = new Map<number, { node: NodeId; answer: (message: Message) => void; ask: () => void }>()
  #nextQuestion = 1
  #state!: SubmitState
  #closed = false

  constructor(parts: LeasingParts, events: LeasingEvents) {
    this.#looks = new AnswerLooks(parts.host.clock, {
      tasksOf: (index) => this.#state.leases.get(index),
      answered: (index, message) => {
        const link = this.#leases.get(index)?.link
        if (link !== undefined) this.#events.answered(link, message)
      },
      together: (tell) => this.#state.together(tell),
      damaged: (index, error) => this.#leases.get(index)?.link?.close(error),
    })
    this.#host = parts.host
    this.#nodes = parts.nodes
    this.#peers = parts.peers
    this.#table = parts.table
    this.#slab = parts.slab
    this.#latePins = parts.latePins
    this.#frees = parts.frees
    this.#silent = new SilentNodes(parts.host)
    this.#events = events
  }

  /** The two know each other; the state machine is made with this as its effects. */
  serve(state: SubmitState): void {
    this.#state = state
  }

  get size(): number {
    return this.#leases.size + this.#questions.size
  }

  grantOf(index: number): Grant | undefined {
    return this.#leases.get(index)?.grant
  }

  /** The lease that a worker means by an epoch, or undefined when it is over. */
  leaseAt(link: Link, epoch: number): number | undefined {
    return this.#links.get(link)?.leases.get(epoch)
  }

  /** The task that a worker means by an epoch and a sequence; -1 where what it says of it is late. */
  standing(link: Link, epoch: number, sequence: number): number {
    const index = this.leaseAt(link, epoch)
    return index === undefined ? -1 : this.#state.standing(index, sequence)
  }

  requestLease(
    requestId: number,
    of: SchedulingClass,
    node: NodeId | null,
    visited: readonly NodeId[],
    argumentBytes: ArgumentBytes | null,
  ): void {
    const seen = node === null ? visited : [...visited, this.#host.self.node]
    const { job } = this.#host
    const fields = [requestId, job, of.kind, of.resources, of.strategy, of.priority, of.environment, seen] as const
    this.#nodes.send(node, [MessageType.leaseRequest, ...fields, argumentBytes], (reason) => {
      if (!this.#closed) this.#state.refused(requestId, 'busy', reason.message)
    })
  }

  argumentBytes(number: number): ArgumentBytes | null {
    const attachments = this.#events.attachments(number)
    return attachments === null ? null : argumentBytesOf(attachments)
  }

  prefetch(number: number, node: NodeId): void {
    const parts = { host: this.#host, nodes: this.#nodes, peers: this.#peers, frees: this.#frees }
    prefetch(parts, this.#events.attachments(number) ?? [], node)
  }

  cancelRequest(requestId: number, node: NodeId | null): void {
    this.#nodes.get(node ?? this.#host.self.node)?.send([MessageType.leaseCancel, requestId])
  }

  open(index: number, grant: Grant): void {
    const lease: OpenLease = { grant, link: undefined, page: undefined }
    this.#leases.set(index, lease)
    this.#peers.reach({ node: grant.node, process: grant.worker }).then(
      (link) => this.#opened(index, lease, link),
      (reason: Error) => this.#state.broken(index, reason.message),
    )
  }

  push(index: number, sequence: number, number: number, template: TaskTemplate, attempt: number): void {
    const lease = this.#leases.get(index) as OpenLease
    const link = lease.link as Link
    const known = this.#links.get(link) as WorkerLink
    if (!known.templates.has(template.number)) {
      known.templates.add(template.number)
      link.send([MessageType.template, template.number, this.#events.templateBytes(template)])
    }
    const captured = this.#events.captured(number)
    if (captured !== undefined) (known.parts ??= new LinkParts()).send(link, captured.parts)
    const page = this.#table.at(number)
    const slot = slotOf(number)
    const chunk = page.argsChunk[slot] as number
    const args =
      chunk === emptyChunk
        ? noArguments.bytes
        : this.#slab.view(chunk, page.argsOffset[slot] as number, page.argsLength[slot] as number)
    const attachments = this.#events.attachments(number)
    const { epoch } = lease.grant
    link.send([MessageType.push, epoch, sequence, template.number, number, attempt, args, attachments])
    if (template.generates === true) this.#events.generatorPushed(number, attempt, { link, epoch, sequence })
  }

  flush(index: number): void {
    this.#leases.get(index)?.link?.flush()
  }

  rest(index: number, micros: number): void {
    const lease = this.#leases.get(index)
    if (lease?.page !== undefined)
      this.#looks.rest(index, { ring: lease.page.answers, epoch: lease.grant.epoch }, micros / 1000)
  }

  wake(index: number): void {
    this.#looks.wake(index)
  }

  /** A message of a worker is about to be heard: what it left before that comes first. */
  beforeMessage(link: Link): void {
    if (this.#looks.size === 0) return
    for (const index of this.#links.get(link)?.leases.values() ?? []) this.#looks.before(index)
  }

  recall(index: number, sequences: readonly number[]): readonly number[] | null {
    const lease = this.#leases.get(index)
    if (lease === undefined) return []
    const { epoch, worker, node } = lease.grant
    // Where nobody has a page for this worker, what was pushed cannot be had back.
    if (lease.page !== undefined || lease.grant.pagePath === '') {
      const taken = lease.page === undefined ? [] : recallUnstarted(lease.page, epoch, sequences)
      this.#latePins.drop(index, taken)
      return taken
    }
    const answer = (message: Message): void => {
      const taken = message[2] as readonly number[]
      this.#latePins.drop(index, taken)
      this.#state.recalled(index, sequences, taken)
    }
    this.#ask(node, answer, (id) => [MessageType.recall, id, worker, epoch, sequences])
    return null
  }

  recallsAtOnce(index: number): boolean {
    return this.#leases.get(index)?.page !== undefined
  }

  abort(index: number, sequence: number, recursive: boolean): void {
    const lease = this.#leases.get(index)
    lease?.link?.send([MessageType.abort, lease.grant.epoch, sequence, recursive])
  }

  endWorker(index: number, reason: string): void {
    const lease = this.#leases.get(index)
    if (lease === undefined) return
    // What it has answered counts.
    this.#looks.end(index)
    const { node, worker, epoch } = lease.grant
    const answer = (message: Message): void => {
      const lease = this.#state.leases.get(index)
      if (lease !== undefined) this.#events.leftBehind(lease, node)
      this.#forget(index)
      this.#state.workerEnded(index, message[2] as never, message[3] as number | null)
    }
    this.#ask(node, answer, (id) => [MessageType.workerEnd, id, worker, epoch, reason])
  }

  returnLease(index: number, grant: Grant, endWorker: boolean): void {
    this.#forget(index)
    this.#nodes.get(grant.node)?.send([MessageType.leaseReturn, grant.leaseId, endWorker])
  }

  returnGrant(grant: Grant): void {
    this.#nodes.get(grant.node)?.send([MessageType.leaseReturn, grant.leaseId, false])
  }

  fail(number: number, failure: Failure): void {
    this.#events.fail(number, failure)
  }

  story(number: number, event: StoryEvent, lease: number): void {
    this.#events.story(number, event, lease)
  }

  classEnded(classIndex: number, how: Failure): void {
    this.#events.classEnded(classIndex, how)
  }

  /** An answer of a node manager that is about leases. Returns false when the message is about something else. */
  answered(node: NodeId, message: Message): boolean {
    switch (message[0]) {
      case MessageType.leaseGranted: {
        const [, requestId, leaseId, epoch, worker, socketPath, pagePath, pid] = message
        this.#state.granted(requestId, { leaseId, epoch, node, worker, socketPath, pagePath, pid })
        return true
      }
      case MessageType.leaseRedirected:
        this.#state.redirected(message[1], message[2])
        return true
      case MessageType.leaseRefused:
        this.#state.refused(message[1], message[2], message[3])
        return true
      case MessageType.leaseReclaim:
        this.#state.reclaim(node, message[1], message[2])
        return true
      case MessageType.workerEnded:
      case MessageType.recalled: {
        const question = this.#questions.get(message[1])
        this.#questions.delete(message[1])
        question?.answer(message)
        return true
      }
      default:
        return false
    }
  }

  /** The last link to a worker is gone. */
  workerGone(worker: ProcessId, reason: Error): void {
    for (const [index, lease] of [...this.#leases])
      if (lease.grant.worker === worker) this.#state.broken(index, reason.message)
  }

  /** The link to a node manager is gone: its leases are over, and what it was asked is asked again. */
  nodeGone(node: NodeId): void {
    for (const [index, lease] of [...this.#leases])
      if (lease.grant.node === node) this.#state.broken(index, `the link to node ${node} is gone`)
    for (const question of [...this.#questions.values()]) if (question.node === node) this.#askAgain(question.ask)
    for (const [requestId, request] of [...this.#state.requests]) {
      if ((request.node ?? this.#host.self.node) === node)
        this.#state.refused(requestId, 'busy', 'the link to the node is gone')
    }
  }

  nodeDead(node: NodeId, reason: string): void {
    this.#silent.dead(node)
    for (const [id, question] of this.#questions) if (question.node === node) this.#questions.delete(id)
    const dead = [...this.#leases].filter(([, lease]) => lease.grant.node === node)
    for (const [index] of dead) this.#looks.end(index)
    this.#state.nodeDead(node, reason)
    for (const [index] of dead) this.#forget(index)
  }

  close(): void {
    this.#closed = true
    this.#questions.clear()
    for (const index of [...this.#leases.keys()]) this.#forget(index)
  }

  #opened(index: number, lease: OpenLease, link: Link): void {
    if (this.#leases.get(index) !== lease) return
    let known = this.#links.get(link)
    if (known === undefined)
      this.#links.set(link, (known = { templates: new Set(), parts: undefined, leases: new Map() }))
    known.leases.set(lease.grant.epoch, index)
    lease.link = link
    if (this.#host.home.sameMachine && lease.grant.node === this.#host.self.node && lease.grant.pagePath !== '') {
      try {
        lease.page = openClaimPage(lease.grant.pagePath)
      } catch {
        // The worker is gone already; its link will say so. Until then its node answers for the page.
      }
    }
    if (link.closed) this.#state.broken(index, 'the link to the worker is closed')
    else this.#state.opened(index)
  }

  #forget(index: number): void {
    const lease = this.#leases.get(index)
    if (lease === undefined) return
    this.#looks.end(index)
    this.#leases.delete(index)
    this.#latePins.dropLease(index)
    lease.page?.close()
    if (lease.link !== undefined) this.#links.get(lease.link)?.leases.delete(lease.grant.epoch)
  }

  /** Asks a node manager until it answers or is declared dead. */
  #ask(node: NodeId, answer: (message: Message) => void, build: (id: number) => Message): void {
    const id = this.#nextQuestion++
    const failed = this.#silent.asked(node, () => this.#askAgain(ask))
    const ask = (): void => {
      if (this.#closed || !this.#questions.has(id)) return
      this.#nodes.send(node, build(id), failed)
    }
    this.#questions.set(id, { node, answer, ask })
    ask()
  }

  #askAgain(ask: () => void): void {
    this.#host.clock.after(askAgainMs, ask)
  }
}
