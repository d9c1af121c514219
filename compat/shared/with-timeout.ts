/** Timeouts in seconds, as Python counts them. */

/** What a timer of Node can wait. */
const longestTimerMs = 2 ** 31 - 1

/** `promise`, or what `onTimeout` gives after `seconds`. The timer is gone as soon as either is there. */
export function withTimeout<R>(
  promise: Promise<R>,
  seconds: number | null | undefined,
  onTimeout: (seconds: number) => R,
): Promise<R> {
  if (seconds === undefined || seconds === null || seconds === Infinity) return promise
  if (typeof seconds !== 'number' || Number.isNaN(seconds))
    return Promise.reject(new TypeError('timeout must be a number of seconds'))
  const delayMs = Math.min(Math.max(0, seconds) * 1000, longestTimerMs)
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, delayMs)
  }).then(() => onTimeout(seconds))
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}
