/** The handle of an object, as user code holds it. */
import { inspect } from 'node:util'
import { afterReading, longestTimerMs } from '../base/clock.ts'
import { ConnectionLostError, GetTimeoutError, NotInitializedError, ObjectFreedError } from '../base/errors.ts'
import { onAbort } from '../base/on-abort.ts'
import { objectKey, type ObjectNumber, type ProcessId } from '../base/ids.ts'
import { codeCodec } from '../code/captures/send-code.ts'
import type { RefCodec, RefDescriptor } from '../objects/value.ts'
import type { CodeCodec } from '../protocol/code-values.ts'
import type { RefTuple } from '../protocol/messages.ts'
import { currentRuntime, type ProcessRuntime } from './current.ts'

/**
 * Between `get([...])` and the waits of its refs: each gives it what ends the wait, because nobody waits for the others
 * any more when one has failed. Not in the types of `get`: it is not for users.
 */
export const endsEarly: unique symbol = Symbol('ends early')

interface SharedWait {
  readonly [endsEarly]?: (stop: (reason: unknown) => void) => void
}

/** Two copies of this module in one process recognise each other's refs. */
const brand = Symbol.for('outpool.ObjectRef.1')
/** As `brand`, of a ref that is to be passed on: one that was disposed of cannot be. */
const passedOn = Symbol.for('outpool.ObjectRef.1.passedOn')

/** As `brand`: the runtime of a ref that has not been disposed of. */
const liveIn = Symbol.for('outpool.ObjectRef.1.liveIn')

/** What a ref holds; it outlives the ref, until the registry has heard of its end. */
class Held {
  readonly #runtime: ProcessRuntime
  readonly #owner: ProcessId
  readonly #number: ObjectNumber
  #released = false

  constructor(runtime: ProcessRuntime, [owner, number]: RefTuple) {
    this.#runtime = runtime
    this.#owner = owner
    this.#number = number
  }

  get runtime(): ProcessRuntime {
    return this.#runtime
  }

  get released(): boolean {
    return this.#released
  }

  /** Lets go, once. */
  release(): void {
    if (this.#released) return
    this.#released = true
    this.#runtime.owner.values.release(this.#owner, this.#number)
  }
}

/** Without tokens to unregister by: a table of them costs a ref a fifth of its memory, and is made anew as it grows. */
const registry = new FinalizationRegistry<Held>((held) => held.release())

export interface GetOptions {
  /** How long to wait, in milliseconds; the task goes on when it is over. Default: without end. */
  readonly timeout?: number
  /** Ends the wait with the signal's reason; the task goes on. */
  readonly signal?: AbortSignal
}

export function isTimeout(value: unknown): value is number {
  return typeof value === 'number' && value >= 0
}

/** `caller` begins the message. */
export function noTimeout(value: unknown, caller: string): RangeError {
  return new RangeError(`${caller}: timeout must be a number of milliseconds, not ${inspect(value)}`)
}

/**
 * Names a value that exists, or will, somewhere in the cluster. It is passed on like any value: as an argument of a
 * task it becomes the value in the callee; inside another value it stays a ref. The value lives while any ref to it
 * does; `using ref = ...` or `ref[Symbol.dispose]()` lets go early.
 *
 * @example
 * const ref = remote((n: number) => n * 2).remote(21)
 * console.log(await ref.get()) // 42
 */
export class ObjectRef<T = unknown> {
  /** For types only: what `get` resolves to. */
  declare readonly valueType: T
  readonly #tuple: RefTuple
  readonly #name: string
  readonly #held: Held

  /** Made by Outpool; the object is held once for this ref already. */
  constructor(tuple: RefTuple, name: string, runtime: ProcessRuntime) {
    this.#tuple = tuple
    this.#name = name
    this.#held = new Held(runtime, tuple)
    registry.register(this, this.#held)
  }

  /** The object's name in the cluster: `owner:number`. */
  get id(): string {
    return objectKey({ owner: this.#tuple[0], number: this.#tuple[1] })
  }

  static {
    // Defined from inside for the private fields; as plain members their names could not stand in the declarations.
    Object.defineProperty(this.prototype, brand, {
      get(this: ObjectRef): RefTuple {
        return this.#tuple
      },
    })
    Object.defineProperty(this.prototype, passedOn, {
      get(this: ObjectRef): RefTuple {
        if (this.#held.released) throw this.#disposed()
        const { closed: over, unread } = this.#held.runtime.owner.values
        if (over !== undefined) throw this.#left(over)
        unread.passedOn(this.#tuple)
        return this.#tuple
      },
    })
    Object.defineProperty(this.prototype, liveIn, {
      get(this: ObjectRef): ProcessRuntime | undefined {
        return this.#held.released ? undefined : this.#held.runtime
      },
    })
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: ObjectRef): string {
        return this.#text()
      },
    })
  }

  /**
   * The value. Rejects with what the task threw, or with the OutpoolError that says why there is no value;
   * GetTimeoutError when `timeout` is over.
   */
  get(options: GetOptions = {}): Promise<T> {
    const held = this.#held
    if (held.released) return Promise.reject(this.#disposed())
    const { timeout, signal } = options
    if (timeout !== undefined && !isTimeout(timeout)) return Promise.reject(noTimeout(timeout, 'get'))
    const tell = (options as SharedWait)[endsEarly]
    if (timeout === undefined && signal === undefined && tell === undefined)
      return held.runtime.owner.values.get(this.#tuple) as Promise<T>
    if (signal?.aborted === true) return Promise.reject(signal.reason as Error)
    return held.runtime.owner.values.get(this.#tuple, (stop) => {
      tell?.(stop)
      const deaf = signal === undefined ? undefined : onAbort(signal, () => stop(signal.reason))
      const expire = (): void =>
        stop(
          new GetTimeoutError(`${this.#text()} was not ready within ${timeout} ms; the task goes on`, {
            details: { timeoutMs: timeout },
          }),
        )
      const timer = timeout === undefined || timeout > longestTimerMs ? undefined : afterReading(timeout, expire)
      return () => {
        timer?.cancel()
        deaf?.()
      }
    }) as Promise<T>
  }

  [Symbol.dispose](): void {
    this.#held.release()
  }

  /** A ref is not its value: `${ref}` and `ref + 1` are mistakes. */
  [Symbol.toPrimitive](): never {
    throw new TypeError(`this is an ObjectRef, use await ref.get() (${this.#text()})`)
  }

  toJSON(): never {
    throw new TypeError(`this is an ObjectRef, use await ref.get() (${this.#text()})`)
  }

  #disposed(): ObjectFreedError {
    return new ObjectFreedError(`${this.#text()} was disposed; keep the ref for as long as you need its value`, {
      details: { key: this.id },
    })
  }

  #left(cause: Error): ConnectionLostError {
    return new ConnectionLostError(
      `${this.#text()} is of a connection to the cluster that is over, and its value with it: make it again (${cause.message})`,
      { cause, details: { key: this.id } },
    )
  }

  #text(): string {
    return `ObjectRef<${this.#name} #${this.id}>`
  }
}

export function isObjectRef(value: unknown): value is ObjectRef {
  return typeof value === 'object' && value !== null && brand in value
}

export function tupleOf(ref: ObjectRef): RefTuple {
  return (ref as unknown as { readonly [brand]: RefTuple })[brand]
}

/** The values of all of them by one promise; undefined where they have to be asked one by one. */
export function getAll(refs: readonly ObjectRef[]): Promise<unknown[]> | undefined {
  const runtimeOf = (ref: ObjectRef | undefined): ProcessRuntime | undefined =>
    (ref as unknown as { readonly [liveIn]?: ProcessRuntime } | undefined)?.[liveIn]
  const runtime = runtimeOf(refs[0])
  if (runtime === undefined) return undefined
  const tuples: RefTuple[] = []
  for (const ref of refs) {
    const tuple = tupleOf(ref)
    if (tuple[0] !== runtime.host.self.process || runtimeOf(ref) !== runtime) return undefined
    tuples.push(tuple)
  }
  return runtime.owner.values.getAll(tuples)
}

/** Made for the first value that holds code: few do, and it takes much to load. */
function lateCodec(exact: boolean): CodeCodec {
  let made: CodeCodec | undefined
  const forCode = (): CodeCodec => (made ??= codeCodec(undefined, undefined, false, exact))
  return {
    arrows: false,
    isMore: () => false,
    writeFunction: (value, writer) => forCode().writeFunction(value, writer),
    writeObject: (value, writer) => forCode().writeObject(value, writer),
    read: (reader) => forCode().read(reader),
  }
}

/** How refs take part in values. */
const refs: Omit<RefCodec, 'code' | 'exact'> = {
  isRef: isObjectRef,
  describe(ref): RefDescriptor {
    const [owner, number, node] = (ref as { readonly [passedOn]: RefTuple })[passedOn]
    return { owner, number, address: { node, process: owner } }
  },
  revive({ owner, number, address }: RefDescriptor): object {
    const runtime = currentRuntime()
    if (runtime === undefined)
      throw new NotInitializedError('a value with refs arrived and this process has left the cluster')
    return new ObjectRef([owner, number, address.node], 'value', runtime)
  },
}

export const objectRefCodec: RefCodec = {
  ...refs,
  code: lateCodec(false),
  exact: { ...refs, code: lateCodec(true) },
}
