/**
 * Time as the runtime sees it. Everything that decides takes a `Clock`, so that the simulation can run the same
 * modules on virtual time. Only monotonic local time is used; durations travel between processes, deadlines never do.
 */
export interface Timer {
  cancel(): void
}

export interface Clock {
  /** Monotonic milliseconds, with a fraction. */
  now(): number
  /** Calls `action` once, after `delayMs`. A timer never keeps a process alive unless `keepAlive`. */
  after(delayMs: number, action: () => void, keepAlive?: boolean): Timer
}

/** Node fires timers that are set for longer than this at once: 24.8 days. */
export const longestTimerMs: number = 2 ** 31 - 1

const [startSeconds, startNanoseconds] = process.hrtime()

/** Monotonic milliseconds since this was loaded: as precise as `performance`, which takes 0.1 MB of a process. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return (seconds - startSeconds) * 1000 + (nanoseconds - startNanoseconds) / 1e6
}

export const systemClock: Clock = {
  now: monotonicMs,
  after(delayMs, action, keepAlive = false) {
    const handle = setTimeout(action, Math.min(delayMs, longestTimerMs))
    if (!keepAlive) handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}
