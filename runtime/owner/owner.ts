/**
 * The owner: in every driver and worker, it submits tasks, knows what became of them, and counts who refers to what it
 * made. It follows a task in the order in which it happens:
 *
 *     submit/run -> arguments ready -> lease (submit-state, leasing) -> push -> answer (answers) -> outcome -> free
 *
 * What decides is pure (`submit-state.ts`, `reference-state.ts`); here it meets links, stores and promises.
 */
import { maxPendingArgumentBytes, maxQueuedTasks } from '../base/limits.ts'
import type { NodeId, ObjectNumber, ProcessId } from '../base/ids.ts'
import { decodeCompact } from '../objects/compact.ts'
import { MessageType, type Message, type RefTuple, type ResourceUnits } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { Answers } from './answers.ts'
import { Borrowing } from './borrowing.ts'
import { Calls } from './calls.ts'
import { sendPartsAgain } from './captured-calls.ts'
import { Generators, type OwnedGenerator } from './generators.ts'
import type { OwnerHost } from './host.ts'
import { LatePins } from './late-pins.ts'
import { leftBehind } from './left-behind.ts'
import { Leasing } from './leasing.ts'
import { LostObjects } from './lost-objects.ts'
import { NodeLinks } from './node-links.ts'
import { type Borrow, ObjectAccess } from './object-access.ts'
import type { ObjectTable } from './object-table.ts'
import { objectTableOf } from './sited-objects.ts'
import { OwnTemplates } from './own-templates.ts'
import { OwnerValues, type ValueParts } from './owner-values.ts'
import { Peers } from './peers.ts'
import { PinnedClasses } from './pinned-classes.ts'
import { Replication } from './replication.ts'
import type { ReaderContext } from './sole-reader.ts'
import { type OwnerLimits, Submission } from './submission.ts'
import type { SubmitState } from './submit-state.ts'
import {
  defaultSubmitOptions,
  type Failure,
  type SchedulingClass,
  type SubmitOptions,
  type TaskTemplate,
} from './submit-types.ts'
import { TableCounts, TaskTable } from './task-table.ts'
import { recordedPulls } from './recorded-pulls.ts'
import { submitState } from './recorded-submit.ts'
import { eventsFolder, TaskEvents } from './task-events.ts'
import { TaskNotes } from './task-notes.ts'
import type { TemplateBody } from './template.ts'

/** Options of a template that the owner itself acts on. */
export type TemplateOptions = Pick<TaskTemplate, 'classIndex' | 'retryExceptions' | 'timeoutMs' | 'startOf'>

export interface OwnerOptions {
  readonly submit?: Partial<SubmitOptions>
  readonly limits?: Partial<OwnerLimits>
}

export class Owner {
  readonly host: OwnerHost
  readonly state: SubmitState
  readonly notes: TaskNotes = new TaskNotes()
  /** Objects: put, get, watch, retain, release. */
  readonly values: OwnerValues
  /** Calls whose one reader is told. */
  readonly calls: Calls
  readonly access: ObjectAccess
  readonly #table = new TaskTable()
  readonly #objects: ObjectTable
  readonly #submission: Submission
  /** The links to other processes that use objects or run tasks. */
  readonly peers: Peers
  readonly #nodes: NodeLinks
  readonly #leasing: Leasing
  readonly #borrowing: Borrowing
  readonly #answers: Answers
  readonly #replication: Replication
  readonly #lost: LostObjects
  readonly #generators: Generators
  readonly #latePins = new LatePins(([owner, number]) => this.values.release(owner, number))
  readonly #templates = new OwnTemplates()
  readonly #pinned = new PinnedClasses()
  /** Messages of links that are not the owner's: a worker's executor takes those. */
  extraMessages: ((link: Link, message: Message) => void) | undefined
  /** Messages of other node managers that are not about leases: output of workers. */
  nodeMessages: ((message: Message) => void) | undefined
  #closed: Error | undefined
  #events: TaskEvents | undefined

  constructor(host: OwnerHost, options: OwnerOptions = {}) {
    this.host = host
    this.#table.onFirst = () => host.owns?.()
    this.#objects = objectTableOf(this.#table, host.self, () => this.#nodes)
    this.peers = new Peers(host.home, {
      attached: (link) => this.#attach(link),
      gone: (process, reason) => this.#peerGone(process, reason),
    })
    this.#nodes = new NodeLinks(host, {
      message: (node, message) => {
        if (!this.#fromNode(node, message)) this.nodeMessages?.(message)
      },
      gone: (node) => this.#nodeGone(node),
    })
    const folder = eventsFolder()
    if (folder !== undefined) this.#events = new TaskEvents(folder, host)
    this.access = new ObjectAccess(this.#events ? recordedPulls(host, this.#events) : host, this.peers)
    const parts = { host, table: this.#table, objects: this.#objects, access: this.access, nodes: this.#nodes }
    this.#replication = new Replication(host, this.#nodes, this.#objects)
    this.values = new OwnerValues({ ...parts, replication: this.#replication })
    this.#generators = this.#makeGenerators()
    const limits: OwnerLimits = { maxQueuedTasks, maxQueuedBytes: maxPendingArgumentBytes, ...options.limits }
    const { notes, values } = this
    const isLeased = (lease: number): boolean => this.#leasing.grantOf(lease) !== undefined
    const watched = { latePins: this.#latePins, isLeased, generators: this.#generators }
    this.#submission = new Submission({ ...parts, values, notes, limits, ...watched })
    this.#leasing = this.#makeLeasing()
    this.state = submitState({
      ...{ table: this.#table, clock: host.clock, leasing: this.#leasing, events: this.#events },
      options: { ...defaultSubmitOptions, ...options.submit },
    })
    this.#borrowing = this.#makeBorrowing()
    this.#leasing.serve(this.state)
    this.#lost = this.#makeLost(parts, limits.maxLineageBytes)
    this.values.serve(this.#borrowing, this.#lost)
    this.#submission.serve(this.state, this.#borrowing, this.#lost.recovery)
    this.calls = this.#makeCalls()
    this.#answers = this.#makeAnswers()
  }

  #makeLeasing(): Leasing {
    const { attachments, captured, pins, slab } = this.#submission
    const common = { host: this.host, peers: this.peers, latePins: this.#latePins, frees: this.values.frees }
    const left = { ...common, pins }
    return new Leasing(
      { ...common, nodes: this.#nodes, table: this.#table, slab },
      {
        fail: (number, failure) => this.#submission.fail(number, failure),
        story: (number, event, lease) => this.notes.add(number, event, this.#leasing.grantOf(lease)),
        attachments: (number) => (attachments.size === 0 ? null : (attachments.get(number) ?? null)),
        leftBehind: (lease, node) => leftBehind(left, lease, node),
        templateBytes: (template) => this.#templates.bytesOf(template.number) as Uint8Array,
        captured: (number) => (captured.size === 0 ? undefined : captured.get(number)),
        classEnded: (classIndex, how) => this.#classEnded(classIndex, how),
        answered: (link, message) => void this.#answers.received(link, message),
        generatorPushed: (number, attempt, to) => this.#generators.pushed(number, attempt, to),
      },
    )
  }

  #makeGenerators(): Generators {
    return new Generators({
      ...{ host: this.host, table: this.#table, objects: this.#objects, values: this.values },
      references: () => this.#borrowing.state,
      lost: () => this.#lost,
      standing: (link, epoch, sequence) => this.#leasing.standing(link, epoch, sequence),
      cancel: (number, reason) => void this.cancel(number, { reason, force: false, recursive: true }),
      paused: (number, isPaused) => this.state.paused(number, isPaused),
      keepLate: (number, refs) => this.#submission.keepLate(number, refs),
    })
  }

  #makeLost(parts: Omit<ValueParts, 'replication'>, maxLineageBytes: number | undefined): LostObjects {
    const own = { values: this.values, submission: this.#submission, state: this.state, events: this.#events }
    const others = {
      generators: this.#generators,
      isDead: (node: NodeId): boolean => this.peers.isDead(node),
      inherit: (number: ObjectNumber, node: NodeId): void => this.#replication.inherit(number, node),
    }
    return new LostObjects({ ...parts, ...own, ...others, maxLineageBytes })
  }

  #makeBorrowing(): Borrowing {
    return new Borrowing(this.host.self, this.peers, new TableCounts(this.#table), {
      free: (number) => this.values.free(number),
      readerGone: (number, node) => this.values.frees.stray(node, number),
      ownerDied: (owner) => this.access.gone(owner, 'its process ended'),
    })
  }

  #makeCalls(): Calls {
    const { host, state, values } = this
    const deliver: ReaderContext['deliver'] = (ref, outcome, resolve, reject, borrow) =>
      values.deliver(ref, outcome, resolve, reject, borrow)
    const readers = { self: host.self, refCodec: host.refCodec, deliver }
    return new Calls({ host, state, table: this.#table, submission: this.#submission, readers })
  }

  #makeAnswers(): Answers {
    const { pins } = this.#submission
    return new Answers({
      state: this.state,
      references: this.#borrowing.state,
      leasing: this.#leasing,
      ...this.#lost.answers(),
      resultsOf: (number) => this.state.templateOf(number).numReturns,
      takePins: (number) => this.#submission.takePins(number),
      latePins: this.#latePins,
      pinsOf: (number) => pins.get(number) ?? [],
      finish: (number, node) => this.#submission.finish(number, node),
      event: (number, value) => this.calls.hearing(number)?.(decodeCompact(value, this.host.refCodec)),
    })
  }

  // --- templates and classes

  defineClass(of: SchedulingClass): number {
    return this.state.defineClass(of)
  }

  /** A worker of one's own, asked for at once; `ended` is called once, when it is gone or cannot be had. */
  openPinned(resources: ResourceUnits, environment: string, ended: (how: Failure) => void): number {
    if (this.#closed !== undefined) throw this.#closed
    return this.#pinned.open(this.state, resources, environment, ended)
  }

  /** Ends a worker of one's own: after what it runs, or now. What is queued fails. */
  closePinned(classIndex: number, reason: string, now: boolean): void {
    this.#pinned.close(this.state, classIndex, reason, now)
  }

  defineTemplate(body: TemplateBody, options: TemplateOptions): TaskTemplate {
    const { classIndex } = options
    const template = this.#templates.define(body, options, this.state.classAt(classIndex).of.kind === 'task')
    this.state.templates[template.number] = template
    this.#pinned.add(classIndex, template.number)
    return template
  }

  // --- tasks

  /** Submits a call; returns the refs of its results, each held once for the caller. */
  submit(template: TaskTemplate, args: readonly unknown[]): RefTuple[] {
    const first = this.#submission.start(template, args, true)
    const refs: RefTuple[] = []
    for (let i = 0; i < template.numReturns; i++) refs.push([this.host.self.process, first + i, this.host.self.node])
    return refs
  }

  /**
   * Submits a call whose only reader is the returned promise. `cancel` is by the number that `started` gets; `heard` gets
   * what the task says before its end; `borrow` is that of `ObjectAccess.decode`.
   */
  run(
    template: TaskTemplate,
    args: readonly unknown[],
    started?: (number: number) => void,
    heard?: (value: unknown) => void,
    borrow?: Borrow,
  ): Promise<unknown> {
    return this.calls.run(template, args, started, heard, borrow)
  }

  /** Submits a call of a generator; its consumer takes the items from what is returned. */
  generate(template: TaskTemplate, args: readonly unknown[]): OwnedGenerator {
    let generator: OwnedGenerator | undefined
    this.#submission.start(template, args, true, undefined, (number) => {
      generator = this.#generators.open(number, template.timeoutMs > 0)
    })
    return generator as OwnedGenerator
  }

  /** Cancels a task of this process by one of its objects. False when it has ended already. */
  cancel(
    number: ObjectNumber,
    options: { readonly reason: string; readonly force: boolean; readonly recursive: boolean },
  ): boolean {
    if (!this.#table.has(number)) return false
    return this.state.cancel(this.#objects.taskOf(number), options.reason, options.force, options.recursive)
  }

  /** Resolves when less than half of what may be queued is. */
  drained(): Promise<void> {
    return this.#submission.drained()
  }

  // --- the worker's side: refs in arguments and results

  get references(): Borrowing['state'] {
    return this.#borrowing.state
  }

  // --- links

  /** Takes every link to another process, dialled or incoming; returns what is called when it is over. */
  adopt(link: Link): (reason: Error) => void {
    return link.peer.kind === 'node' ? this.#nodes.adopt(link) : this.peers.adopt(link)
  }

  /** What this process and another one have said of their refs holds no more. */
  parted(process: ProcessId, reason: Error): void {
    this.#borrowing.gone(process)
    this.access.gone(process, reason.message)
  }

  /** A message of the home. False when it is about something else than leases and copies. */
  fromHome(message: Message): boolean {
    return this.#fromNode(this.host.self.node, message)
  }

  #fromNode(node: NodeId, message: Message): boolean {
    return this.#leasing.answered(node, message) || this.#replication.received(message)
  }

  /** The home link is lost: the leases of the home are over. */
  homeLost(): void {
    this.#nodeGone(this.host.self.node)
  }

  #nodeGone(node: NodeId): void {
    this.#leasing.nodeGone(node)
    this.values.linkGone(node)
  }

  nodeDead(node: NodeId, reason: string): void {
    this.peers.nodeDead(node)
    this.#lost.nodeDead(node, reason, () => this.#leasing.nodeDead(node, reason))
    this.values.nodeDead(node)
  }

  /** There is one more node. */
  nodeUp(): void {
    this.#replication.nodeUp()
  }

  /** Whether this process owns objects, which end with it, or has still to hear that refs which it passed on arrived. */
  get holdsObjects(): boolean {
    return this.#table.size > 0 || this.#borrowing.state.owes() > 0
  }

  /** Whether there is an object of this process, or a ref to one of another. */
  get holdsAnything(): boolean {
    return this.#table.size > 0 || this.#borrowing.state.size() > 0
  }

  /** Writes what node managers are owed, before this process is busy with something else. */
  flushNodes(): void {
    this.#nodes.flush()
  }

  /** Everything that has not settled fails; leases are given back, links closed. */
  close(error: Error, failure: Failure = { kind: 'class-closed', reason: error.message, by: error }): void {
    if (this.#closed !== undefined) return
    this.state.close(failure)
    this.#closed = error
    this.values.close(error)
    this.access.close(error)
    this.#replication.close(error)
    this.#leasing.close()
    this.#submission.close(error)
    this.#lost.close()
    this.#events?.close()
  }

  /** Entries of every table that is empty when nothing is under way and nothing is held. */
  tableSizes(): Record<string, number> {
    return {
      numbers: this.#table.size - this.values.kept,
      unsettled: this.state.unsettled,
      leases: this.#leasing.size,
      requests: this.state.requests.size,
      attachments: this.#submission.attachments.size,
      pins: this.#submission.pins.size + this.#latePins.size,
      references: this.#borrowing.state.size(),
      questions: this.access.size,
      replicated: this.#replication.size,
      frees: this.values.frees.size,
      argumentPieces: this.#submission.slab.livePieces,
      ...this.#lost.tableSizes(),
      stories: this.notes.size,
      pinned: this.#pinned.size,
      taskListeners: this.calls.size,
      generators: this.#generators.size,
    }
  }

  #attach(link: Link): void {
    link.onMessage = (message) => this.#fromPeer(link, message as unknown as Message)
    link.unref()
  }

  #fromPeer(link: Link, message: Message): void {
    if (this.peers.isDead(link.peer.node)) return
    this.#leasing.beforeMessage(link)
    if (this.#answers.received(link, message) || this.#generators.received(link, message)) return
    if (this.#borrowing.received(link, message) || this.access.received(message)) return
    if (this.values.asked(link, message)) return
    if (message[0] === MessageType.partMiss)
      return sendPartsAgain(link, this.#submission.captured.get(message[1]), message[2])
    this.extraMessages?.(link, message)
  }

  #classEnded(classIndex: number, how: Failure): void {
    this.#pinned.ended(classIndex, how, (template) => this.#templates.forget(template))
  }

  #peerGone(process: ProcessId, reason: Error): void {
    this.#leasing.workerGone(process, reason)
    this.parted(process, reason)
  }
}
