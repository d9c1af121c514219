/** Functions that run in the cluster. */
import { types } from 'node:util'
import { TaskCancelledError } from '../runtime/base/errors.ts'
import { onAbort } from '../runtime/base/on-abort.ts'
import { defineFunction, moduleExport, withPack, type FunctionDefinition } from '../runtime/code/function-source.ts'
import type { ProcessRuntime } from '../runtime/owner/current.ts'
import type { OwnedGenerator } from '../runtime/owner/generators.ts'
import { ObjectRef } from '../runtime/owner/object-ref.ts'
import { ObjectRefGenerator, ValueGenerator } from '../runtime/owner/object-ref-generator.ts'
import type { TaskTemplate } from '../runtime/owner/submit-types.ts'
import { madeAgain, type MakingCall } from '../runtime/protocol/code-values.ts'
import type { RefTuple } from '../runtime/protocol/messages.ts'
import { captureCall } from './captures.ts'
import { type Along, cameAlong, carry, goingAlong } from './carry.ts'
import { given } from './given.ts'
import { checkTaskOptions, compileOptions, type CompiledOptions, type TaskOptions } from './options.ts'
import { compileRuntimeEnv } from './runtime-env.ts'
import { ensureRuntime } from './runtime.ts'

/** An argument, or a ref to it: in the callee it is the value. */
export type RemoteArgument<T> = T | ObjectRef<T>
export type RemoteArguments<A extends readonly unknown[]> = { [K in keyof A]: RemoteArgument<A[K]> }

/** What a generator, of either kind, yields and returns. */
type ItemsOf<R> = R extends AnyIterator<infer T, unknown> ? Awaited<T> : unknown
type EndOf<R> = R extends AnyIterator<unknown, infer E> ? Awaited<E> : unknown
type AnyIterator<T, E> = Generator<T, E, never> | AsyncGenerator<T, E, never>
/** `A` for a generator, else `B`; functions of which nothing is known, or that never return, are none. */
type IfGenerator<R, A, B> = 0 extends 1 & R ? B : [R] extends [never] ? B : [R] extends [AnyGenerator] ? A : B
// oxlint-disable-next-line typescript/no-explicit-any -- what it is sent is of no matter here
type AnyGenerator = Generator<unknown, unknown, any> | AsyncGenerator<unknown, unknown, any>

/** What `.remote()` of a function returns: a ref, or for a generator its items as refs. */
export type RemoteResult<R> = IfGenerator<R, ObjectRefGenerator<ItemsOf<R>, EndOf<R>>, ObjectRef<Awaited<R>>>
/** What `.run()` of a function returns: its value, or for a generator its items. */
export type RunResult<R> = IfGenerator<R, ValueGenerator<ItemsOf<R>, EndOf<R>>, Promise<Awaited<R>>>

/** A function whose calls run in the cluster. Made by `remote`. */
export class RemoteFunction<A extends unknown[], R> {
  readonly #definition: FunctionDefinition
  /** The function itself, where it is known here. */
  readonly #fn: Function | undefined
  /** The same, where what it captures goes with each call. */
  readonly #captures: Function | undefined
  readonly #options: TaskOptions
  readonly #compiled: CompiledOptions
  readonly #generates: boolean
  /** Of the working folder that it asks for, where it came as a value. */
  readonly #folder: RefTuple | undefined
  /** The template of the runtime that was there at the last call. */
  #template: { readonly runtime: ProcessRuntime; readonly template: TaskTemplate } | undefined

  /** Use `remote`. */
  constructor(definition: FunctionDefinition, options: TaskOptions, fn?: Function, along: Along = {}) {
    this.#definition = along.pack === undefined ? definition : withPack(definition, along.pack)
    this.#folder = along.folder
    this.#fn = fn
    this.#captures = definition.source.kind === 'closure' ? fn : undefined
    this.#options = options
    const caller = `remote(${definition.name}).options`
    this.#compiled = compileOptions(options, caller)
    this.#generates = this.#compiled.streaming || (fn !== undefined && types.isGeneratorFunction(fn))
    if (this.#generates && this.#compiled.numReturns > 1)
      throw new TypeError(`${caller}: a generator has no numReturns; each of its items gets a ref of its own`)
    if (options.runtimeEnv !== undefined) compileRuntimeEnv(options.runtimeEnv, caller)
  }

  get name(): string {
    return this.#compiled.name ?? this.#definition.name
  }

  static {
    // Captured, or an argument, it is the same function with the same options there. A declaration cannot name the symbol.
    Object.defineProperty(this.prototype, madeAgain, {
      value(this: RemoteFunction<unknown[], unknown>): MakingCall {
        return this.#made()
      },
    })
  }

  #made(): MakingCall {
    const { source } = this.#definition
    const args: [string, unknown][] =
      source.kind === 'module'
        ? [
            ['module', source.url],
            ['export', source.exportName],
          ]
        : [['function', this.#fn]]
    args.push(['options', this.#options])
    const along = goingAlong(this.#definition, this.#options.runtimeEnv, this.#folder)
    // The fourth, as below.
    if (along !== undefined)
      args.push(...Array<[string, unknown]>(3 - args.length).fill(['', undefined]), ['what goes along', along])
    return { module: 'outpool:lib/index.js', exportName: 'remote', args }
  }

  /** The same function with other options; those not named stay as they are. */
  options(options: TaskOptions & { readonly numReturns?: 1 }): RemoteFunction<A, R>
  options(options: TaskOptions): RemoteFunction<A, R>
  options(options: TaskOptions): RemoteFunction<A, R> {
    checkTaskOptions(options, `remote(${this.#definition.name}).options`)
    const all = { ...this.#options, ...options }
    return new RemoteFunction<A, R>(this.#definition, all, this.#fn, this.#folder && { folder: this.#folder })
  }

  /**
   * Submits a call and returns the ref of its result at once; of a generator, an async iterable of the refs of its items.
   * Arguments are taken as they are now.
   * @throws SerializationError for an argument that cannot travel, FunctionCaptureError for such a captured variable,
   * BackPressureError when too much is queued.
   */
  remote(...args: RemoteArguments<A>): RemoteResult<R> {
    if (this.#generates) {
      const runtime = ensureRuntime()
      return new ObjectRefGenerator(this.#generate(runtime, args), this.name, runtime) as RemoteResult<R>
    }
    const [ref] = this.#submit(args)
    return ref as unknown as RemoteResult<R>
  }

  /** As `remote`, for a function with `numReturns` above 1: a ref for each element of the array that it returns. */
  remoteMany(...args: RemoteArguments<A>): ObjectRef[] {
    if (this.#generates) throw new TypeError(`${this.name} is a generator: \`for await\` over .remote() gives its refs`)
    return this.#submit(args)
  }

  /**
   * Submits a call and resolves to its value, for people who need no ref; of a generator, an async iterable of its values,
   * which throws what `remote` does.
   */
  run(...args: RemoteArguments<A>): RunResult<R> {
    const runtime = ensureRuntime()
    if (this.#generates) return new ValueGenerator(this.#generate(runtime, args), runtime) as RunResult<R>
    return this.#run(runtime, args) as RunResult<R>
  }

  #run(runtime: ProcessRuntime, args: readonly unknown[]): Promise<unknown> {
    const { signal } = this.#compiled
    if (this.#compiled.numReturns > 1) return Promise.all(this.#submit(args).map((ref) => ref.get()))
    if (signal === undefined && this.#captures === undefined) return runtime.owner.run(this.#templateFor(runtime), args)
    return this.#runWith(runtime, signal, args)
  }

  #generate(runtime: ProcessRuntime, args: readonly unknown[]): OwnedGenerator {
    const { signal } = this.#compiled
    if (signal?.aborted === true) throw abortError(signal)
    const generator = runtime.owner.generate(this.#templateFor(runtime), this.#argumentsOf(runtime, args))
    if (signal !== undefined) generator.whenEnded(cancelOn(signal, runtime, generator.number))
    return generator
  }

  #runWith(runtime: ProcessRuntime, signal: AbortSignal | undefined, args: readonly unknown[]): Promise<unknown> {
    let all: readonly unknown[]
    try {
      all = this.#argumentsOf(runtime, args)
    } catch (error) {
      // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- it is what was thrown
      return Promise.reject(error)
    }
    if (signal === undefined) return runtime.owner.run(this.#templateFor(runtime), all)
    if (signal.aborted) return Promise.reject(abortError(signal))
    let watch: (() => void) | undefined
    const running = runtime.owner.run(this.#templateFor(runtime), all, (number) => {
      watch = cancelOn(signal, runtime, number)
    })
    return running.finally(() => watch?.())
  }

  #submit(args: readonly unknown[]): ObjectRef[] {
    const runtime = ensureRuntime()
    const { signal } = this.#compiled
    if (signal?.aborted === true) throw abortError(signal)
    const tuples = runtime.owner.submit(this.#templateFor(runtime), this.#argumentsOf(runtime, args))
    const refs = tuples.map((tuple) => new ObjectRef(tuple, this.name, runtime))
    if (signal !== undefined) this.#bindSignal(signal, runtime, tuples[0] as RefTuple)
    return refs
  }

  /** With what the function captures now. */
  #argumentsOf(runtime: ProcessRuntime, args: readonly unknown[]): readonly unknown[] {
    if (this.#captures === undefined) return args
    return captureCall(runtime, this.#captures, args, { caller: 'remote', runtimeEnv: this.#options.runtimeEnv })
  }

  #bindSignal(signal: AbortSignal, runtime: ProcessRuntime, tuple: RefTuple): void {
    const unbind = cancelOn(signal, runtime, tuple[1])
    runtime.owner.values.watch(tuple, unbind, false)
  }

  #templateFor(runtime: ProcessRuntime): TaskTemplate {
    if (this.#template?.runtime === runtime) return this.#template.template
    const { resources, priority, maxRetries, numReturns, retryExceptions, timeoutMs } = this.#compiled
    const { owner } = runtime
    const { definition, environment } = carry(runtime, this.#definition, this.#options.runtimeEnv, this.#folder)
    const classIndex = owner.defineClass({ kind: 'task', resources, strategy: null, priority, environment })
    const mode = this.#generates ? 'generate' : 'call'
    const body = { kind: 'task', mode, name: this.name, definition: definition.bytes } as const
    const template = owner.defineTemplate(
      { ...body, job: runtime.job, environment, numReturns, maxRetries },
      { classIndex, retryExceptions, timeoutMs },
    )
    this.#template = { runtime, template }
    return template
  }
}

function cancelOn(signal: AbortSignal, runtime: ProcessRuntime, number: number): () => void {
  return onAbort(signal, () => {
    runtime.owner.cancel(number, {
      reason: `its signal was aborted: ${String(signal.reason)}`,
      force: false,
      recursive: true,
    })
  })
}

function abortError(signal: AbortSignal): TaskCancelledError {
  return new TaskCancelledError('the task was not submitted: its signal is aborted already', { cause: signal.reason })
}

type AnyFunction<A extends unknown[], R> = (...args: A) => R

/**
 * Makes a function remote.
 *
 * - `remote(fn, options?)`: a function; what it captures is read at each call and goes along.
 * - `remote(url, 'exportName', options?)`: an export of a module, which goes along with what it imports.
 *
 * Calls of a generator function give its items one by one. Of an export of a module that has to be said:
 * `numReturns: 'streaming'`.
 *
 * @throws FunctionCaptureError for a function that cannot travel, by what it uses; for values, when it is called.
 * @example
 * const add = remote((a: number, b: number) => a + b)
 * console.log(await add.run(1, 2)) // 3
 */
export function remote<A extends unknown[], R>(fn: AnyFunction<A, R>, options?: TaskOptions): RemoteFunction<A, R>
export function remote<F extends (...args: never[]) => unknown = (...args: unknown[]) => AsyncGenerator>(
  module: string | URL,
  exportName: string,
  options: TaskOptions & { readonly numReturns: 'streaming' },
): RemoteFunction<Parameters<F>, ReturnType<F>>
export function remote<F extends (...args: never[]) => unknown = (...args: unknown[]) => unknown>(
  module: string | URL,
  exportName: string,
  options?: TaskOptions,
): RemoteFunction<Parameters<F>, ReturnType<F>>
export function remote(
  target: AnyFunction<unknown[], unknown> | string | URL,
  nameOrOptions?: string | TaskOptions,
  options: TaskOptions = {},
  /** Of one that was a value, and is made again here. */
  along?: unknown,
): RemoteFunction<unknown[], unknown> {
  if (typeof target === 'string' || target instanceof URL) {
    if (typeof nameOrOptions !== 'string')
      throw new TypeError(`remote(${String(target)}): name the export: remote(url, 'exportName')`)
    return new RemoteFunction(moduleExport(target, nameOrOptions), options, undefined, arrived(along))
  }
  if (typeof target !== 'function')
    throw new TypeError(
      `remote: expected a function, or a module's URL and the name of an export, not ${given(target)}`,
    )
  if (typeof nameOrOptions === 'string')
    throw new TypeError('remote: the name of an export goes with a URL, not with a function')
  return new RemoteFunction(defineFunction(target), nameOrOptions ?? {}, target, arrived(along))
}

/** What reads that is loaded with the first call, not with the first function. */
function arrived(along: unknown): Along | undefined {
  return along === undefined ? undefined : cameAlong(along)
}
