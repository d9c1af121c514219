/** Timeouts in seconds, as Python counts them. */
import { afterReading, type Timer } from '../../lib/timers.ts'

/** `promise`, or what `onTimeout` gives after `seconds`. The timer is gone as soon as either is there. */
export function withTimeout<R>(
  promise: Promise<R>,
  seconds: number | null | undefined,
  onTimeout: (seconds: number) => R,
): Promise<R> {
  if (seconds === undefined || seconds === null || seconds === Infinity) return promise
  if (typeof seconds !== 'number' || Number.isNaN(seconds))
    return Promise.reject(new TypeError('timeout must be a number of seconds'))
  let timer: Timer | undefined
  const late = new Promise<void>((resolve) => {
    timer = afterReading(Math.max(0, seconds) * 1000, resolve)
  }).then(() => onTimeout(seconds))
  return Promise.race([promise, late]).finally(() => timer?.cancel())
}
