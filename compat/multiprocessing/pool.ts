import { checkNames } from '../../lib/options.ts'
import { explainSymbol } from '../../lib/explain-symbol.ts'
import { takeCaptures, type Callable } from '../../lib/pinned.ts'
import { queueMicrotask, setImmediate } from '../../lib/timers.ts'
import { checkCallable, checkCallback, type FunctionOf } from '../shared/callable.ts'
import { checkInput, checkTuples, chunksOf, defaultChunkSize, isAsyncIterable, isIterable } from '../shared/chunks.ts'
import { AsyncResult, type Callback, type ErrorCallback, type ResultSettler } from './async-result.ts'
import { ValueError } from '../shared/python-errors.ts'
import { PoolTerminatedError } from './errors.ts'
import type { Entry } from './imap-buffer.ts'
import { IMapIterator, type ImapHost } from './imap-iterator.ts'
import { collect, type OpenInput } from './inputs.ts'
import { MapResults, type ResultKind } from './map-results.ts'
import { checkChunkSize, compilePoolOptions, type PoolOptions } from './pool-options.ts'
import type { ChunkAnswer } from '../shared/chunk-answer.ts'
import { PoolRunner, type ChunkMode, type PoolRunnerReport } from '../shared/pool-runner.ts'
import { type Items, wordsOf } from '../shared/words.ts'

type Input<T> = Iterable<T> | AsyncIterable<T>

/** Arguments by name. JavaScript has none: they arrive as one object behind the positional arguments. */
export type KeywordArguments = Readonly<Record<string, unknown>>

/** How `mapAsync` and `starmapAsync` may be told more than the function and the input. */
export interface MapAsyncOptions<R> {
  readonly chunksize?: number | null | undefined
  /** Called with all results when every item went well. */
  readonly callback?: Callback<R[]> | null | undefined
  /** Called with the error when one failed. */
  readonly errorCallback?: ErrorCallback | null | undefined
}

export interface ApplyAsyncOptions<R> {
  readonly callback?: Callback<R> | null | undefined
  readonly errorCallback?: ErrorCallback | null | undefined
}

/** What `explain(pool)` tells. */
export interface PoolReport extends PoolRunnerReport {
  readonly kind: 'multiprocessing.Pool'
}

/**
 * Python's `multiprocessing.Pool`, on this machine or on a cluster. **A chunk whose worker or node dies is run again
 * (at least once, up to three times more)**; an error that the function throws is never a reason to run it again.
 *
 * What blocks in Python gives a promise here: `map starmap apply` and `join`. Idle workers take the next chunk.
 */
export class Pool implements AsyncDisposable {
  readonly #runner: PoolRunner
  /** Inputs that are still being read; the pool closes behind them. */
  readonly #inputs = new Set<OpenInput>()
  #state: 'RUN' | 'CLOSE' | 'TERMINATE' = 'RUN'
  /** Of the last map that went well. */
  #lastKind: ResultKind | undefined

  constructor(
    processes?: number | null,
    initializer?: Callable | null,
    initargs?: Iterable<unknown> | null,
    maxtasksperchild?: number | null,
  )
  constructor(options: PoolOptions)
  constructor(
    first?: number | null | PoolOptions,
    initializer?: Callable | null,
    initargs?: Iterable<unknown> | null,
    maxtasksperchild?: number | null,
  ) {
    const options =
      typeof first === 'object' && first !== null
        ? first
        : { processes: first, initializer, initargs, maxtasksperchild }
    this.#runner = new PoolRunner({
      ...compilePoolOptions(options),
      terminated: (what) => new PoolTerminatedError(what),
    })
  }

  /** `fn(...args)` on a worker. */
  async apply<A extends readonly unknown[], R>(
    fn: FunctionOf<A, R>,
    args?: A | null,
    kwds?: KeywordArguments | null,
  ): Promise<R> {
    return this.applyAsync(fn, args, kwds)
  }

  /** As `apply`, without waiting. */
  applyAsync<A extends readonly unknown[], R>(
    fn: FunctionOf<A, R>,
    args?: A | null,
    kwds?: KeywordArguments | null,
    callback?: Callback<R> | ApplyAsyncOptions<R> | null,
    errorCallback?: ErrorCallback | null,
  ): AsyncResult<R> {
    this.#check(fn)
    checkInput(args ?? [], 'apply: args')
    const call = [
      ...(args ?? []),
      ...(kwds === undefined || kwds === null || Object.keys(kwds).length === 0 ? [] : [kwds]),
    ]
    const start = (settle: ResultSettler<R>): void => {
      const answered = ({ values, failures }: ChunkAnswer): void => {
        const failure = failures[0]
        if (failure === undefined) settle.resolve(values[0] as R)
        else settle.reject(failure[1])
      }
      const failed = (error: unknown): void => settle.reject(error)
      withCaptures(fn, failed, (taken) =>
        this.#runner.submit({ fn: taken, items: [call], mode: 'starmap', answered, failed }),
      )
    }
    const options = typeof callback === 'object' && callback !== null ? callback : { callback, errorCallback }
    checkOptions(options, applyNames, 'applyAsync')
    return new AsyncResult(start, options.callback, options.errorCallback)
  }

  /** `fn(item)` for each item, in the order of the input. Rejects when all chunks are done, with the first error that came. */
  async map<T, R>(fn: FunctionOf<[item: T], R>, iterable: Input<T>, chunksize?: number | null): Promise<R[]> {
    return this.mapAsync(fn, iterable, chunksize)
  }

  /** As `map`, without waiting. */
  mapAsync<T, R>(
    fn: FunctionOf<[item: T], R>,
    iterable: Input<T>,
    chunksize?: number | null | MapAsyncOptions<R>,
    callback?: Callback<R[]> | null,
    errorCallback?: ErrorCallback | null,
  ): AsyncResult<R[]> {
    return this.#mapAsync('map', fn, iterable, mapOptions(chunksize, callback, errorCallback))
  }

  /** `fn(...item)` for each item: an item is a list of arguments. */
  async starmap<A extends readonly unknown[], R>(
    fn: FunctionOf<A, R>,
    iterable: Input<A>,
    chunksize?: number | null,
  ): Promise<R[]> {
    return this.starmapAsync(fn, iterable, chunksize)
  }

  /** As `starmap`, without waiting. */
  starmapAsync<A extends readonly unknown[], R>(
    fn: FunctionOf<A, R>,
    iterable: Input<A>,
    chunksize?: number | null | MapAsyncOptions<R>,
    callback?: Callback<R[]> | null,
    errorCallback?: ErrorCallback | null,
  ): AsyncResult<R[]> {
    return this.#mapAsync('starmap', fn, iterable, mapOptions(chunksize, callback, errorCallback))
  }

  /**
   * The results one by one, in the order of the input. Work starts with the call; the input is read as results are
   * taken, four chunks for each worker ahead. `next()` rejects at an item that failed and goes on behind it.
   */
  imap<T, R>(fn: FunctionOf<[item: T], R>, iterable: Input<T>, chunksize: number = 1): IMapIterator<T, R> {
    return this.#imap(true, fn, iterable, chunksize)
  }

  /** As `imap`, in the order in which results come. */
  imapUnordered<T, R>(fn: FunctionOf<[item: T], R>, iterable: Input<T>, chunksize: number = 1): IMapIterator<T, R> {
    return this.#imap(false, fn, iterable, chunksize)
  }

  /** Takes nothing more; the workers end when all is done. */
  close(): void {
    if (this.#state !== 'RUN') return
    this.#state = 'CLOSE'
    // What was given before is done: a lazily read input is now read to its end, as Python has it from the start.
    for (const input of Array.from(this.#inputs)) input.pull()
    if (this.#inputs.size === 0) this.#runner.close()
  }

  /**
   * Ends the workers now, and closes inputs that are still being read. Results that were still to come reject with
   * `PoolTerminatedError`. Resolves when every process is gone.
   */
  terminate(): Promise<void> {
    this.#state = 'TERMINATE'
    const ended = this.#runner.terminate()
    const inputs = Array.from(this.#inputs)
    this.#inputs.clear()
    for (const input of inputs)
      input.terminated(new PoolTerminatedError('The pool was terminated before this input was read to its end'))
    return ended
  }

  /** Waits until the workers are gone. Only after `close` or `terminate`. */
  async join(): Promise<void> {
    if (this.#state === 'RUN') throw new ValueError('Pool is still running')
    await this.#runner.finished
  }

  /** `await using pool = new Pool()` terminates, as Python's `with` does. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.terminate()
  }

  static {
    // `explain(pool)` asks for it by a symbol, which a declaration file cannot name here.
    Object.defineProperty(Pool.prototype, explainSymbol, {
      value(this: Pool): PoolReport {
        return { kind: 'multiprocessing.Pool', ...this.#runner.report() }
      },
    })
  }

  #check(fn: unknown): void {
    if (this.#state !== 'RUN') throw new ValueError('Pool not running')
    checkCallable(fn)
  }

  #mapAsync<T, R>(
    mode: 'map' | 'starmap',
    fn: Callable,
    iterable: Input<T>,
    options: MapAsyncOptions<R>,
  ): AsyncResult<R[]> {
    this.#check(fn)
    checkOptions(options, mapNames, `${mode}Async`)
    const chunksize = checkChunkSize(options.chunksize, mode)
    checkInput(iterable, mode)
    // Synchronous input is read now: what the caller does with it afterwards does not matter.
    const items = isIterable(iterable) ? ((mode === 'map' ? wordsOf(iterable) : undefined) ?? [...iterable]) : iterable
    const start = (settle: ResultSettler<R[]>): void => {
      const failed = (error: unknown): void => settle.reject(error)
      withCaptures(fn, failed, (taken) => {
        const leaving = new AbortController()
        const terminated = (error: Error): void => {
          failed(error)
          leaving.abort(error)
        }
        const inputRead = this.#openInput({ pull: () => undefined, terminated })
        this.#cut(mode, items, chunksize, leaving.signal)
          .then((chunks) => this.#submitMap({ mode, fn: taken, chunks }, settle), failed)
          .catch(failed)
          .finally(inputRead)
      })
    }
    return new AsyncResult(start, options.callback, options.errorCallback)
  }

  async #cut(
    mode: 'map' | 'starmap',
    input: Items | AsyncIterable<unknown>,
    chunksize: number | undefined,
    leaving: AbortSignal,
  ): Promise<readonly Items[]> {
    const items = isAsyncIterable(input) ? await collect(input, leaving) : input
    if (mode === 'starmap') checkTuples(items)
    if (items.length === 0) return []
    return [...chunksOf(items, chunksize ?? defaultChunkSize(items.length, await this.#runner.whenSized()))]
  }

  #submitMap<R>(job: { mode: ChunkMode; fn: Callable; chunks: readonly Items[] }, settle: ResultSettler<R[]>): void {
    const results = new MapResults(job.chunks)
    const started = this.#ahead(results)
    let left = job.chunks.length
    let failure: readonly [error: unknown] | undefined
    const chunkOver = (): void => {
      if (--left > 0) return
      // As in Python, an error is told when every chunk is done: nothing of this call runs on behind it.
      if (failure !== undefined) return settle.reject(failure[0])
      this.#lastKind = results.kind
      settle.resolve(results.all() as R[])
    }
    if (left === 0) settle.resolve([])
    job.chunks.forEach((items, index) => {
      const answered = ({ values, failures }: ChunkAnswer): void => {
        const first = failures[0]
        if (first === undefined) results.put(index, values)
        else failure ??= [first[1]]
        chunkOver()
      }
      const failed = (error: unknown): void => {
        failure ??= [error]
        chunkOver()
      }
      const many = results.copies && items.length >= leastLent ? { readsAtOnce: true, started } : undefined
      this.#runner.submit({ fn: job.fn, items, mode: job.mode, answered, failed, ...many })
    })
  }

  /** What to call when a worker has begun: while the first chunks are worked on there is time to make the array. */
  #ahead(results: MapResults): () => void {
    const kind = this.#lastKind
    let isBegun = kind === undefined || kind === 'values' || !results.areMany
    return () => {
      if (isBegun) return
      isBegun = true
      // Not before what the workers are sent is on its way.
      setImmediate(() => setImmediate(() => results.makeAhead(kind as ResultKind)))
    }
  }

  #imap<T, R>(
    ordered: boolean,
    fn: FunctionOf<[item: T], R>,
    iterable: Input<T>,
    chunksize: number,
  ): IMapIterator<T, R> {
    this.#check(fn)
    const chunkSize = checkChunkSize(chunksize, ordered ? 'imap' : 'imapUnordered') ?? 1
    checkInput(iterable, ordered ? 'imap' : 'imapUnordered')
    let taken: Callable = fn
    let refused: readonly [error: unknown] | undefined
    withCaptures(
      fn,
      (error) => (refused = [error]),
      (now) => (taken = now),
    )
    const host: ImapHost<T, R> = {
      submit: (items, settle) => {
        const failed = (error: unknown): void => settle(items.map(() => ({ ok: false, error })))
        const answered = (answer: ChunkAnswer): void => settle(entriesOf<R>(answer))
        if (refused === undefined) return this.#runner.submit({ fn: taken, items, mode: 'each', answered, failed })
        const [error] = refused
        queueMicrotask(() => failed(error))
        return () => undefined
      },
      window: () => this.#window(),
      opened: (input) => this.#openInput(input),
    }
    return new IMapIterator(iterable, host, { ordered, chunkSize })
  }

  #window(): number {
    if (this.#state === 'TERMINATE') return 0
    return this.#state === 'CLOSE' ? Infinity : 4 * Math.max(1, this.#runner.processes)
  }

  #openInput(input: OpenInput): () => void {
    this.#inputs.add(input)
    return () => {
      if (this.#inputs.delete(input) && this.#inputs.size === 0 && this.#state === 'CLOSE') this.#runner.close()
    }
  }
}

/** The results of a chunk of fewer travel in its answer, where they are numbers. */
const leastLent = 8192

function mapOptions<R>(
  chunksize: number | null | undefined | MapAsyncOptions<R>,
  callback: Callback<R[]> | null | undefined,
  errorCallback: ErrorCallback | null | undefined,
): MapAsyncOptions<R> {
  return typeof chunksize === 'object' && chunksize !== null ? chunksize : { chunksize, callback, errorCallback }
}

const applyNames = ['callback', 'errorCallback']
const mapNames = ['chunksize', ...applyNames]

/** Throws TypeError for an option that does not exist, and for a callback that is none, before anything is started. */
function checkOptions(
  options: { readonly callback?: unknown; readonly errorCallback?: unknown },
  names: readonly string[],
  call: string,
): void {
  checkNames(options, names, call)
  checkCallback(options.callback, `${call}: callback`)
  checkCallback(options.errorCallback, `${call}: errorCallback`)
}

function entriesOf<R>({ values, failures }: ChunkAnswer): Entry<R>[] {
  const entries = Array.from(values, (value): Entry<R> => ({ ok: true, value: value as R }))
  for (const [index, error] of failures) entries[index] = { ok: false, error }
  return entries
}

/** Goes on with the function and what it captures now: all chunks of a call are of that moment. */
function withCaptures(fn: Callable, failed: (error: unknown) => void, then: (taken: Callable) => void): void {
  let taken: Callable
  try {
    taken = takeCaptures(fn, 'Pool')
  } catch (error) {
    failed(error)
    return
  }
  then(taken)
}
