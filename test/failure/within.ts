/** Waiting that ends: for scenarios that tell what they found also when something never comes. */

/** Told when something has not come. */
export class NeverCame extends Error {}

const lookMs = 250
/** What lies between two looks counts as no more: this process may have been stopped itself. */
const mostBetweenMs = 1_000

/**
 * What `awaited` resolves with; rejects with NeverCame when that takes more than `limitMs` of the time in which this
 * process could look. `missing` says then what has not come. `signal` ends what is still looked for.
 */
export async function within<T>(
  limitMs: number,
  awaited: (signal: AbortSignal) => Promise<T>,
  missing: () => string,
): Promise<T> {
  const over = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    let [leftMs, lookedMs] = [limitMs, performance.now()]
    timer = setInterval(() => {
      const nowMs = performance.now()
      leftMs -= Math.min(nowMs - lookedMs, mostBetweenMs)
      lookedMs = nowMs
      if (leftMs <= 0) reject(new NeverCame(`not within ${Math.round(limitMs / 1000)} s: ${missing()}`))
    }, lookMs)
  })
  try {
    return await Promise.race([awaited(over.signal), limit])
  } finally {
    clearInterval(timer)
    over.abort()
  }
}
