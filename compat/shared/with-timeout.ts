/** Timeouts in seconds, as Python counts them. */
import { afterReading, type Timer } from '../../lib/timers.ts'

/** What is wrong with a timeout, where none is allowed. */
export function refusedTimeout(seconds: unknown): TypeError | undefined {
  if (seconds === undefined || seconds === null || (typeof seconds === 'number' && !Number.isNaN(seconds)))
    return undefined
  return new TypeError('timeout must be a number of seconds')
}

/** `promise`, or what `onTimeout` gives after `seconds`. The timer is gone as soon as either is there. */
export function withTimeout<R>(
  promise: Promise<R>,
  seconds: number | null | undefined,
  onTimeout: (seconds: number) => R,
): Promise<R> {
  if (seconds === undefined || seconds === null || seconds === Infinity) return promise
  const refused = refusedTimeout(seconds)
  if (refused !== undefined) return Promise.reject(refused)
  let timer: Timer | undefined
  const late = new Promise<void>((resolve) => {
    timer = afterReading(Math.max(0, seconds) * 1000, resolve)
  }).then(() => onTimeout(seconds))
  return Promise.race([promise, late]).finally(() => timer?.cancel())
}
