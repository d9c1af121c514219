/**
 * What the original's pool does when a task has ended, in the order in which it asked for it. It asks with the words of its
 * promise, each of which costs a dozen functions for every task; here they are the steps of one object.
 */
import type { Resolver } from './original.ts'

type Step = readonly [fulfilled: Handler | undefined, rejected: Handler | undefined]
type Handler = (value: unknown) => unknown

interface Later {
  then(fulfilled: Handler, rejected: Handler): unknown
  catch(rejected: Handler): unknown
}

/** The part of the original's promise that its pool uses of a task. */
export interface TaskPromise {
  then(fulfilled: Handler): TaskPromise
  catch(rejected: Handler): TaskPromise
  timeout(delayMs: number): unknown
}

export class TaskSteps implements TaskPromise {
  readonly #resolver: Resolver
  readonly #steps: Step[] = []
  /** Nothing is under way: a step is taken at once. */
  #settled = false
  #ok = true
  #value: unknown

  constructor(resolver: Resolver) {
    this.#resolver = resolver
  }

  // oxlint-disable-next-line unicorn/no-thenable -- by this name the pool asks for it
  then(fulfilled: Handler): this {
    return this.#add([fulfilled, undefined])
  }

  catch(rejected: Handler): this {
    return this.#add([undefined, rejected])
  }

  timeout(delayMs: number): unknown {
    return this.#resolver.promise.timeout(delayMs)
  }

  fulfil(value: unknown): void {
    this.#settle(true, value)
  }

  reject(error: unknown): void {
    this.#settle(false, error)
  }

  #add(step: Step): this {
    this.#steps.push(step)
    if (this.#settled) this.#go()
    return this
  }

  #settle(ok: boolean, value: unknown): void {
    this.#settled = true
    this.#ok = ok
    this.#value = value
    this.#go()
  }

  #go(): void {
    while (this.#settled) {
      const step = this.#steps.shift()
      if (step === undefined) return
      const handler = step[this.#ok ? 0 : 1]
      if (handler !== undefined) this.#take(handler)
    }
  }

  #take(handler: Handler): void {
    try {
      this.#value = handler(this.#value)
      this.#ok = true
      if (isLater(this.#value)) this.#await(this.#value)
    } catch (error) {
      this.#ok = false
      this.#value = error
    }
  }

  #await(later: Later): void {
    this.#settled = false
    later.then(
      (value) => this.#settle(true, value),
      (error) => this.#settle(false, error),
    )
  }
}

/** The original's measure. */
function isLater(value: unknown): value is Later {
  if (typeof value !== 'object' || value === null) return false
  const { then, catch: otherwise } = value as { then?: unknown; catch?: unknown }
  return typeof then === 'function' && typeof otherwise === 'function'
}
