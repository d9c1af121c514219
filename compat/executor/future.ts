import { inspect } from 'node:util'
import { given } from '../../lib/given.ts'
import { TimeoutError } from '../shared/python-errors.ts'
import { withTimeout } from '../shared/with-timeout.ts'
import { CancelledError } from './errors.ts'

/** The state of a future, under Python's names. */
export type FutureState = 'PENDING' | 'RUNNING' | 'CANCELLED' | 'FINISHED'

/** What the executor of a future tells it. */
export interface FutureSettler<R> {
  running(): void
  resolve(value: R): void
  reject(error: unknown): void
}

/** Calls back when the future is done, at once when it is. Returns how to be left alone. */
export let whenDone: (future: Future, callback: () => void) => () => void

/**
 * The result of a call that may not be there yet: Python's `Future`. Made by `submit`.
 *
 *   PENDING --a worker takes it--> RUNNING --its answer--> FINISHED
 *   PENDING --cancel--> CANCELLED
 *
 * It is not awaitable itself, so that a function may return one: `await future.result()`. Timeouts are in seconds.
 */
export class Future<R = unknown> {
  #state: FutureState = 'PENDING'
  #value: R | undefined
  #error: unknown
  #failed = false
  readonly #callbacks = new Set<() => void>()
  readonly #settled: Promise<void>
  #settle: () => void = () => undefined
  /** Takes the call back; false when a worker has it already. */
  readonly #giveUp: () => boolean

  /** Use `submit`. `start` begins the call, and returns how to take it back. */
  constructor(start: (settler: FutureSettler<R>) => () => boolean) {
    this.#settled = new Promise((resolve) => {
      this.#settle = resolve
    })
    this.#giveUp = start({
      running: () => {
        if (this.#state === 'PENDING') this.#state = 'RUNNING'
      },
      resolve: (value) => {
        if (this.done()) return
        this.#value = value
        this.#end('FINISHED')
      },
      reject: (error) => {
        if (this.done()) return
        this.#error = error
        this.#failed = true
        this.#end('FINISHED')
      },
    })
  }

  /** Takes the call back when it has not started. Returns whether it is cancelled: false when it runs, or has ended. */
  cancel(): boolean {
    if (this.#state === 'PENDING' && this.#giveUp()) this.#end('CANCELLED')
    return this.#state === 'CANCELLED'
  }

  cancelled(): boolean {
    return this.#state === 'CANCELLED'
  }

  /** Whether a worker has it: it cannot be cancelled any more. */
  running(): boolean {
    return this.#state === 'RUNNING'
  }

  /** Whether it was cancelled, or has ended well or not. */
  done(): boolean {
    return this.#state === 'CANCELLED' || this.#state === 'FINISHED'
  }

  /**
   * The value. Rejects with what the call threw, with `CancelledError` when it was cancelled, with `TimeoutError` after
   * `timeout` seconds (the call goes on). Without a timeout it waits as long as it takes.
   */
  async result(timeout?: number | null): Promise<R> {
    await this.#wait(timeout)
    if (this.#state === 'CANCELLED') throw new CancelledError('The future was cancelled')
    if (this.#failed) throw this.#error
    return this.#value as R
  }

  /** What the call threw, or null when it went well. Rejects as `result` does when it was cancelled or is late. */
  async exception(timeout?: number | null): Promise<unknown> {
    await this.#wait(timeout)
    if (this.#state === 'CANCELLED') throw new CancelledError('The future was cancelled')
    return this.#failed ? this.#error : null
  }

  /**
   * `callback(future)` is called when the future is done, at once when it is done already; in the order in which they
   * were added. What a callback throws is logged, and harms nobody.
   */
  addDoneCallback(callback: (future: Future<R>) => unknown): void {
    if (typeof callback !== 'function')
      throw new TypeError(`addDoneCallback: a function is needed, not ${given(callback)}`)
    const call = (): void => {
      try {
        callback(this)
      } catch (error) {
        console.error(`outpool/executor: a callback of ${this.#describe()} threw`, error)
      }
    }
    if (this.done()) call()
    else this.#callbacks.add(call)
  }

  static {
    whenDone = (future, callback) => {
      if (future.done()) callback()
      else future.#callbacks.add(callback)
      return () => future.#callbacks.delete(callback)
    }
    // Declaration files cannot name this symbol here.
    Object.defineProperty(Future.prototype, inspect.custom, {
      value(this: Future): string {
        return this.#describe()
      },
    })
  }

  #describe(): string {
    const outcome = this.#state !== 'FINISHED' ? '' : this.#failed ? ` raised ${nameOf(this.#error)}` : ' returned'
    return `<Future state=${this.#state.toLowerCase()}${outcome}>`
  }

  #wait(timeout: number | null | undefined): Promise<void> {
    if (this.done()) return Promise.resolve()
    return withTimeout(this.#settled, timeout, (seconds) => {
      throw new TimeoutError(
        `The result was not there after ${seconds} s. The call goes on: ask for it later, or wait longer`,
      )
    })
  }

  #end(state: 'CANCELLED' | 'FINISHED'): void {
    this.#state = state
    this.#settle()
    const callbacks = [...this.#callbacks]
    this.#callbacks.clear()
    for (const callback of callbacks) callback()
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error
}
