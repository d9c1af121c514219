/** Values and refs: put, get, wait, cancel, drained. */
import { afterReading, longestTimerMs } from '../runtime/base/clock.ts'
import { wasThisProcess } from '../runtime/owner/current.ts'
import {
  endsEarly,
  getAll,
  isObjectRef,
  isTimeout,
  noTimeout,
  ObjectRef,
  tupleOf,
  type GetOptions,
} from '../runtime/owner/object-ref.ts'
import { type ObjectRefGenerator, ownedGenerator } from '../runtime/owner/object-ref-generator.ts'
import { watchNear } from '../runtime/owner/watch-near.ts'
import { given } from './given.ts'
import { checkNames } from './options.ts'
import { ensureRuntime } from './runtime.ts'

const mostReplicas = 100

/** Values of refs, element by element. */
export type ValuesOf<T extends readonly ObjectRef[]> = {
  -readonly [K in keyof T]: T[K] extends ObjectRef<infer V> ? V : never
}

export interface PutOptions {
  /**
   * How many nodes keep the value: with 2, one of them may be lost at any time. A lost copy is made again from another.
   * Where the cluster has fewer nodes, as many as there are keep it, and those that join later get a copy. It is about
   * nodes, not about the process that called `put`: the value ends with that one. An integer from 1 to 100; default 1.
   */
  readonly replicas?: number
}

/**
 * Stores a value once, so that many tasks can use it by reference. Resolves when it is stored, with `replicas` when all
 * copies stand; a full store makes writers wait. Large buffers of the value must not change until then. Rejects with
 * SerializationError for what cannot travel, ObjectStoreFullError where all memory is held (or a node that was to keep a
 * copy has no room), OutOfDiskError when the disk has no room for the rest.
 *
 * @example
 * const table = await put(new Float64Array(1e7), { replicas: 2 })
 */
export async function put<T>(value: T, options: PutOptions = {}): Promise<ObjectRef<T>> {
  checkNames(options, ['replicas'], 'put')
  const { replicas = 1 } = options
  if (!Number.isInteger(replicas) || replicas < 1 || replicas > mostReplicas)
    throw new RangeError(`put: replicas must be an integer from 1 to ${mostReplicas}, not ${String(replicas)}`)
  if (isObjectRef(value)) throw new TypeError('put: this is an ObjectRef already; pass it on as it is')
  const runtime = ensureRuntime()
  return new ObjectRef<T>(await runtime.owner.values.put(value, replicas), 'put', runtime)
}

/**
 * The value of a ref, or the values of an array of refs in their order. Rejects with the first error.
 *
 * Buffers of 64 KiB and more are views of shared memory, which a write changes for this process alone. Node 21 and later
 * refuse them in a transfer list of `postMessage` (DataCloneError): send them without one, or a copy (`slice()`).
 *
 * @param options `timeout` in milliseconds: GetTimeoutError when it is over; the tasks go on.
 */
export async function get<T>(ref: ObjectRef<T>, options?: GetOptions): Promise<T>
export async function get<const T extends readonly ObjectRef[]>(refs: T, options?: GetOptions): Promise<ValuesOf<T>>
export async function get(target: ObjectRef | readonly ObjectRef[], options: GetOptions = {}): Promise<unknown> {
  checkNames(options, ['timeout', 'signal'], 'get')
  if (isObjectRef(target)) return target.get(options)
  if (!Array.isArray(target))
    throw new TypeError(`get: expected an ObjectRef or an array of them, not ${given(target)}`)
  const refs = (target as readonly unknown[]).map((ref, i) => checked(ref, i, 'get'))
  const together = options.timeout === undefined && options.signal === undefined ? getAll(refs) : undefined
  if (together !== undefined) return together
  const stops: ((reason: unknown) => void)[] = []
  const own = { ...options, [endsEarly]: (stop: (reason: unknown) => void) => void stops.push(stop) }
  try {
    return await Promise.all(refs.map((ref) => ref.get(own)))
  } catch (error) {
    // Nobody waits for the others any more: a program may end before they are ready.
    for (const stop of stops) stop(error)
    throw error
  }
}

export interface WaitOptions {
  /** How many have to be ready. Default 1. */
  readonly count?: number
  /** How long to wait, in milliseconds. Default: without end. */
  readonly timeout?: number
  /**
   * Whether a value that lies on another machine is brought to this one before its ref counts as ready, so that `get`
   * has it at hand. Default true. A program on a machine without a node has no store to bring it to: for it a value is
   * ready when it is anywhere.
   */
  readonly fetchLocal?: boolean
}

/**
 * Waits until `count` of the refs are ready (a value or an error), or the time is over. Resolves to those that are
 * ready, at most `count` of them in their order, and the rest.
 */
export async function wait<T>(
  refs: readonly ObjectRef<T>[],
  options: WaitOptions = {},
): Promise<[ready: ObjectRef<T>[], rest: ObjectRef<T>[]]> {
  if (!Array.isArray(refs)) throw new TypeError(`wait: expected an array of ObjectRefs, not ${given(refs)}`)
  checkNames(options, ['count', 'timeout', 'fetchLocal'], 'wait')
  const { count = 1, timeout = Number.POSITIVE_INFINITY, fetchLocal = true } = options
  if (!Number.isInteger(count) || count < 1 || count > refs.length) {
    throw new RangeError(
      `wait: count must be an integer from 1 to the number of refs (${refs.length}), not ${String(count)}`,
    )
  }
  if (typeof fetchLocal !== 'boolean') throw new TypeError('wait: fetchLocal must be true or false')
  if (!isTimeout(timeout)) throw noTimeout(timeout, 'wait')
  const tuples = refs.map((ref, i) => tupleOf(checked(ref, i, 'wait')))
  const { owner } = ensureRuntime()
  const ready = new Set<number>()
  await new Promise<void>((resolve) => {
    const unwatch: (() => void)[] = []
    let over = false
    const end = (): void => {
      if (over) return
      over = true
      timer?.cancel()
      for (const stop of unwatch) stop()
      resolve()
    }
    const timer = timeout > longestTimerMs ? undefined : afterReading(timeout, end)
    for (const [i, tuple] of tuples.entries()) {
      if (over) break
      const then = (): void => {
        if (over) return
        ready.add(i)
        if (ready.size >= count) end()
      }
      const stop = fetchLocal ? watchNear(owner, tuple, then) : owner.values.watch(tuple, then)
      if (over) stop()
      else unwatch.push(stop)
    }
  })
  return [refs.filter((_, i) => ready.has(i)), refs.filter((_, i) => !ready.has(i))]
}

export interface CancelOptions {
  /** End the worker of a running task at once, instead of raising its signal and waiting. Default false. */
  readonly force?: boolean
  /** Cancel what the task submitted, too. Default true. */
  readonly recursive?: boolean
}

/**
 * Cancels the task that makes this object, or a generator: what it yielded until then can still be taken. A queued task
 * is removed; a running one gets its AbortSignal, and its worker is ended when it goes on for 5 s, or at once with
 * `force`. Returns whether the task had not ended: false, too, for one that was submitted before this process was shut
 * down or lost its home, which it ended with.
 * @throws TypeError for a ref of another process: only who submitted a task can cancel it.
 */
export function cancel(target: ObjectRef | ObjectRefGenerator, options: CancelOptions = {}): boolean {
  checkNames(options, ['force', 'recursive'], 'cancel')
  const { force = false, recursive = true } = options
  const generator = ownedGenerator(target)
  const [process, number] =
    generator === undefined ? tupleOf(checked(target, 0, 'cancel')) : [generator.process, generator.number]
  if (wasThisProcess(process)) return false
  const { owner } = ensureRuntime()
  if (process !== owner.host.self.process)
    throw new TypeError('cancel: only the process that submitted the task can cancel it')
  return owner.cancel(number, { reason: 'cancel() was called', force, recursive })
}

/** Resolves when less than half of what may be queued is: `await` it in loops that submit. */
export async function drained(): Promise<void> {
  await ensureRuntime().owner.drained()
}

function checked(ref: unknown, index: number, caller: string): ObjectRef {
  if (isObjectRef(ref)) return ref
  throw new TypeError(`${caller}: element ${index} is not an ObjectRef but ${given(ref)}`)
}
