/**
 * Two ways to the same place. The second is tried when the first has failed, and beside it when it has said nothing for a
 * while: then whoever answers first is taken.
 *
 *     first ──┬── answers ─────────────────────────────────────────────▶ that
 *             ├── fails ────────────▶ second ── answers or fails ──────▶ that
 *             └── says nothing ─────▶ second beside it ── one answers ─▶ that; what comes by the other later: `late`
 *                                                     ├── both fail ───▶ `failure`
 *                                                     └── one `knows` ─▶ its failure: there is nobody to wait for
 */
import type { Clock } from '../base/clock.ts'

export interface TwoWays<Reached> {
  readonly first: () => Promise<Reached>
  readonly second: () => Promise<Reached>
  readonly clock: Clock
  readonly patienceMs: number
  /** Whether a failure ends it, whatever the other way would say. */
  readonly knows: (failure: Error, way: 'first' | 'second') => boolean
  /** What it rejects with otherwise. */
  readonly failure: (first: Error | undefined, second: Error) => Error
  readonly late: (reached: Reached) => void
}

export function firstWay<Reached>(ways: TwoWays<Reached>): Promise<Reached> {
  const { first, second, clock, patienceMs, knows, failure, late } = ways
  return new Promise<Reached>((resolve, reject) => {
    let isOver = false
    let isSecondTried = false
    const failures: { first?: Error; second?: Error } = {}
    const reached = (link: Reached): void => {
      if (isOver) return late(link)
      isOver = true
      patience.cancel()
      resolve(link)
    }
    const fail = (error: Error): void => {
      isOver = true
      patience.cancel()
      reject(error)
    }
    const failed = (way: 'first' | 'second', error: Error): void => {
      if (isOver) return
      failures[way] = error
      const { first: ofFirst, second: ofSecond } = failures
      if (way === 'first' && knows(error, way)) return fail(error)
      if (ofSecond !== undefined && (ofFirst !== undefined || knows(ofSecond, 'second')))
        return fail(failure(ofFirst, ofSecond))
      if (way === 'first') trySecond()
    }
    const trySecond = (): void => {
      if (isSecondTried) return
      isSecondTried = true
      second().then(reached, (error: Error) => failed('second', error))
    }
    const patience = clock.after(patienceMs, trySecond, true)
    first().then(reached, (error: Error) => failed('first', error))
  })
}
