/**
 * Tasks on their way in and out: arguments are encoded and pinned, refs among them awaited, the task handed to the state
 * machine; when it has settled, all that was kept for it is let go of.
 */
import { BackPressureError } from '../base/errors.ts'
import type { NodeId } from '../base/ids.ts'
import type { Attachment, RefTuple } from '../protocol/messages.ts'
import { ArgumentWaits } from './argument-waits.ts'
import { encodeArguments, type EncodedArguments, noArguments } from './arguments.ts'
import type { Borrowing } from './borrowing.ts'
import { ByteSlab, type Piece } from './byte-slab.ts'
import { CapturedArguments, type CapturedCall } from './captured-calls.ts'
import { failureError } from './failures.ts'
import type { Generators } from './generators.ts'
import type { OwnerHost } from './host.ts'
import type { LatePins } from './late-pins.ts'
import type { KeptSpec } from './lineage.ts'
import type { ObjectTable, Outcome } from './object-table.ts'
import { compactError } from './compact-error.ts'
import type { OwnerValues } from './owner-values.ts'
import { lossReasonOf, type Recovery } from './recovery.ts'
import type { SoleReader } from './sole-reader.ts'
import type { SubmitState } from './submit-state.ts'
import type { Failure, TaskTemplate } from './submit-types.ts'
import type { TaskNotes } from './task-notes.ts'
import { emptyChunk, noChunk, slotOf, type TaskTable } from './task-table.ts'

export interface OwnerLimits {
  readonly maxQueuedTasks: number
  readonly maxQueuedBytes: number
  readonly maxLineageBytes?: number
}

export interface SubmissionParts {
  readonly host: OwnerHost
  readonly table: TaskTable
  readonly objects: ObjectTable
  readonly values: OwnerValues
  readonly notes: TaskNotes
  readonly limits: OwnerLimits
  readonly latePins: LatePins
  /** Whether this owner holds that lease now. */
  isLeased(lease: number): boolean
  readonly generators: Pick<Generators, 'settled'>
}

export class Submission {
  readonly slab: ByteSlab = new ByteSlab()
  /** Values of the arguments that are refs, by task, from when they are known until it settles. */
  readonly attachments: Map<number, readonly Attachment[]> = new Map<number, readonly Attachment[]>()
  /** What calls of functions with captures need at their workers, by task, until it settles. */
  readonly captured: Map<number, CapturedCall> = new Map<number, CapturedCall>()
  /** Refs that a task keeps alive, by task, until it settles. */
  readonly pins: Map<number, readonly RefTuple[]> = new Map<number, readonly RefTuple[]>()
  readonly waits: ArgumentWaits
  readonly #host: OwnerHost
  readonly #table: TaskTable
  readonly #objects: ObjectTable
  readonly #values: OwnerValues
  readonly #notes: TaskNotes
  readonly #limits: OwnerLimits
  readonly #latePins: LatePins
  readonly #isLeased: (lease: number) => boolean
  readonly #generators: SubmissionParts['generators']
  readonly #drainWaiters: (() => void)[] = []
  readonly #piece: Piece = { chunk: 0, offset: 0, length: 0 }
  #state!: SubmitState
  #borrowing!: Borrowing
  #recovery!: Recovery
  #closed: Error | undefined

  constructor(parts: SubmissionParts) {
    this.#host = parts.host
    this.#table = parts.table
    this.#objects = parts.objects
    this.#values = parts.values
    this.#notes = parts.notes
    this.#limits = parts.limits
    this.#latePins = parts.latePins
    this.#isLeased = (lease) => parts.isLeased(lease)
    this.waits = new ArgumentWaits({
      ...{ self: parts.host.self, table: parts.table, objects: parts.objects, values: parts.values },
      attachments: this.attachments,
      state: () => this.#state,
      failed: (number, error) => this.#argumentFailed(number, error),
    })
    this.#generators = parts.generators
  }

  /** The state machine and the references are made with this among their effects. */
  serve(state: SubmitState, borrowing: Borrowing, recovery: Recovery): void {
    this.#state = state
    this.#borrowing = borrowing
    this.#recovery = recovery
  }

  /** Nothing is submitted any more; whoever waits for room is woken. */
  close(error: Error): void {
    this.#closed = error
    for (const wake of this.#drainWaiters.splice(0)) wake()
  }

  /** Resolves when less than half of what may be queued is. */
  drained(): Promise<void> {
    if (this.#hasRoom(0.5)) return Promise.resolve()
    return new Promise((resolve) => this.#drainWaiters.push(resolve))
  }

  /** `numbered` is told the number before anything becomes of the task. */
  start(
    template: TaskTemplate,
    args: readonly unknown[],
    held: boolean,
    reader?: SoleReader,
    numbered?: (number: number) => unknown,
  ): number {
    if (this.#closed !== undefined) throw this.#closed
    if (!this.#hasRoom(1)) throw this.#backPressure()
    const made: RefTuple[] = []
    const encoded = args.length === 0 ? noArguments : this.#encode(args, made, template.isExact)
    const number = this.#objects.allocate(template.numReturns)
    const page = this.#table.at(number)
    const slot = slotOf(number)
    // Arguments of no bytes to keep take no room.
    if (encoded === noArguments) page.argsChunk[slot] = emptyChunk
    else this.#keepArguments(number, encoded.bytes)
    if (held) for (let i = 0; i < template.numReturns; i++) this.#borrowing.state.retainOwned(number + i)
    else if (reader !== undefined) {
      reader.number = number
      page.slot[slot] = reader
    }
    const { awaited } = encoded
    const contained = args instanceof CapturedArguments ? this.#capture(number, args, encoded) : encoded.contained
    if (awaited.length + contained.length > 0) this.#pin(number, awaited, contained, made)
    this.#host.submitted(number)
    if (numbered !== undefined) numbered(number)
    this.#state.submit(number, template, awaited.length === 0)
    if (awaited.length > 0) this.waits.begin(number, awaited)
    const { awake } = this.#host
    if (awake !== undefined) {
      if (this.#state.unsettled === 1) awake.expect()
      else awake.arrived()
    }
    return number
  }

  /** Returns the refs that the call keeps alive beside its arguments that are refs. */
  #capture(number: number, { call }: CapturedArguments, { contained }: EncodedArguments): readonly RefTuple[] {
    this.captured.set(number, call)
    return call.refs.length === 0 ? contained : [...contained, ...call.refs]
  }

  /** Arguments as bytes; those too large to travel become objects of this process, listed in `made`. */
  #encode(args: readonly unknown[], made: RefTuple[], isExact = false): EncodedArguments {
    const { refCodec } = this.#host
    const codec = isExact ? (refCodec.exact ?? refCodec) : refCodec
    try {
      return encodeArguments(args, codec, (value) => {
        const ref = this.#values.store(value)
        made.push(ref)
        return ref
      })
    } catch (error) {
      for (const [owner, number] of made) this.#values.release(owner, number)
      throw error
    }
  }

  /** Refs of a task's arguments stay alive until it settles; those in `made` were held for it from the start. */
  #pin(number: number, awaited: readonly RefTuple[], contained: readonly RefTuple[], made: readonly RefTuple[]): void {
    for (const ref of awaited) if (!made.includes(ref)) this.#values.retain(ref)
    for (const ref of contained) this.#values.retain(ref)
    this.pins.set(number, [...awaited, ...contained])
  }

  /** A task that has settled runs once more, for results that were lost. */
  rerun(number: number, spec: KeptSpec, kept: ByteSlab): void {
    const { self } = this.#host
    for (const ref of spec.held) this.#values.retain(ref)
    for (const made of spec.made) this.#borrowing.state.retainOwned(made)
    const pins = [...spec.held, ...spec.made.map((made): RefTuple => [self.process, made, self.node])]
    if (pins.length > 0) this.pins.set(number, pins)
    if (spec.captured !== undefined) this.captured.set(number, spec.captured)
    if (spec.args === undefined) this.#table.at(number).argsChunk[slotOf(number)] = emptyChunk
    else this.#keepArguments(number, kept.view(spec.args.chunk, spec.args.offset, spec.args.length))
    this.#state.rerun(number, spec.awaited.length === 0)
    if (spec.awaited.length > 0) this.waits.begin(number, spec.awaited, spec.known)
  }

  #keepArguments(number: number, bytes: Uint8Array): void {
    const page = this.#table.at(number)
    const slot = slotOf(number)
    const piece = this.#piece
    this.slab.store(bytes, piece)
    page.argsChunk[slot] = piece.chunk
    page.argsOffset[slot] = piece.offset
    page.argsLength[slot] = piece.length
  }

  /** A task whose argument failed fails with the same error, without having run. */
  #argumentFailed(number: number, error: Uint8Array): void {
    const count = this.#state.templateOf(number).numReturns
    const outcome: Outcome = ['error', error]
    for (let i = 0; i < count; i++) this.#recovery.settle(number + i, outcome)
    this.finish(number, undefined)
  }

  fail(number: number, failure: Failure): void {
    const template = this.#state.templateOf(number)
    const bytes = compactError(failureError(failure, template, this.#notes.of(number)))
    const outcome: Outcome = ['error', bytes]
    this.#keepPins(number)
    // Whoever cancels or leaves knows.
    if (failure.kind === 'cancelled' || failure.kind === 'class-closed') outcome.unread = false
    for (let i = 0; i < template.numReturns; i++) this.#recovery.settle(number + i, outcome, lossReasonOf(failure))
    this.finish(number, undefined)
  }

  /** A task that is settled from outside may run on: what it refers to is kept until its worker is done with it. */
  #keepPins(number: number): void {
    if (this.pins.has(number) && this.keepLate(number, this.pins.get(number) ?? [])) this.pins.delete(number)
  }

  /** Lets go of `refs` when the worker is done with a task that has settled. False where it is, or there is none. */
  keepLate(number: number, refs: readonly RefTuple[]): boolean {
    const page = this.#table.at(number)
    const lease = page.lease[slotOf(number)] as number
    if (lease === 0 || !this.#isLeased(lease)) return false
    this.#latePins.keep(lease, page.sequence[slotOf(number)] as number, refs)
    return true
  }

  /** The task has settled: what was kept for it goes, and its numbers if nobody holds them. */
  finish(number: number, node: NodeId | undefined): void {
    this.#host.awake?.arrived()
    const page = this.#table.at(number)
    const slot = slotOf(number)
    const template = this.#state.templateOf(number)
    const chunk = page.argsChunk[slot] as number
    if (chunk >= 0) this.slab.release(chunk, page.argsLength[slot] as number)
    page.argsChunk[slot] = noChunk
    if (this.attachments.size > 0) this.#broughtTo(number, node)
    if (this.captured.size > 0) this.captured.delete(number)
    for (const [owner, pinned] of this.takePins(number)) this.#values.release(owner, pinned)
    this.#notes.settled(number, node)
    this.#recovery.finished(number)
    for (let i = template.numReturns - 1; i >= 0; i--)
      if (!this.#values.isHeld(number + i)) this.#values.drop(number + i)
    if (template.generates === true) {
      this.#generators.settled(number, node !== undefined)
      this.#recovery.generatorEnded(number)
    }
    if (this.#drainWaiters.length > 0 && this.#hasRoom(0.5)) for (const wake of this.#drainWaiters.splice(0)) wake()
  }

  /** The node on which the task has run has a copy of its large arguments since. */
  #broughtTo(number: number, node: NodeId | undefined): void {
    const values = this.attachments.get(number) ?? []
    this.attachments.delete(number)
    if (node === undefined) return
    for (const [[owner, argument], value] of values)
      if (value[0] === 'stored' && owner === this.#host.self.process) this.#objects.addHolder(argument, [node, node])
  }

  takePins(number: number): readonly RefTuple[] {
    if (this.pins.size === 0) return []
    const pins = this.pins.get(number) ?? []
    this.pins.delete(number)
    return pins
  }

  #hasRoom(part: number): boolean {
    const { maxQueuedTasks: tasks, maxQueuedBytes: bytes } = this.#limits
    return this.#state.unsettled < tasks * part && this.slab.heldBytes < bytes * part
  }

  #backPressure(): BackPressureError {
    const queued = `${this.#state.unsettled} tasks and ${this.slab.heldBytes} bytes of arguments`
    return new BackPressureError(
      `${queued} are queued, the most that this process takes; \`await drained()\` before submitting more`,
      { details: { tasks: this.#state.unsettled, bytes: this.slab.heldBytes } },
    )
  }
}
