import { checkNames } from '../../lib/options.ts'
import { explainSymbol } from '../../lib/explain-symbol.ts'
import { takeCaptures, type Callable } from '../../lib/pinned.ts'
import { checkCallable, isCallable, type FunctionOf } from '../shared/callable.ts'
import { argumentsOf, checkWorker, notInteger } from '../shared/worker-options.ts'
import { chunksOf } from '../shared/chunks.ts'
import { PoolRunner, type ChunkFailure, type PoolRunnerOptions, type PoolRunnerReport } from '../shared/pool-runner.ts'
import type { ChunkAnswer } from '../shared/chunk-answer.ts'
import type { Items } from '../shared/words.ts'
import { TimeoutError, ValueError } from '../shared/python-errors.ts'
import { BrokenProcessPool, CancelledError, RuntimeError } from './errors.ts'
import { Future } from './future.ts'

export interface ExecutorOptions {
  /**
   * How many workers. Default: one for each CPU of the cluster (of this machine without an address), and it follows the
   * cluster.
   */
  readonly maxWorkers?: number | null | undefined
  /** Runs once in each worker before its first call; may set state of the modules there. */
  readonly initializer?: Callable | null | undefined
  /** The initializer's arguments. */
  readonly initargs?: Iterable<unknown> | null | undefined
  /** A worker is replaced after so many calls. Default: never. */
  readonly maxTasksPerChild?: number | null | undefined
  /** Outpool: CPUs that each worker holds. Default 1, or an equal share where `maxWorkers` is more than there are. */
  readonly numCpus?: number | undefined
  /** Outpool: other resources that each worker holds. */
  readonly resources?: Readonly<Record<string, number>> | undefined
  /** Outpool: a name for `explain` and for log lines. */
  readonly name?: string | undefined
}

export interface MapOptions {
  /** Seconds from the call of `map` in which each result must be there. Default: as long as it takes. */
  readonly timeout?: number | null | undefined
  /** How many calls go to a worker at once. Default 1. */
  readonly chunksize?: number | undefined
}

export interface ShutdownOptions {
  /** Whether the promise waits until all futures are done and the workers are gone. Default true. */
  readonly wait?: boolean | undefined
  /** Cancels what has not started. Default false. */
  readonly cancelFutures?: boolean | undefined
}

/** What `explain(executor)` tells. */
export interface ExecutorReport extends PoolRunnerReport {
  readonly kind: 'executor'
}

const optionNames = ['maxWorkers', 'initializer', 'initargs', 'maxTasksPerChild', 'numCpus', 'resources', 'name']

/**
 * Python's `concurrent.futures.ProcessPoolExecutor`, on this machine or, with an address, on a cluster. A call starts at
 * most once: when its worker or node dies its future fails with `BrokenProcessPool`, and the executor goes on.
 *
 * @example
 * await using executor = new Executor(4)
 * const future = executor.submit((a: number, b: number) => a + b, 1, 2)
 * console.log(await future.result()) // 3
 * for await (const square of executor.map((n: number) => n * n, [1, 2, 3])) console.log(square)
 */
export class Executor implements AsyncDisposable {
  readonly #options: PoolRunnerOptions
  /** Workers start with the first call, as in Python. */
  #runner: PoolRunner | undefined
  #isShutDown = false
  #broken: BrokenProcessPool | undefined
  readonly #pending = new Set<Future>()

  constructor(maxWorkers?: number | null)
  constructor(options: ExecutorOptions)
  constructor(first?: number | null | ExecutorOptions) {
    const options = typeof first === 'object' && first !== null ? first : { maxWorkers: first }
    this.#options = compileExecutorOptions(options)
  }

  /**
   * `fn(...args)` on a worker.
   * @throws RuntimeError after `shutdown`; BrokenProcessPool when no worker could be set up.
   */
  submit<A extends readonly unknown[], R>(fn: FunctionOf<A, R>, ...args: A): Future<R> {
    return this.#submit<R>(fn, [args], ([value]) => value as R)
  }

  /**
   * The results of `fn(...items)`, with one item of each of the iterables, up to the shortest; in their order. Calls
   * start at once. `next` rejects at the first that failed, and that is the end; what has not started then, or when the
   * loop is left, is cancelled.
   */
  map<T, R>(fn: FunctionOf<[item: T], R>, items: Iterable<T>, options?: MapOptions): AsyncIterableIterator<R>
  map<A extends readonly unknown[], R>(
    fn: FunctionOf<A, R>,
    ...iterables: [...{ [K in keyof A]: Iterable<A[K]> }, options?: MapOptions]
  ): AsyncIterableIterator<R>
  map(fn: Callable, ...rest: readonly unknown[]): AsyncIterableIterator<unknown> {
    const last = rest.at(-1)
    const hasOptions = rest.length > 1 && (last === undefined || (typeof last === 'object' && !isIterable(last)))
    const options = (hasOptions ? (last ?? {}) : {}) as MapOptions
    checkNames(options, ['timeout', 'chunksize'], 'map')
    const { timeout, chunksize = 1 } = options
    if (!(Number.isInteger(chunksize) && chunksize >= 1)) throw new ValueError('chunksize must be >= 1.')
    const calls = zip((hasOptions ? rest.slice(0, -1) : rest) as Iterable<unknown>[])
    const endMs = timeout === undefined || timeout === null ? Infinity : performance.now() + timeout * 1000
    const futures = [...chunksOf(calls, chunksize)].map((chunk) => this.#submit<Items>(fn, chunk, (values) => values))
    return results(futures, endMs)
  }

  /**
   * Takes nothing more. By default resolves when all futures are done and the workers are gone; with `wait: false` at
   * once, and the same goes on behind it.
   */
  async shutdown(options: ShutdownOptions = {}): Promise<void> {
    checkNames(options, ['wait', 'cancelFutures'], 'shutdown')
    const { wait = true, cancelFutures = false } = options
    this.#isShutDown = true
    if (cancelFutures) for (const future of this.#pending) future.cancel()
    this.#runner?.close()
    if (wait) await this.#runner?.finished
  }

  /** `await using executor = new Executor()` shuts it down, as Python's `with` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown()
  }

  static {
    // `explain(executor)` asks for it by a symbol, which a declaration file cannot name here.
    Object.defineProperty(Executor.prototype, explainSymbol, {
      value(this: Executor): ExecutorReport {
        const idle: PoolRunnerReport = {
          processes: this.#options.processes ?? 0,
          reruns: 0,
          rerunItems: 0,
          workers: [],
        }
        return { kind: 'executor', ...(this.#runner?.report() ?? idle) }
      },
    })
  }

  #submit<R>(fn: Callable, calls: readonly unknown[][] | readonly unknown[], take: (values: Items) => R): Future<R> {
    if (this.#broken !== undefined) throw this.#broken
    if (this.#isShutDown) throw new RuntimeError('cannot schedule new futures after shutdown')
    checkCallable(fn)
    const runner = (this.#runner ??= new PoolRunner(this.#options))
    let taken: Callable
    try {
      taken = takeCaptures(fn, 'submit')
    } catch (error) {
      return new Future<R>((settler) => {
        settler.reject(error)
        return () => false
      })
    }
    const future: Future<R> = new Future<R>((settler) =>
      runner.submit({
        fn: taken,
        items: calls,
        mode: 'starmap',
        started: () => settler.running(),
        answered: ({ values, failures }: ChunkAnswer) => {
          const failure = failures[0]
          if (failure === undefined) settler.resolve(take(values))
          else settler.reject(failure[1])
        },
        failed: (error, why) => settler.reject(this.#failure(error, why)),
      }),
    )
    this.#pending.add(future)
    future.addDoneCallback(() => this.#pending.delete(future))
    return future
  }

  #failure(error: unknown, why: ChunkFailure): unknown {
    if (why === 'lost') {
      return new BrokenProcessPool(`The worker ended abruptly while the future was running: ${messageOf(error)}`, {
        cause: error,
      })
    }
    if (why !== 'start') return error
    this.#broken ??= new BrokenProcessPool(
      `No worker could be set up, the executor is not usable anymore: ${messageOf(error)}`,
      {
        cause: error,
      },
    )
    return this.#broken
  }
}

function compileExecutorOptions(options: ExecutorOptions): PoolRunnerOptions {
  checkNames(options, optionNames, 'Executor')
  const { numCpus, resources, name } = options
  checkWorker(options, 'Executor')
  const processes = options.maxWorkers ?? undefined
  if (processes !== undefined && !(Number.isInteger(processes) && processes >= 1))
    throw new ValueError(`max_workers must be greater than 0${notInteger(processes)}`)
  const initializer = options.initializer ?? undefined
  if (initializer !== undefined && !isCallable(initializer)) throw new TypeError('initializer must be a callable')
  const maxTasksPerChild = options.maxTasksPerChild ?? undefined
  if (maxTasksPerChild !== undefined && !Number.isInteger(maxTasksPerChild))
    throw new TypeError('max_tasks_per_child must be an integer')
  if (maxTasksPerChild !== undefined && maxTasksPerChild < 1) throw new ValueError('max_tasks_per_child must be >= 1')
  return {
    ...{
      processes,
      initializer,
      initargs: argumentsOf(options.initargs, 'Executor: initargs'),
      maxTasksPerChild,
      numCpus,
      resources,
      name,
    },
    kind: 'the Executor',
    maxReruns: 0,
    terminated: (what) => new CancelledError(what),
  }
}

/** Tuples of one item from each, up to the shortest. */
function zip(iterables: readonly Iterable<unknown>[]): unknown[][] {
  for (const [i, iterable] of iterables.entries())
    if (!isIterable(iterable)) throw new TypeError(`map: argument ${i + 2} is not iterable`)
  const calls: unknown[][] = []
  const iterators = iterables.map((iterable) => iterable[Symbol.iterator]())
  while (iterators.length > 0) {
    const call: unknown[] = []
    for (const iterator of iterators) {
      const step = iterator.next()
      if (step.done === true) return calls
      call.push(step.value)
    }
    calls.push(call)
  }
  return calls
}

async function* results(futures: readonly Future<Items>[], endMs: number): AsyncGenerator<unknown> {
  try {
    for (const future of futures) {
      const leftMs = Math.max(0, endMs - performance.now())
      let values: Items
      try {
        values = await future.result(leftMs / 1000)
      } catch (error) {
        if (error instanceof TimeoutError && !future.done())
          throw new TimeoutError('map: a result was not there within the timeout; calls that run go on', {
            cause: error,
          })
        throw error
      }
      yield* values
    }
  } finally {
    for (const future of futures) future.cancel()
  }
}

function isIterable(value: unknown): value is Iterable<unknown> {
  return typeof (value as Partial<Iterable<unknown>> | null | undefined)?.[Symbol.iterator] === 'function'
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
