/**
 * The owner: in every driver and worker, it submits tasks, knows what became of them, and counts who refers to what it
 * made. It follows a task in the order in which it happens:
 *
 *     submit/run -> arguments ready -> lease (submit-state, leasing) -> push -> answer (answers) -> outcome -> free
 *
 * What decides is pure (`submit-state.ts`, `reference-state.ts`); here it meets links, stores and promises.
 */
import { BackPressureError, ObjectFreedError } from '../base/errors.ts'
import { type NodeId, objectKey, type ObjectNumber, type ProcessId } from '../base/ids.ts'
import { inlineBytes, maxPendingArgumentBytes, maxQueuedTasks } from '../base/limits.ts'
import { compact, compactBytes } from '../objects/compact.ts'
import { encodeValue, type EncodedValue } from '../objects/value.ts'
import {
  type Attachment,
  MessageType,
  type Message,
  type ObjectTuple,
  type RefTuple,
  type ResourceUnits,
} from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { Answers } from './answers.ts'
import { encodeArguments, type EncodedArguments } from './arguments.ts'
import { Borrowing } from './borrowing.ts'
import { ByteSlab } from './byte-slab.ts'
import type { OwnerHost } from './host.ts'
import { Leasing } from './leasing.ts'
import { NodeLinks } from './node-links.ts'
import { ObjectAccess } from './object-access.ts'
import { ObjectTable, type Outcome } from './object-table.ts'
import { failureError } from './failures.ts'
import { compactError } from './outcomes.ts'
import { Peers } from './peers.ts'
import { SubmitState } from './submit-state.ts'
import {
  defaultSubmitOptions,
  type Failure,
  type SchedulingClass,
  type SubmitOptions,
  type TaskTemplate,
} from './submit-types.ts'
import { slotOf, TaskTable } from './task-table.ts'
import { TaskNotes } from './task-notes.ts'
import { encodeTemplate, type TemplateBody } from './template.ts'

/** Options of a template that the owner itself acts on. */
export interface TemplateOptions {
  readonly classIndex: number
  readonly retryExceptions: boolean
  readonly timeoutMs: number
}

export interface OwnerLimits {
  readonly maxQueuedTasks: number
  readonly maxQueuedBytes: number
}

export interface OwnerOptions {
  readonly submit?: Partial<SubmitOptions>
  readonly limits?: Partial<OwnerLimits>
}

export class Owner {
  readonly host: OwnerHost
  readonly state: SubmitState
  readonly notes: TaskNotes = new TaskNotes()
  readonly #table = new TaskTable()
  readonly #objects: ObjectTable
  readonly #slab = new ByteSlab()
  readonly #peers: Peers
  readonly #nodes: NodeLinks
  readonly #leasing: Leasing
  readonly #borrowing: Borrowing
  readonly #access: ObjectAccess
  readonly #answers: Answers
  readonly #limits: OwnerLimits
  readonly #templateBytes: (Uint8Array | undefined)[] = []
  /** Values of the arguments that are refs, by task, from when they are known until it settles. */
  readonly #attachments = new Map<number, readonly Attachment[]>()
  /** Refs that a task keeps alive, by task, until it settles. */
  readonly #pins = new Map<number, readonly RefTuple[]>()
  readonly #drainWaiters: (() => void)[] = []
  /** Pinned classes that have not ended: whom to tell. */
  readonly #pinned = new Map<number, (how: Failure) => void>()
  /** Messages of links that are not the owner's: a worker's executor takes those. */
  extraMessages: ((link: Link, message: Message) => void) | undefined
  onPeerGone: ((process: ProcessId) => void) | undefined
  #closed: Error | undefined

  constructor(host: OwnerHost, options: OwnerOptions = {}) {
    this.host = host
    this.#limits = { maxQueuedTasks, maxQueuedBytes: maxPendingArgumentBytes, ...options.limits }
    this.#objects = new ObjectTable(this.#table)
    this.#peers = new Peers(host.home, {
      attached: (link) => this.#attach(link),
      gone: (process, reason) => this.#peerGone(process, reason),
    })
    this.#nodes = new NodeLinks(host, {
      message: (node, message) => void this.#leasing.answered(node, message),
      gone: (node) => this.#leasing.nodeGone(node),
    })
    this.#access = new ObjectAccess(host, this.#peers)
    this.#leasing = new Leasing(host, this.#nodes, this.#peers, this.#table, this.#slab, {
      fail: (number, failure) => this.#fail(number, failure),
      story: (number, event, lease) => this.notes.add(number, event, this.#leasing.grantOf(lease)),
      attachments: (number) => (this.#attachments.size === 0 ? null : (this.#attachments.get(number) ?? null)),
      templateBytes: (template) => this.#templateBytes[template.number] as Uint8Array,
      classEnded: (classIndex, how) => this.#classEnded(classIndex, how),
    })
    this.state = new SubmitState(this.#table, host.clock, this.#leasing, { ...defaultSubmitOptions, ...options.submit })
    this.#leasing.serve(this.state)
    const counts = {
      get: (number: number): number => this.#table.page(number)?.references[slotOf(number)] ?? 0,
      set: (number: number, value: number): void => {
        this.#table.at(number).references[slotOf(number)] = value
      },
    }
    this.#borrowing = new Borrowing(host.self, this.#peers, counts, {
      free: (number) => this.#free(number),
      ownerDied: (owner) => this.#access.gone(owner, 'its process ended'),
    })
    this.#answers = new Answers({
      state: this.state,
      references: this.#borrowing.state,
      leasing: this.#leasing,
      settle: (number, index, outcome) => this.#settleOne(number, index, outcome),
      settleInline: (number, bytes) => this.#objects.settleInline(number, bytes, this.#isHeld(number)),
      resultsOf: (number) => this.state.templateOf(number).numReturns,
      takePins: (number) => this.#takePins(number),
      pinsOf: (number) => this.#pins.get(number) ?? [],
      finish: (number, node) => this.#finish(number, node),
    })
  }

  // --- templates and classes

  defineClass(of: SchedulingClass): number {
    return this.state.defineClass(of)
  }

  /** A worker of one's own, asked for at once; `ended` is called once, when it is gone or cannot be had. */
  openPinned(resources: ResourceUnits, ended: (how: Failure) => void): number {
    if (this.#closed !== undefined) throw this.#closed
    const classIndex = this.state.defineClass({
      kind: 'pinned',
      resources,
      strategy: null,
      priority: 0,
      environment: '',
    })
    this.#pinned.set(classIndex, ended)
    this.state.openPinned(classIndex)
    return classIndex
  }

  /** Ends a worker of one's own: after what it runs, or now. What is queued fails. */
  closePinned(classIndex: number, reason: string, now: boolean): void {
    if (this.#pinned.has(classIndex)) this.state.closePinned(classIndex, reason, now)
  }

  defineTemplate(body: TemplateBody, options: TemplateOptions): TaskTemplate {
    const number = this.#templateBytes.length
    this.#templateBytes.push(encodeTemplate(body))
    const { name, maxRetries, numReturns } = body
    const template: TaskTemplate = { number, name, maxRetries, numReturns, ...options, runMicros: -1 }
    this.state.templates[number] = template
    return template
  }

  // --- tasks

  /** Submits a call; returns the refs of its results, each held once for the caller. */
  submit(template: TaskTemplate, args: readonly unknown[]): RefTuple[] {
    const first = this.#start(template, args, true)
    const refs: RefTuple[] = []
    for (let i = 0; i < template.numReturns; i++) refs.push([this.host.self.process, first + i, this.host.self.node])
    return refs
  }

  /** Submits a call whose only reader is the returned promise. `cancel` is by the number that `started` gets. */
  run(template: TaskTemplate, args: readonly unknown[], started?: (number: number) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const leave = this.host.enterWait()
      let number: number
      try {
        number = this.#start(template, args, false, (outcome) => {
          leave()
          this.#deliver([this.host.self.process, number, this.host.self.node], outcome, resolve, reject)
        })
      } catch (error) {
        leave()
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- it is what was thrown
        return reject(error)
      }
      started?.(number)
    })
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
    if (this.#hasRoom(0.5)) return Promise.resolve()
    return new Promise((resolve) => this.#drainWaiters.push(resolve))
  }

  // --- objects

  /** Stores a value as an object of this process; the caller holds the ref once. */
  async put(value: unknown): Promise<RefTuple> {
    const encoded = encodeValue(value, 'value', this.host.refCodec)
    if (compactBytes(encoded) > inlineBytes) {
      const ref = this.#store(encoded)
      const stored = await this.outcomeOf(ref)
      if (stored[0] === 'error') {
        this.release(ref[0], ref[1])
        throw this.#access.decodeInline(stored[1], () => {})
      }
      return ref
    }
    const number = this.#objects.allocate(1)
    this.#borrowing.state.retainOwned(number)
    this.#objects.settle(number, ['inline', compact(encoded)])
    if (encoded.refs.length > 0) this.#contain(number, encoded)
    return [this.host.self.process, number, this.host.self.node]
  }

  /** The value of an object; what `until` registers ends the wait early, without a value. */
  get(ref: RefTuple, until?: (stop: (reason: unknown) => void) => () => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let clear: (() => void) | undefined
      const unwatch = this.watch(ref, (outcome) => {
        clear?.()
        this.#deliver(ref, outcome, resolve, reject)
      })
      clear = until?.((reason) => {
        unwatch()
        // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- an abort reason is the user's
        reject(reason)
      })
    })
  }

  isReady(number: ObjectNumber): boolean {
    return this.#objects.outcome(number) !== undefined
  }

  /** What became of an object, when it is ready. */
  outcomeOf(ref: RefTuple): Promise<ObjectTuple> {
    return new Promise((resolve) => void this.watch(ref, resolve))
  }

  /**
   * Calls back, once, with what became of an object: at once when that is known here. Returns what takes the callback
   * back. `waits`: the process counts as waiting meanwhile.
   */
  watch(ref: RefTuple, then: (outcome: Outcome) => void, waits = true): () => void {
    const [owner, number] = ref
    const own = owner === this.host.self.process
    const known = this.#known(ref)
    if (known !== undefined) {
      then(known)
      return () => {}
    }
    const leave = waits ? this.host.enterWait() : undefined
    let over = false
    const end = (): boolean => {
      if (over) return false
      over = true
      leave?.()
      if (own) this.release(owner, number)
      return true
    }
    const waiter = (outcome: Outcome): void => {
      if (over) return
      // It is held until it was handed on.
      then(outcome)
      end()
    }
    if (own) {
      this.#borrowing.state.retainOwned(number)
      this.#objects.await(number, waiter)
    } else this.#access.ask(ref, waiter)
    return () => {
      if (own && !over) this.#objects.unawait(number, waiter)
      end()
    }
  }

  retain(ref: RefTuple): void {
    this.#borrowing.state.retain(ref)
  }

  release(owner: ProcessId, number: ObjectNumber): void {
    if (this.#closed !== undefined) return
    this.#borrowing.state.release(owner, number)
    if (owner !== this.host.self.process) this.#borrowing.released()
  }

  // --- the worker's side: refs in arguments and results

  get references(): Borrowing['state'] {
    return this.#borrowing.state
  }

  get access(): ObjectAccess {
    return this.#access
  }

  /** Refs that ended with a task may have to be given back to their owners. */
  referencesChanged(): void {
    this.#borrowing.released()
  }

  // --- links

  /** Takes every link to another process, dialled or incoming; returns what is called when it is over. */
  adopt(link: Link): (reason: Error) => void {
    return link.peer.kind === 'node' ? this.#nodes.adopt(link) : this.#peers.adopt(link)
  }

  /** A message of the home. False when it is about something else than leases. */
  fromHome(message: Message): boolean {
    return this.#leasing.answered(this.host.self.node, message)
  }

  /** The home link is lost: the leases of the home are over. */
  homeLost(): void {
    this.#leasing.nodeGone(this.host.self.node)
  }

  nodeDead(node: NodeId, reason: string): void {
    this.#peers.nodeDead(node)
    this.#leasing.nodeDead(node, reason)
  }

  /** Writes what node managers are owed, before this process is busy with something else. */
  flushNodes(): void {
    this.#nodes.flush()
  }

  /** Everything that has not settled fails; leases are given back, links closed. */
  close(error: Error, failure: Failure = { kind: 'class-closed', reason: error.message }): void {
    if (this.#closed !== undefined) return
    this.state.close(failure)
    this.#closed = error
    this.#access.close(error)
    this.#leasing.close()
    for (const wake of this.#drainWaiters.splice(0)) wake()
  }

  /** Entries of every table that is empty when nothing is under way and nothing is held. */
  tableSizes(): Record<string, number> {
    return {
      numbers: this.#table.size,
      unsettled: this.state.unsettled,
      leases: this.#leasing.size,
      requests: this.state.requests.size,
      attachments: this.#attachments.size,
      pins: this.#pins.size,
      references: this.#borrowing.state.size(),
      questions: this.#access.size,
      argumentPieces: this.#slab.livePieces,
      stories: this.notes.size,
      pinned: this.#pinned.size,
    }
  }

  #start(template: TaskTemplate, args: readonly unknown[], held: boolean, waiter?: (outcome: Outcome) => void): number {
    if (this.#closed !== undefined) throw this.#closed
    if (!this.#hasRoom(1)) throw this.#backPressure()
    const made: RefTuple[] = []
    const encoded = this.#encode(args, made)
    const number = this.#objects.allocate(template.numReturns)
    const page = this.#table.at(number)
    const slot = slotOf(number)
    const piece = { chunk: 0, offset: 0, length: 0 }
    this.#slab.store(encoded.bytes, piece)
    page.argsChunk[slot] = piece.chunk
    page.argsOffset[slot] = piece.offset
    page.argsLength[slot] = piece.length
    if (held) for (let i = 0; i < template.numReturns; i++) this.#borrowing.state.retainOwned(number + i)
    else if (waiter !== undefined) page.slot[slot] = waiter
    const { awaited, contained } = encoded
    if (awaited.length + contained.length > 0) this.#pin(number, awaited, contained, made)
    this.host.submitted(number)
    this.state.submit(number, template, awaited.length === 0)
    if (awaited.length > 0) this.#awaitArguments(number, awaited)
    return number
  }

  /** Arguments as bytes; those too large to travel become objects of this process, listed in `made`. */
  #encode(args: readonly unknown[], made: RefTuple[]): EncodedArguments {
    try {
      return encodeArguments(args, this.host.refCodec, (value) => {
        const ref = this.#store(value)
        made.push(ref)
        return ref
      })
    } catch (error) {
      for (const [owner, number] of made) this.release(owner, number)
      throw error
    }
  }

  /** Refs of a task's arguments stay alive until it settles; those in `made` were held for it from the start. */
  #pin(number: number, awaited: readonly RefTuple[], contained: readonly RefTuple[], made: readonly RefTuple[]): void {
    for (const ref of awaited) if (!made.includes(ref)) this.retain(ref)
    for (const ref of contained) this.retain(ref)
    this.#pins.set(number, [...awaited, ...contained])
  }

  #awaitArguments(number: number, awaited: readonly RefTuple[]): void {
    const values: Attachment[] = []
    let left = awaited.length
    awaited.forEach((ref, i) => {
      this.watch(
        ref,
        (outcome) => {
          if (outcome[0] === 'error') return this.#argumentFailed(number, outcome)
          values[i] = [ref, outcome]
          if (--left > 0 || !this.#table.has(number)) return
          this.#attachments.set(number, values)
          this.state.ready(number)
        },
        false,
      )
    })
  }

  /** A task whose argument failed fails with the same error, without having run. */
  #argumentFailed(number: number, outcome: Outcome): void {
    if (!this.#table.has(number) || !this.state.drop(number)) return
    const count = this.state.templateOf(number).numReturns
    for (let i = 0; i < count; i++) this.#objects.settle(number + i, ['error', outcome[1] as Uint8Array])
    this.#finish(number, undefined)
  }

  /** What is known at once of an object: its outcome, or why there will be none. */
  #known([owner, number, node]: RefTuple): Outcome | undefined {
    if (this.#closed !== undefined) return ['error', compactError(this.#closed)]
    if (owner !== this.host.self.process) return undefined
    if (!this.#table.has(number)) return ['error', compactError(freed([owner, number, node]))]
    const outcome = this.#objects.outcome(number)
    if (outcome?.[0] === 'error') outcome.unread = false
    return outcome
  }

  /** Hands an outcome to a promise; the object stays alive until its value is decoded. */
  #deliver(
    ref: RefTuple,
    outcome: ObjectTuple,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    const register = (refs: readonly RefTuple[]): void => this.#borrowing.state.decodeWithin(ref, refs)
    if (outcome[0] !== 'stored') {
      try {
        const value = this.#access.decodeInline(outcome[1], register)
        if (outcome[0] === 'inline') resolve(value)
        else reject(value)
      } catch (error) {
        reject(error)
      }
      return
    }
    const pinned = this.#borrowing.state.isHeld(ref[0], ref[1]) || ref[0] === this.host.self.process
    if (pinned) {
      if (ref[0] === this.host.self.process) this.#borrowing.state.retainOwned(ref[1])
      else this.retain(ref)
    }
    const leave = this.host.enterWait()
    this.#access
      .decode(ref, outcome, register)
      .then(resolve, reject)
      .finally(() => {
        leave()
        if (pinned) this.release(ref[0], ref[1])
      })
  }

  /** A value too large to travel inline becomes an object; it is ready when it is in the store. */
  #store(encoded: EncodedValue): RefTuple {
    const number = this.#objects.allocate(1)
    this.#borrowing.state.retainOwned(number)
    const ref: RefTuple = [this.host.self.process, number, this.host.self.node]
    const taken = {
      inband: encoded.inband,
      buffers: encoded.buffers.map((buffer) => new Uint8Array(buffer)),
      refs: encoded.refs,
    }
    if (encoded.refs.length > 0) this.#contain(number, encoded)
    this.#borrowing.state.retainOwned(number)
    this.host.store
      .put(objectKey({ owner: ref[0], number }), taken)
      .then(
        (sizeBytes): Outcome => ['stored', sizeBytes, [this.host.storeHolder]],
        (error: unknown): Outcome => ['error', compactError(error)],
      )
      .then((outcome) => {
        if (this.#closed !== undefined) return
        this.#objects.settle(number, outcome)
        this.release(ref[0], number)
      })
      .catch((error: unknown) => this.host.warn(`storing object ${number} failed: ${String(error)}`))
    return ref
  }

  #contain(number: number, encoded: EncodedValue): void {
    const refs = encoded.refs.map(({ owner, number: inner, address }): RefTuple => [owner, inner, address.node])
    this.#borrowing.state.contain(number, refs)
  }

  #settleOne(number: number, index: number, outcome: Outcome): void {
    this.#objects.settle(number + index, outcome)
  }

  #fail(number: number, failure: Failure): void {
    const template = this.state.templateOf(number)
    const bytes = compactError(failureError(failure, template.name, this.notes.of(number)))
    for (let i = 0; i < template.numReturns; i++) this.#objects.settle(number + i, ['error', bytes])
    this.#finish(number, undefined)
  }

  /** The task has settled: what was kept for it goes, and its numbers if nobody holds them. */
  #finish(number: number, node: NodeId | undefined): void {
    const page = this.#table.at(number)
    const slot = slotOf(number)
    const template = this.state.templateOf(number)
    const chunk = page.argsChunk[slot] as number
    if (chunk >= 0) this.#slab.release(chunk, page.argsLength[slot] as number)
    page.argsChunk[slot] = -1
    if (this.#attachments.size > 0) this.#attachments.delete(number)
    for (const [owner, pinned] of this.#takePins(number)) this.release(owner, pinned)
    this.notes.settled(number, template, node)
    for (let i = template.numReturns - 1; i >= 0; i--) if (!this.#isHeld(number + i)) this.#drop(number + i)
    if (this.#drainWaiters.length > 0 && this.#hasRoom(0.5)) for (const wake of this.#drainWaiters.splice(0)) wake()
  }

  #takePins(number: number): readonly RefTuple[] {
    if (this.#pins.size === 0) return []
    const pins = this.#pins.get(number) ?? []
    this.#pins.delete(number)
    return pins
  }

  #isHeld(number: number): boolean {
    return this.#borrowing.state.isHeld(this.host.self.process, number)
  }

  /** Nobody refers to an object of this process any more. */
  #free(number: ObjectNumber): void {
    // The results of a task that has not settled go when it does (`#finish`).
    const task = this.#objects.taskOf(number)
    const page = this.#table.page(task)
    if (page === undefined || (page.argsChunk[slotOf(task)] as number) < 0) this.#drop(number)
  }

  #drop(number: ObjectNumber): void {
    if (!this.#table.has(number)) return
    const outcome = this.#objects.outcome(number)
    if (outcome?.[0] === 'stored') this.#freeStored(number, outcome[2])
    if (outcome?.[0] === 'error' && outcome.unread === true) this.#reportUnread(outcome[1])
    this.#table.release(number)
  }

  #freeStored(number: ObjectNumber, holders: readonly (readonly [NodeId, ProcessId])[]): void {
    const key = objectKey({ owner: this.host.self.process, number })
    for (const [node, process] of holders) {
      if (process === this.host.self.process) void this.host.store.delete(key).catch(() => {})
      else this.#nodes.send(node, [MessageType.free, [key]], () => {})
    }
  }

  #reportUnread(bytes: Uint8Array): void {
    const error = this.#access.decodeInline(bytes, () => {})
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.host.warn(`a task failed and nobody read its result: ${text}`)
  }

  #hasRoom(part: number): boolean {
    const { maxQueuedTasks: tasks, maxQueuedBytes: bytes } = this.#limits
    return this.state.unsettled < tasks * part && this.#slab.heldBytes < bytes * part
  }

  #backPressure(): BackPressureError {
    const queued = `${this.state.unsettled} tasks and ${this.#slab.heldBytes} bytes of arguments`
    return new BackPressureError(
      `${queued} are queued, the most that this process takes; \`await drained()\` before submitting more`,
      { details: { tasks: this.state.unsettled, bytes: this.#slab.heldBytes } },
    )
  }

  #attach(link: Link): void {
    link.onMessage = (message) => this.#fromPeer(link, message as unknown as Message)
    link.unref()
  }

  #fromPeer(link: Link, message: Message): void {
    if (this.#peers.isDead(link.peer.node)) return
    if (this.#answers.received(link, message)) return
    if (this.#borrowing.received(link, message) || this.#access.received(message)) return
    if (message[0] === MessageType.objectGet) return this.#tellObject(link, message[1], message[2])
    if (message[0] === MessageType.templateMiss) {
      const bytes = this.#templateBytes[message[1]]
      if (bytes !== undefined) link.send([MessageType.template, message[1], bytes])
      return
    }
    this.extraMessages?.(link, message)
  }

  #tellObject(link: Link, requestId: number, number: ObjectNumber): void {
    const ref: RefTuple = [this.host.self.process, number, this.host.self.node]
    this.watch(
      ref,
      (outcome) => {
        // A machine that asks will have a copy of its own.
        if (outcome[0] === 'stored') this.#objects.addHolder(number, [link.peer.node, link.peer.node])
        link.send([MessageType.objectValue, requestId, outcome])
      },
      false,
    )
  }

  #classEnded(classIndex: number, how: Failure): void {
    const ended = this.#pinned.get(classIndex)
    this.#pinned.delete(classIndex)
    this.state.templates.forEach((template, number) => {
      if (template?.classIndex === classIndex) this.#templateBytes[number] = undefined
    })
    ended?.(how)
  }

  #peerGone(process: ProcessId, reason: Error): void {
    this.#leasing.workerGone(process, reason)
    this.#borrowing.gone(process)
    this.#access.gone(process, reason.message)
    this.onPeerGone?.(process)
  }
}

function freed([owner, number]: RefTuple): ObjectFreedError {
  const key = objectKey({ owner, number })
  return new ObjectFreedError(`object ${key} was released before it was asked for; keep its ref until then`, {
    details: { key },
  })
}
