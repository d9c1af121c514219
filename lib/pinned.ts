/**
 * Workers of one's own: a pinned lease, an initializer, calls one after the other. Pools are made of these.
 *
 * A worker is asked for at once and stands later (`ready`). What it was given to do before waits for it. When it ends,
 * whatever the reason, its calls reject and `onExit` tells; whoever wants another one asks for another one.
 */
import { deferred, type Deferred } from '../runtime/base/deferred.ts'
import { queueMicrotask } from '../runtime/base/timers.ts'
import {
  defineFunction,
  type FunctionDefinition,
  type FunctionSource,
  moduleExport,
  namesUnknownGlobals,
  withPack,
} from '../runtime/code/function-source.ts'
import { lastLinesOf } from '../runtime/owner/failures.ts'
import type { ProcessRuntime } from '../runtime/owner/current.ts'
import type { Failure, TaskTemplate } from '../runtime/owner/submit-types.ts'
import type { CallListener } from '../runtime/owner/sole-reader.ts'
import type { CallMode } from '../runtime/owner/template.ts'
import { madeAgain, type MakingCall } from '../runtime/protocol/code-values.ts'
import { parseResources } from '../runtime/scheduler/resources.ts'
import { captureCall, TakenCaptures } from './captures.ts'
import { cameAlong, carry, environmentOf, goingAlong } from './carry.ts'
import { ensureRuntime } from './runtime.ts'
import type { RuntimeEnv } from './runtime-env.ts'
import { borrowedBy, type Within } from './within.ts'

export type { CallListener } from '../runtime/owner/sole-reader.ts'

/** An export of a module, which goes along with what it imports. Made by `moduleFunction`. */
export interface RemoteModuleFunction {
  readonly definition: FunctionDefinition
  /** What it had captured, where it is a function of the program; see `takeCaptures`. */
  readonly taken?: TakenCaptures
}

export type Callable = ((...args: never[]) => unknown) | RemoteModuleFunction

export interface PinnedWorkerOptions {
  /** Logical CPUs that the worker holds for its life. Default 1. */
  readonly numCpus?: number
  readonly resources?: Readonly<Record<string, number>>
  /** Runs once in the worker before its first call; may set module state. When it throws, `ready` rejects. */
  readonly initializer?: Callable
  readonly initargs?: readonly unknown[]
  readonly name?: string
  /** Whose worker it is, in words, for errors: `the Pool 'images'`. Default: `a pool`. */
  readonly startOf?: string
  /** What the worker finds on its node. Default: that of `init`. */
  readonly runtimeEnv?: RuntimeEnv
}

export interface WorkerFacts {
  readonly node: string
  readonly pid: number
  readonly process: string
}

export interface WorkerExit {
  readonly code: number | null
  readonly signal: string | null
  readonly stderrTail: string
  readonly nodeDied: boolean
  /** The program left the cluster, or ended its node: nobody asked for another worker. */
  readonly left: boolean
}

export interface PinnedCallOptions {
  readonly name?: string
  /** How the function meets its arguments; see `CallMode`. Default `call`. */
  readonly mode?: CallMode
  /** Gets what the function says by `taskTeller` before its end, in order. What it throws is an uncaught exception. */
  readonly heard?: (value: unknown) => void
  /** Reads the answer before the promise has it, where that is many numbers. */
  readonly within?: Within
}

export interface PinnedCall<R> {
  readonly promise: Promise<R>
  /** Whether it was queued; false when its function or an argument cannot travel, which its promise tells. */
  readonly taken: boolean
  /**
   * Cancels the call; its promise rejects with TaskCancelledError by this. A running one gets its AbortSignal, and the
   * worker is ended when it goes on, at once with `force`. False when the call is over.
   */
  cancel(options?: { readonly force?: boolean }): boolean
}

export interface PinnedWorker {
  /** Resolves when the worker stands and its initializer has run; rejects when it cannot be placed or set up. */
  readonly ready: Promise<WorkerFacts>
  readonly facts: WorkerFacts | undefined
  /** Calls on one worker run one after the other, in the order of these calls. */
  run<R>(fn: Callable, args: readonly unknown[], options?: PinnedCallOptions): PinnedCall<R>
  /**
   * The same without a promise: `listener` is told as the answer comes, in the middle of other work, and is to take note of
   * it, no more. Returns what names the call below. Throws where its function or an argument cannot travel.
   */
  call(fn: RemoteModuleFunction, args: readonly unknown[], listener: CallListener, options?: PinnedCallOptions): number
  /**
   * Raises the AbortSignal of a running call, and no more: it says what it does about that before its answer, for which
   * it has as long as whoever calls this gives it. False when it is over, or at no worker.
   */
  raise(call: number): boolean
  /**
   * Whether one more call would be sent at once, to wait at the worker behind the running one, and could be had back from
   * there at any time. For calls that take long it is false.
   */
  takesAhead(fn: RemoteModuleFunction, options?: PinnedCallOptions): boolean
  /** Has a call back that has not started; its listener hears nothing more. False when it has, or may have. */
  takeBack(call: number): boolean
  /** Ends the worker after the running call; later ones reject. Resolves when the process is gone. */
  release(): Promise<void>
  /** Ends the worker now; running and queued calls reject. Resolves when the process is gone. */
  terminate(): Promise<void>
  /** Called once, when the worker has ended in whatever way. */
  onExit: ((exit: WorkerExit) => void) | undefined
}

/** Names the export of a module for the worker to import, instead of shipping a function's text. */
export function moduleFunction(url: string | URL, exportName: string): RemoteModuleFunction
/** `along`: of one that was a value, and is made again here. */
export function moduleFunction(url: string | URL, exportName: string, along?: unknown): RemoteModuleFunction {
  const definition = moduleExport(url, exportName, 'moduleFunction')
  const pack = along === undefined ? undefined : cameAlong(along).pack
  return new ModuleFunction(pack === undefined ? definition : withPack(definition, pack))
}

class ModuleFunction implements RemoteModuleFunction {
  readonly definition: FunctionDefinition

  constructor(definition: FunctionDefinition) {
    this.definition = definition
  }

  static {
    Object.defineProperty(this.prototype, madeAgain, {
      value(this: ModuleFunction): MakingCall {
        const { url, exportName } = this.definition.source as FunctionSource & { kind: 'module' }
        const along = goingAlong(this.definition)
        const args: [string, unknown][] = [
          ['module', url],
          ['export', exportName],
        ]
        if (along !== undefined) args.push(['what goes along', along])
        return { module: 'outpool:lib/pinned.js', exportName: 'moduleFunction', args }
      },
    })
  }
}

/**
 * The function with what it captures now, for calls that are made later: the chunks of one `map` are all of one moment.
 * A function that captures nothing is returned as it is.
 * @throws FunctionCaptureError where it cannot travel.
 */
export function takeCaptures(fn: Callable, caller = 'run'): Callable {
  if (typeof fn !== 'function') return fn
  const definition = defineFunction(fn, { caller, naming: 'moduleFunction' })
  if (definition.source.kind !== 'closure') return fn
  return { definition, taken: new TakenCaptures(ensureRuntime(), fn, { caller }) }
}

/**
 * Whether the function uses variables from around it, which go with it as an argument does. Names that are none, here, are
 * those of globals of its worker.
 * @throws FunctionCaptureError where it cannot travel.
 */
export function capturesVariables(fn: (...args: never[]) => unknown, caller: string): boolean {
  try {
    return defineFunction(fn, { caller }).source.kind === 'closure'
  } catch (error) {
    if (typeof fn === 'function' && namesUnknownGlobals(fn)) return false
    throw error
  }
}

/** Throws TypeError or RangeError for what no worker can be asked to hold. */
export function checkResources(held: { readonly numCpus?: unknown; readonly resources?: unknown }): void {
  parseResources(held as Parameters<typeof parseResources>[0])
}

/** Asks for a worker; returns at once. */
export function acquireWorker(options: PinnedWorkerOptions = {}): PinnedWorker {
  return new PinnedLease(ensureRuntime(), options)
}

/** What every pinned worker runs first: it says who it is. */
const whoAmI = (): { node: string; pid: number; process: string } => {
  type Runtime = { host: { self: { node: string; process: string } } }
  const runtime = (globalThis as never as Record<symbol, Runtime>)[Symbol.for('outpool.process.1')] as Runtime
  return { ...runtime.host.self, pid: process.pid }
}

interface DefineOptions {
  readonly mode?: CallMode
  readonly startOf?: string
}

class PinnedLease implements PinnedWorker {
  onExit: ((exit: WorkerExit) => void) | undefined
  readonly ready: Promise<WorkerFacts>
  facts: WorkerFacts | undefined
  readonly #runtime: ProcessRuntime
  readonly #classIndex: number
  readonly #templates = new Map<string, TaskTemplate>()
  /** Most calls are as the one before. */
  #lastCall: readonly [fn: Callable, name: string | undefined, mode: CallMode, template: TaskTemplate] | undefined
  readonly #gone: Deferred<WorkerExit> = deferred()
  readonly #label: string
  readonly #startOf: string
  readonly #runtimeEnv: RuntimeEnv | undefined
  readonly #environment: string

  constructor(runtime: ProcessRuntime, options: PinnedWorkerOptions) {
    const { numCpus = 1, resources, initializer, initargs = [] } = options
    this.#runtime = runtime
    this.#label = options.name ?? 'worker'
    this.#startOf = options.startOf ?? 'a pool'
    this.#runtimeEnv = options.runtimeEnv
    this.#environment = environmentOf(runtime, options.runtimeEnv)
    const units = parseResources({ numCpus, ...(resources !== undefined && { resources }) })
    const { owner } = runtime
    this.#classIndex = owner.openPinned(units, this.#environment, (how) => this.#ended(exitOf(how)))
    this.ready = this.#setUp(initializer, initargs)
    // Whoever never asks is not to be punished by an unhandled rejection.
    this.ready.catch(() => {})
  }

  run<R>(fn: Callable, args: readonly unknown[], options: PinnedCallOptions = {}): PinnedCall<R> {
    const { owner } = this.#runtime
    const { heard, within } = options
    let task = -1
    const started = (number: number): void => {
      task = number
    }
    // Before the answer of the call, whose readers are told by a microtask too.
    const tell = heard === undefined ? undefined : (value: unknown): void => queueMicrotask(() => heard(value))
    const template = this.#templateFor(fn, options)
    const borrow = within === undefined ? undefined : borrowedBy(within)
    const promise = owner.run(template, this.#argumentsOf(fn, args), started, tell, borrow) as Promise<R>
    return {
      promise,
      taken: task >= 0,
      cancel: (how) => task >= 0 && this.#cancel(task, how),
    }
  }

  call(
    fn: RemoteModuleFunction,
    args: readonly unknown[],
    listener: CallListener,
    options: PinnedCallOptions = {},
  ): number {
    return this.#runtime.owner.calls.tell(this.#templateFor(fn, options), this.#argumentsOf(fn, args), listener)
  }

  raise(call: number): boolean {
    return this.#runtime.owner.calls.raise(call)
  }

  #cancel(call: number, { force = false }: { readonly force?: boolean } = {}): boolean {
    return this.#runtime.owner.cancel(call, { reason: 'cancel() was called', force, recursive: true })
  }

  takesAhead(fn: RemoteModuleFunction, options: PinnedCallOptions = {}): boolean {
    return this.#runtime.owner.calls.takesAhead(this.#templateFor(fn, options))
  }

  takeBack(call: number): boolean {
    return this.#runtime.owner.calls.takeBack(call)
  }

  async release(): Promise<void> {
    this.#runtime.owner.closePinned(this.#classIndex, 'its worker was released', false)
    await this.#end()
  }

  async terminate(): Promise<void> {
    this.#runtime.owner.closePinned(this.#classIndex, 'its worker was terminated', true)
    await this.#end()
  }

  /** A program that waits for the end of its worker must not end before it is there. */
  async #end(): Promise<void> {
    const leave = this.#runtime.host.enterWait()
    try {
      await this.#gone.promise
    } finally {
      leave()
    }
  }

  async #setUp(initializer: Callable | undefined, initargs: readonly unknown[]): Promise<WorkerFacts> {
    const asked = this.#start<WorkerFacts>(whoAmI, [], `${this.#label} start`)
    // Nobody waits for it where the initializer cannot travel, which is thrown.
    asked.catch(() => {})
    const set =
      initializer === undefined ? undefined : this.#start<unknown>(initializer, initargs, `${this.#label} initializer`)
    set?.catch(() => {})
    this.facts = await asked
    await set
    return this.facts
  }

  /** A part of its start, which errors are to tell of. */
  #start<R>(fn: Callable, args: readonly unknown[], name: string): Promise<R> {
    const template = this.#define(definitionOf(fn, 'initializer'), name, { startOf: this.#startOf })
    return this.#runtime.owner.run(template, this.#argumentsOf(fn, args, 'initializer')) as Promise<R>
  }

  #ended(exit: WorkerExit): void {
    this.#gone.resolve(exit)
    this.onExit?.(exit)
  }

  /** With what the function captures, now or when it was taken. */
  #argumentsOf(fn: Callable, args: readonly unknown[], caller = 'run'): readonly unknown[] {
    if (typeof fn !== 'function') return fn.taken?.with(args) ?? args
    if (defineFunction(fn, { caller }).source.kind !== 'closure') return args
    return captureCall(this.#runtime, fn, args, { caller, runtimeEnv: this.#runtimeEnv })
  }

  #templateFor(fn: Callable, { name, mode = 'call' }: PinnedCallOptions): TaskTemplate {
    const last = this.#lastCall
    if (last !== undefined && last[0] === fn && last[1] === name && last[2] === mode) return last[3]
    const definition = definitionOf(fn)
    const key = `${definition.id} ${mode} ${name ?? ''}`
    let template = this.#templates.get(key)
    if (template === undefined)
      this.#templates.set(key, (template = this.#define(definition, name ?? definition.name, { mode })))
    this.#lastCall = [fn, name, mode, template]
    return template
  }

  #define(definition: FunctionDefinition, name: string, { mode = 'call', startOf }: DefineOptions = {}): TaskTemplate {
    const carried = carry(this.#runtime, definition, this.#runtimeEnv)
    const body = { kind: 'task', mode, name, definition: carried.definition.bytes } as const
    return this.#runtime.owner.defineTemplate(
      { ...body, job: this.#runtime.job, environment: this.#environment, numReturns: 1, maxRetries: 0 },
      { classIndex: this.#classIndex, retryExceptions: false, timeoutMs: 0, ...(startOf !== undefined && { startOf }) },
    )
  }
}

function definitionOf(fn: Callable, caller = 'run'): FunctionDefinition {
  return typeof fn === 'function' ? defineFunction(fn, { caller, naming: 'moduleFunction' }) : fn.definition
}

const noExit: WorkerExit = { code: null, signal: null, stderrTail: '', nodeDied: false, left: false }

function exitOf(how: Failure): WorkerExit {
  if (how.kind !== 'worker-crashed')
    return { ...noExit, nodeDied: how.kind === 'node-died', left: how.kind === 'class-closed' && how.left === true }
  const [code, signal] = how.exit
  return { ...noExit, code, signal, stderrTail: lastLinesOf(how.exit) }
}
