import { TimeoutError } from '../shared/python-errors.ts'
import { refusedTimeout, withTimeout } from '../shared/with-timeout.ts'
import { ImapBuffer, type Entry } from './imap-buffer.ts'
import { closeSource, type OpenInput } from './inputs.ts'
import { isAsyncIterable } from '../shared/chunks.ts'

/** What the iterator needs of its pool. */
export interface ImapHost<T, R> {
  /** Runs a chunk; `settle` is called once, with an entry for each item. Returns how to say that nobody wants it. */
  submit(items: readonly T[], settle: (entries: readonly Entry<R>[]) => void): () => void
  /** So many chunks may be ahead of the reader at once. */
  window(): number
  /** The input is being read. Returns what is called when it is at its end, or left. */
  opened(input: OpenInput): () => void
}

export interface ImapOptions {
  readonly ordered: boolean
  readonly chunkSize: number
}

interface Reader<R> {
  resolve(result: IteratorResult<R, undefined>): void
  reject(error: unknown): void
}

/**
 * What `imap` and `imapUnordered` give: an async iterator whose `next` rejects at the item that failed and goes on
 * behind it when it is called again. The input is read as results are taken, a window of chunks ahead.
 */
export class IMapIterator<T, R> implements AsyncIterableIterator<R> {
  readonly #host: ImapHost<T, R>
  readonly #chunkSize: number
  readonly #source: Iterator<T> | AsyncIterator<T>
  readonly #async: boolean
  readonly #buffer: ImapBuffer<R>
  /** By the number of their turn; those that left are missing. */
  readonly #readers = new Map<number, Reader<R>>()
  #nextTurn = 0
  #turns = 0
  readonly #abandon = new Map<number, () => void>()
  #submitted = 0
  #pulling = false
  /** Nothing more is read: it is at its end, or was left. */
  #inputEnded = false
  #inputLeft = false
  #stopped = false
  readonly #closeInput: () => void

  constructor(input: Iterable<T> | AsyncIterable<T>, host: ImapHost<T, R>, options: ImapOptions) {
    this.#host = host
    this.#chunkSize = options.chunkSize
    this.#buffer = new ImapBuffer(options.ordered)
    this.#async = isAsyncIterable(input)
    this.#source = isAsyncIterable(input) ? input[Symbol.asyncIterator]() : input[Symbol.iterator]()
    const closed = host.opened({ pull: () => this.#pull(), terminated: (error) => this.#terminated(error) })
    let open = true
    this.#closeInput = () => {
      if (open) closed()
      open = false
    }
    this.#pull()
  }

  /** The next result; `timeout` in seconds rejects with `TimeoutError`, and the result is there for a later call. */
  next(timeout?: number): Promise<IteratorResult<R, undefined>> {
    // Before it takes its place among the readers: it would take a result.
    const refused = refusedTimeout(timeout)
    if (refused !== undefined) return Promise.reject(refused)
    const waiting = this.#read()
    return withTimeout(waiting.promise, timeout, (seconds) => {
      waiting.leave()
      throw new TimeoutError(`The next result was not there after ${seconds} s`)
    })
  }

  /** Stops reading the input; chunks that have not started will not run. */
  async return(): Promise<IteratorResult<R, undefined>> {
    if (!this.#stopped) {
      this.#stopped = true
      this.#closeInput()
      for (const abandon of this.#abandon.values()) abandon()
      this.#abandon.clear()
      for (const reader of this.#readers.values()) reader.resolve({ done: true, value: undefined })
      this.#readers.clear()
      await this.#leaveInput()
    }
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #read(): { promise: Promise<IteratorResult<R, undefined>>; leave: () => void } {
    const { promise, resolve, reject } = withResolvers<IteratorResult<R, undefined>>()
    const turn = this.#turns++
    this.#readers.set(turn, { resolve, reject })
    this.#deliver()
    return { promise, leave: () => this.#readers.delete(turn) }
  }

  #takeReader(): Reader<R> {
    for (;;) {
      const reader = this.#readers.get(this.#nextTurn)
      this.#readers.delete(this.#nextTurn++)
      if (reader !== undefined) return reader
    }
  }

  #deliver(): void {
    while (this.#readers.size > 0) {
      const entry = this.#stopped ? undefined : this.#buffer.take()
      if (entry === undefined && !this.#stopped && !this.#buffer.finished) break
      const reader = this.#takeReader()
      if (entry === undefined) reader.resolve({ done: true, value: undefined })
      else if (entry.ok) reader.resolve({ done: false, value: entry.value })
      else reader.reject(entry.error)
    }
    this.#pull()
  }

  /** Reads the input until the window is full. Synchronous input is read at once, so that work starts with the call. */
  #pull(): void {
    if (this.#pulling || this.#inputEnded) return
    this.#pulling = true
    if (this.#async) void this.#pullAsync()
    else this.#pullSync()
  }

  #hasRoom(): boolean {
    return !this.#inputEnded && this.#submitted - this.#buffer.chunksTaken < this.#host.window()
  }

  #pullSync(): void {
    const source = this.#source as Iterator<T>
    while (this.#hasRoom()) {
      const items: T[] = []
      try {
        while (items.length < this.#chunkSize && !this.#inputEnded) {
          const step = source.next()
          if (step.done === true) this.#inputEnded = true
          else items.push(step.value)
        }
        this.#submit(items)
      } catch (error) {
        this.#inputFailed(items, error)
      }
    }
    this.#pulling = false
    if (this.#inputLeft) void closeSource(source)
    this.#settleInput()
  }

  async #pullAsync(): Promise<void> {
    const source = this.#source as AsyncIterator<T>
    while (this.#hasRoom()) {
      const items: T[] = []
      try {
        while (items.length < this.#chunkSize && !this.#inputEnded) {
          const step = await source.next()
          if (step.done === true) this.#inputEnded = true
          else items.push(step.value)
        }
        this.#submit(items)
      } catch (error) {
        this.#inputFailed(items, error)
      }
    }
    this.#pulling = false
    this.#settleInput()
  }

  /** A source that is at an item may stay there for long: it closes behind it, and nobody waits for that. */
  async #leaveInput(): Promise<void> {
    if (this.#inputEnded) return
    this.#inputEnded = true
    this.#inputLeft = true
    if (!this.#pulling) await this.#source.return?.()
    // A synchronous one called this itself, and cannot be closed before it has given its item.
    else if (this.#async) void closeSource(this.#source)
  }

  /** The results of what was read come first, as the pool has left them. */
  #terminated(error: Error): void {
    if (this.#inputEnded) return
    this.#leaveInput().catch(() => undefined)
    this.#put(this.#submitted++, [{ ok: false, error }])
    this.#settleInput()
  }

  #settleInput(): void {
    if (!this.#inputEnded) return
    this.#closeInput()
    this.#buffer.end(this.#submitted)
    if (this.#buffer.finished && this.#readers.size > 0) this.#deliver()
  }

  #submit(items: readonly T[]): void {
    if (items.length === 0 || this.#inputLeft) return
    const chunk = this.#submitted
    const abandon = this.#host.submit(items, (entries) => this.#put(chunk, entries))
    this.#submitted++
    this.#abandon.set(chunk, abandon)
  }

  /** An input that throws ends there, as in Python: what came before it is computed, and its error comes last. */
  #inputFailed(items: readonly T[], error: unknown): void {
    if (this.#inputLeft) return
    this.#inputEnded = true
    try {
      this.#submit(items)
    } catch {
      // The pool takes nothing any more; the reader learns the error of the input.
    }
    this.#put(this.#submitted++, [{ ok: false, error }])
  }

  #put(chunk: number, entries: readonly Entry<R>[]): void {
    this.#abandon.delete(chunk)
    if (this.#stopped) return
    this.#buffer.put(chunk, entries)
    this.#deliver()
  }
}

function withResolvers<V>(): { promise: Promise<V>; resolve: (value: V) => void; reject: (error: unknown) => void } {
  let resolve!: (value: V) => void
  let reject!: (error: unknown) => void
  const promise = new Promise<V>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
