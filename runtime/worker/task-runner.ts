/**
 * Runs tasks: from the bytes of a push to the bytes of its answer.
 *
 *     push -> executor-state (order, claim) -> arguments -> the user's function -> results -> done | doneMany | failed
 *
 * A synchronous task without refs goes through without a promise.
 */
import { monotonicMs } from '../base/clock.ts'
import { TaskCancelledError } from '../base/errors.ts'
import { isThenable, promiseOf } from '../base/is-thenable.ts'
import { inlineBytes } from '../base/limits.ts'
import { queueMicrotask, setImmediate } from '../base/timers.ts'
import type { ClaimPage } from '../objects/claim-page.ts'
import { compact, compactBytes, decodeCompact, expand } from '../objects/compact.ts'
import { decodeValue, encodeValue, type EncodedValue } from '../objects/value.ts'
import { firstArgument, smallArguments, splitArguments } from '../owner/arguments.ts'
import type { RunningTask } from '../owner/current.ts'
import type { OwnerHost } from '../owner/host.ts'
import { refTupleOf } from '../owner/refs.ts'
import { type Attachment, type Failed, MessageType, type Push, type RefTuple } from '../protocol/messages.ts'
import type { Link } from '../transport/link.ts'
import { ArgumentsLost, bringArguments } from './argument-values.ts'
import { Borrowed } from './borrowed.ts'
import { callFunction } from './call.ts'
import { CapturedFunctions, type Held } from './captured-functions.ts'
import { ExecutorState, type QueuedTask } from './executor-state.ts'
import { WorkerGenerators } from './generators.ts'
import type { LateOwner } from './late-owner.ts'
import { ReadAgain } from './read-again.ts'
import { runWithin } from './task-context.ts'
import { encodeFailure } from './thrown.ts'
import { type AnsweredTask, TaskAnswers } from './task-answers.ts'
import { TaskFacts } from './task-facts.ts'
import { noteRun, Templates, type WorkerTemplate } from './templates.ts'
import { type TaskEvents, WorkAndRest } from './work-and-rest.ts'
import type { WorkerCode } from './worker-code.ts'
import { notStored, storeResults } from './store-results.ts'

/** A pushed task; what it needs beyond its place in the queue. */
export interface WorkerTask extends QueuedTask, AnsweredTask {
  readonly link: Link
  readonly message: Push
  readonly template: WorkerTemplate
  /** What its function captured, where it captures. */
  readonly held: Held | undefined
  /** Its arguments, where they are small: read as it comes, when what reads them is in the caches. */
  readonly args: readonly unknown[] | undefined
  context: RunningTask | undefined
  controller: AbortController | undefined
  told: boolean
  borrows: boolean
}

/** An expected run time above which a worker writes what it owes before it starts, in microseconds. */
const longMicros = 200

export class TaskRunner {
  readonly executor: ExecutorState<WorkerTask>
  readonly templates: Templates
  readonly captured: CapturedFunctions
  readonly generators: WorkerGenerators
  readonly #owner: LateOwner
  readonly #host: OwnerHost
  readonly #events: TaskEvents
  readonly #again = new ReadAgain(() => this.#owner.now.access)
  readonly #work: WorkAndRest
  readonly #answers: TaskAnswers
  /** Tasks that were claimed and have not ended; rarely more than one. */
  readonly #running: WorkerTask[] = []
  /** Which link the tasks of a lease came by. */
  readonly #links = new Map<number, Link>()
  #nextLocal = 1
  /** Of the task that ended last, in microseconds. */
  #lastMicros = 0

  constructor(
    owner: LateOwner,
    host: OwnerHost,
    code: WorkerCode,
    page: { readonly claim: ClaimPage['start']; readonly answers: () => ClaimPage['answers'] | undefined },
    events: TaskEvents,
  ) {
    this.#owner = owner
    this.#host = host
    this.#events = events
    this.#answers = new TaskAnswers(() => owner.known?.references, page.answers)
    this.templates = new Templates(code)
    this.generators = new WorkerGenerators(owner, host)
    const ports = { refCodec: host.refCodec, locate: code.locate, warn: (text: string) => host.warn(text) }
    this.captured = new CapturedFunctions(ports)
    this.#work = new WorkAndRest({
      working: () => events.working(),
      idle: () => {
        this.#answers.idle()
        events.idle()
      },
    })
    this.executor = new ExecutorState<WorkerTask>(
      {
        run: (task) => this.#run(task),
        giveBack: (epoch, sequences) => this.#giveBack(epoch, sequences),
        passedOver: (epoch, sequence) => this.#giveBack(epoch, [sequence]),
        isLoaded: ({ template, held }) => this.templates.isLoaded(template) && held?.needed.isSettled !== false,
        load: ({ template, held, epoch }) =>
          void Promise.all([this.templates.load(template), held?.needed.whole]).then(() => this.executor.loaded(epoch)),
        rest: () => this.#running.length === 0 && this.#work.rest(this.#lastMicros > longMicros),
        // All of a frame is read before the first of its tasks runs: together that costs a fraction of one by one.
        soon: (start) => queueMicrotask(start),
        endsTurn: ({ template, epoch }) => template.body.mode === 'turn' && this.#turn(epoch),
      },
      page.claim,
    )
  }

  get running(): number {
    return this.#running.length
  }

  /** Entries of its tables. Lines of a lease that is over stay until the next one begins; so does the code of a link. */
  sizes(): Record<string, number> {
    const links = this.#owner.links
    const sum = (countOf: (link: Link) => number): number => links.reduce((total, link) => total + countOf(link), 0)
    return {
      ...{ running: this.#running.length, peers: links.length },
      ...this.executor.sizes(),
      templates: sum((link) => this.templates.countOf(link)),
      parts: sum((link) => this.captured.countOf(link)),
    }
  }

  push(link: Link, message: Push): void {
    const template = this.templates.get(link, message[3])
    if (template === undefined) throw new Error(`a task names template ${message[3]}, which was not sent on this link`)
    this.#links.set(message[1], link)
    const task: WorkerTask = {
      epoch: message[1],
      sequence: message[2],
      state: 'waiting',
      link,
      message,
      template,
      held: template.captures ? this.captured.hold(link, message[4], firstArgument(message[6])) : undefined,
      args: template.captures ? undefined : smallArguments(message[6]),
      local: this.#nextLocal++,
      context: undefined,
      controller: undefined,
      told: false,
      borrows: false,
    }
    if (template.body.mode === 'generate') this.generators.open(task)
    // Where its lease is over, it was not started here, and will not be.
    if (!this.executor.push(task)) link.send([MessageType.returned, message[1], [message[2]]])
  }

  /** The owner cancels a task that it could not take back: its signal is raised. */
  abort(epoch: number, sequence: number, recursive: boolean): void {
    const task = this.#running.find((running) => running.epoch === epoch && running.sequence === sequence)
    if (task === undefined) return
    this.#controllerOf(task).abort(new TaskCancelledError(`task ${task.template.body.name} was cancelled`))
    this.generators.aborted(task)
    if (!recursive) return
    for (const child of task.context?.children ?? []) {
      this.#owner.now.cancel(child, { reason: 'its caller was cancelled', force: false, recursive: true })
    }
  }

  /** The node gave this worker to somebody: earlier leases are over, but for those whose tasks still run. */
  leaseStart(epoch: number, others: readonly number[]): void {
    this.executor.openLine(epoch, others)
    for (const known of this.#links.keys()) {
      if (this.executor.hasLine(known)) continue
      this.#links.delete(known)
      this.#answers.over(known)
    }
  }

  blocked(context: RunningTask): WorkerTask | undefined {
    const task = this.#taskOf(context)
    if (task?.state !== 'running') return undefined
    task.told = true
    task.link.send([MessageType.blocked, task.epoch, task.sequence])
    this.executor.blocked(task)
    task.link.flush()
    return task
  }

  resumed(context: RunningTask): void {
    this.#goesOn(this.#taskOf(context))
  }

  /** It waits for nothing any more: that has come, or it ends without it. */
  #goesOn(task: WorkerTask | undefined): void {
    if (task?.state !== 'blocked') return
    task.link.send([MessageType.resumed, task.epoch, task.sequence])
    this.#events.resumed(task.epoch)
    this.executor.resumed(task)
  }

  #taskOf(context: RunningTask): WorkerTask | undefined {
    return this.#running.find((task) => task.context === context)
  }

  #giveBack(epoch: number, sequences: readonly number[]): void {
    const link = this.#links.get(epoch)
    if (link === undefined || sequences.length === 0) return
    link.send([MessageType.returned, epoch, sequences])
    link.flush()
  }

  #run(task: WorkerTask): void {
    const { template } = task
    if (template.runMicros < 0 || template.runMicros > longMicros) task.link.flush()
    this.#work.work()
    this.#running.push(task)
    const startedAt = monotonicMs()
    try {
      if (template.failure !== undefined) return this.#failed(task, startedAt, template.failure, 'setup')
      const value = task.args === undefined ? this.#read(task) : this.#call(task, task.args)
      if (isThenable(value)) {
        promiseOf(value).then(
          (settled) => this.#succeeded(task, startedAt, settled),
          (error: unknown) => this.#threw(task, startedAt, error),
        )
      } else this.#succeeded(task, startedAt, value)
    } catch (error) {
      this.#failed(task, startedAt, error, 'user')
    }
  }

  /** Reads its arguments, and calls it. */
  #read(task: WorkerTask): unknown {
    const parts = splitArguments(task.message[6], task.message[7])
    const args = this.#decodeNow(task, parts)
    return args === undefined ? this.#callLater(task, parts) : this.#call(task, args)
  }

  #call(task: WorkerTask, args: readonly unknown[]): unknown {
    const { body, fn } = task.template
    const context = (task.context = this.#contextOf(task))
    const { held } = task
    if (held === undefined)
      return runWithin(context, () =>
        this.#made(task, callFunction(fn as NonNullable<typeof fn>, body.mode, args, context)),
      )
    const register = (refs: readonly RefTuple[]): void => this.#register(task, refs)
    return this.captured.with(held, args, register, (made, own) =>
      runWithin(context, () => this.#made(task, callFunction(made, body.mode, own, context))),
    )
  }

  /** What the function returned, or the end of the generator that it returned. */
  #made(task: WorkerTask, value: unknown): unknown {
    return task.template.body.mode === 'generate' ? this.generators.run(task, value) : value
  }

  async #callLater(task: WorkerTask, parts: readonly (Uint8Array | Attachment)[]): Promise<unknown> {
    const register = (inner: readonly RefTuple[]): void => this.#register(task, inner)
    const known = task.held === undefined ? task.template : undefined
    // Of a chunk, the last argument, nobody sees more than its items.
    const chunk = new Borrowed(task.template.body.mode === 'map' ? parts.length - 1 : -1, () => this.#owner.now.access)
    const bring = (attachment: Attachment, i: number): unknown =>
      chunk.is(i) ? chunk.bring(attachment, register) : this.#again.value(known, i, attachment, register)
    return chunk.during(async () =>
      this.#call(task, await bringArguments(parts, (bytes) => this.#decodePart(task, bytes), bring)),
    )
  }

  #threw(task: WorkerTask, startedAt: number, error: unknown): void {
    if (error instanceof ArgumentsLost) this.#failed(task, startedAt, error.error, 'arguments')
    else this.#failed(task, startedAt, error, 'user')
  }

  /** The arguments, when all of them are here; undefined when one has to be fetched. */
  #decodeNow(task: WorkerTask, parts: readonly (Uint8Array | Attachment)[]): unknown[] | undefined {
    const args: unknown[] = []
    for (const part of parts) {
      if (part instanceof Uint8Array) args.push(this.#decodePart(task, part))
      else if (part[1][0] === 'inline') args.push(this.#decodePart(task, part[1][1]))
      else return undefined
    }
    return args
  }

  #decodePart(task: WorkerTask, bytes: Uint8Array): unknown {
    if (bytes[0] === 0) return decodeCompact(bytes, this.#host.refCodec)
    const encoded = expand(bytes)
    if (encoded.refs.length > 0) this.#register(task, encoded.refs.map(refTupleOf))
    return decodeValue(encoded, this.#host.refCodec)
  }

  #register(task: WorkerTask, refs: readonly RefTuple[]): void {
    task.borrows ||= refs.length > 0
    for (const ref of refs) this.#owner.now.references.decodeInTask(ref, task.local)
  }

  #succeeded(task: WorkerTask, startedAt: number, value: unknown): void {
    this.#goesOn(task)
    const count = task.template.body.numReturns
    try {
      if (count === 1) {
        const encoded = encodeValue(value, 'result', this.#host.refCodec, task.template.care)
        // The end of a generator is told in full, so that its owner can keep what it takes to make its items again.
        if (encoded.refs.length > 0 || compactBytes(encoded) > inlineBytes || task.template.body.mode === 'generate')
          return this.#storeResults(task, startedAt, [encoded])
        return this.#answerInline(task, startedAt, compact(encoded))
      }
      if (!Array.isArray(value) || value.length !== count) {
        const got = Array.isArray(value) ? `an array of ${value.length}` : typeof value
        throw new TypeError(
          `${task.template.body.name} has numReturns: ${count} and must return an array of ${count} values, not ${got}`,
        )
      }
      const encoded = value.map((item: unknown, i) => encodeValue(item, `result[${i}]`, this.#host.refCodec))
      this.#storeResults(task, startedAt, encoded)
    } catch (error) {
      this.#failed(task, startedAt, error, 'user')
    }
  }

  #answerInline(task: WorkerTask, startedAt: number, bytes: Uint8Array): void {
    this.#answers.inline(task, this.#measure(task, startedAt), bytes)
    this.#ended(task)
  }

  /** Large results go into the store of this machine before they are told. */
  #storeResults(task: WorkerTask, startedAt: number, values: readonly EncodedValue[]): void {
    const micros = this.#measure(task, startedAt)
    const [, , , , number, attempt] = task.message
    const { store, clock } = this.#host
    storeResults(store, { owner: task.link.peer.process, number, attempt }, values).then(
      (results) => {
        const contained = values.flatMap((value) => value.refs.map(refTupleOf))
        this.#answers.many(task, micros, results, contained)
        this.#ended(task)
      },
      async (error: unknown) => this.#failed(task, startedAt, await notStored(clock, error), 'user'),
    )
  }

  #failed(task: WorkerTask, startedAt: number, error: unknown, origin: Failed[5]): void {
    this.#goesOn(task)
    const micros = this.#measure(task, startedAt)
    const said = task.controller?.signal.aborted === true ? 'cancelled' : origin
    this.#answers.failed(task, micros, compact(encodeFailure(error, said, task.template.body.mode)), said)
    this.#ended(task)
  }

  #measure(task: WorkerTask, startedAt: number): number {
    const micros = (this.#lastMicros = Math.round((monotonicMs() - startedAt) * 1000))
    noteRun(task.template, micros)
    return micros
  }

  #turn(epoch: number): true {
    setImmediate(() => this.executor.turned(epoch))
    return true
  }

  #ended(task: WorkerTask): void {
    this.#running.splice(this.#running.indexOf(task), 1)
    // What the task had leased for its own calls must not wait while this process runs something else.
    if (task.context?.children !== undefined) {
      this.#owner.now.state.returnIdle()
      this.#owner.now.flushNodes()
    }
    this.#events.ended()
    this.executor.finished(task)
  }

  readonly #signalOf = (task: WorkerTask): AbortSignal => this.#controllerOf(task).signal

  #controllerOf(task: WorkerTask): AbortController {
    task.controller ??= new AbortController()
    return task.controller
  }

  #contextOf(task: WorkerTask): RunningTask {
    return new TaskFacts(task, this.#host.self.node, this.#signalOf)
  }
}
