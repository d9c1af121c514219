/** Waiting for several futures: Python's `wait` and `as_completed`. */
import { given } from '../../lib/given.ts'
import { checkNames } from '../../lib/options.ts'
import { isIterable } from '../shared/chunks.ts'
import { TimeoutError, ValueError } from '../shared/python-errors.ts'
import { withTimeout } from '../shared/with-timeout.ts'
import { Future, whenDone } from './future.ts'

/** As soon as any future is done. */
export const FIRST_COMPLETED = 'FIRST_COMPLETED'
/** As soon as any future has failed; when none does, as soon as all are done. */
export const FIRST_EXCEPTION = 'FIRST_EXCEPTION'
/** When all are done. */
export const ALL_COMPLETED = 'ALL_COMPLETED'
export type ReturnWhen = typeof FIRST_COMPLETED | typeof FIRST_EXCEPTION | typeof ALL_COMPLETED

export interface WaitOptions {
  /** Seconds. Default: as long as it takes. */
  readonly timeout?: number | null | undefined
  /** Default `ALL_COMPLETED`. */
  readonly returnWhen?: ReturnWhen | undefined
}

export interface WaitResult<R> {
  readonly done: Set<Future<R>>
  readonly notDone: Set<Future<R>>
}

/**
 * Waits until the futures are as `returnWhen` says, or the time is over. Never rejects because of a future or of the
 * time: what is not done then is in `notDone`.
 * @throws ValueError for a condition that does not exist.
 */
export async function wait<R>(futures: Iterable<Future<R>>, options: WaitOptions = {}): Promise<WaitResult<R>> {
  checkNames(options, ['timeout', 'returnWhen'], 'wait')
  const { timeout, returnWhen = ALL_COMPLETED } = options
  const all = checked(futures, 'wait')
  const conditions: readonly string[] = [FIRST_COMPLETED, FIRST_EXCEPTION, ALL_COMPLETED]
  if (!conditions.includes(returnWhen)) {
    throw new ValueError(`Invalid return condition: '${String(returnWhen)}'; one of ${conditions.join(', ')} is needed`)
  }
  let leave: (() => void)[] = []
  const met = new Promise<void>((resolve) => {
    let pending = all.size
    if (pending === 0) resolve()
    leave = Array.from(all, (future) =>
      whenDone(future, () => {
        pending--
        if (pending === 0 || returnWhen === FIRST_COMPLETED) resolve()
        else if (returnWhen === FIRST_EXCEPTION) void hasFailed(future).then((failed) => failed && resolve())
      }),
    )
  })
  await withTimeout(met, timeout, () => undefined)
  for (const stop of leave) stop()
  const done = new Set([...all].filter((future) => future.done()))
  return { done, notDone: new Set([...all].filter((future) => !done.has(future))) }
}

function checked<R>(futures: Iterable<Future<R>>, caller: string): Set<Future<R>> {
  if (!isIterable(futures))
    throw new TypeError(`${caller}: an array, or another iterable, of futures is needed, not ${given(futures)}`)
  const all = new Set(futures)
  for (const future of all)
    if (!(future instanceof Future)) throw new TypeError(`${caller}: futures are needed, not ${given(future)}`)
  return all
}

/** One that was cancelled has not failed. */
async function hasFailed(future: Future): Promise<boolean> {
  return !future.cancelled() && (await future.exception()) !== null
}

/**
 * The futures in the order in which they are done, those that are done already first; one that is given twice comes
 * once. `next` rejects with `TimeoutError` when not all are done `timeout` seconds after this call.
 */
export function asCompleted<R>(
  futures: Iterable<Future<R>>,
  options: { readonly timeout?: number | null | undefined } = {},
): AsyncIterableIterator<Future<R>> {
  checkNames(options, ['timeout'], 'asCompleted')
  return completed(checked(futures, 'asCompleted'), options.timeout)
}

async function* completed<R>(all: Set<Future<R>>, timeout: number | null | undefined): AsyncGenerator<Future<R>> {
  const ready: Future<R>[] = []
  let wake: () => void = () => undefined
  const leave = Array.from(all, (future) =>
    whenDone(future, () => {
      ready.push(future)
      wake()
    }),
  )
  const endMs = timeout === undefined || timeout === null ? Infinity : performance.now() + timeout * 1000
  try {
    for (let taken = 0; taken < all.size; taken++) {
      while (ready.length === taken) {
        const more = new Promise<void>((resolve) => {
          wake = resolve
        })
        await withTimeout(more, Math.max(0, endMs - performance.now()) / 1000, () => {
          throw new TimeoutError(`${all.size - taken} (of ${all.size}) futures unfinished`)
        })
      }
      // Where each is taken out of a long array, all behind it are moved.
      yield ready[taken] as Future<R>
    }
  } finally {
    for (const stop of leave) stop()
  }
}
