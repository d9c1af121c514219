import { queueMicrotask } from '../../lib/timers.ts'
import { TimeoutError, ValueError } from '../shared/python-errors.ts'
import { withTimeout } from '../shared/with-timeout.ts'

export type Callback<R> = (value: R) => void
export type ErrorCallback = (error: unknown) => void

/** The two ends that its pool holds. */
export interface ResultSettler<R> {
  resolve(value: R): void
  reject(error: unknown): void
}

/**
 * The result of `applyAsync`, `mapAsync` or `starmapAsync`: Python's `AsyncResult`, and awaitable.
 * Timeouts are in seconds, as there.
 */
export class AsyncResult<R> implements PromiseLike<R> {
  #state: 'pending' | 'fulfilled' | 'rejected' = 'pending'
  readonly #promise: Promise<R>

  /** What `start` throws is the result, too. */
  constructor(
    start: (settle: ResultSettler<R>) => void,
    callback?: Callback<R> | null,
    errorCallback?: ErrorCallback | null,
  ) {
    this.#promise = new Promise<R>((resolve, reject: (error: unknown) => void) => {
      const fail = reject
      const settle: ResultSettler<R> = {
        resolve: (value) => {
          if (this.#state !== 'pending') return
          this.#state = 'fulfilled'
          resolve(value)
          callBack(callback, value)
        },
        reject: (error) => {
          if (this.#state !== 'pending') return
          this.#state = 'rejected'
          fail(error)
          callBack(errorCallback, error)
        },
      }
      try {
        start(settle)
      } catch (error) {
        settle.reject(error)
      }
    })
    // As in Python, a result that nobody asks for fails in silence; `get`, `await` and the error callback tell.
    this.#promise.catch(() => undefined)
  }

  /**
   * The value; rejects with what the call threw, or with `TimeoutError` after `timeout` seconds (the work goes on).
   * Without a timeout it waits as long as it takes.
   */
  get(timeout?: number | null): Promise<R> {
    return withTimeout(this.#promise, timeout, (seconds) => {
      throw new TimeoutError(
        `The result was not there after ${seconds} s. The work goes on: get() it later, or wait longer`,
      )
    })
  }

  /** Resolves when the result is there, or after `timeout` seconds; never rejects. `ready()` says which it was. */
  async wait(timeout?: number | null): Promise<void> {
    const settled = this.#promise.then(
      () => undefined,
      () => undefined,
    )
    await withTimeout(settled, timeout, () => undefined)
  }

  /** Whether the call has completed, well or not. */
  ready(): boolean {
    return this.#state !== 'pending'
  }

  /** Whether the call completed without an error. Throws `ValueError` while it is not ready. */
  successful(): boolean {
    if (this.#state === 'pending') throw new ValueError('AsyncResult not ready')
    return this.#state === 'fulfilled'
  }

  // oxlint-disable-next-line unicorn/no-thenable -- awaiting the result is what it is for
  then<A = R, B = never>(
    onFulfilled?: ((value: R) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    return this.#promise.then(onFulfilled, onRejected)
  }

  catch<B = never>(onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<R | B> {
    return this.#promise.catch(onRejected)
  }

  finally(onFinally?: (() => void) | null): Promise<R> {
    return this.#promise.finally(onFinally)
  }
}

/** A callback that throws harms neither the pool nor the result: it surfaces as an uncaught exception of its own. */
function callBack<V>(callback: ((value: V) => void) | null | undefined, value: V): void {
  if (callback !== undefined && callback !== null) queueMicrotask(() => callback(value))
}
