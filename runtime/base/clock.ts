/**
 * Time as the runtime sees it. Everything that decides takes a `Clock`, so that the simulation can run the same
 * modules on virtual time. Only monotonic local time is used; durations travel between processes, deadlines never do.
 */
import { clearTimeout, hrtime, setImmediate, setTimeout } from './timers.ts'

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

const [startSeconds, startNanoseconds] = hrtime()

/** Monotonic milliseconds since this was loaded: as precise as `performance`, which takes 0.1 MB of a process. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = hrtime()
  return (seconds - startSeconds) * 1000 + (nanoseconds - startNanoseconds) / 1e6
}

/** Of a deadline that never comes. */
const never: Timer = { cancel() {} }

/** A timer, or a look, that is later than this, in milliseconds, says that this process was held up itself. */
export const heldUpMs: number = 1_000

/**
 * A deadline for what another process does. Where the timer is late itself (a program kept its event loop busy, the process
 * was stopped, the machine slept), what came meanwhile is still unread: then all of the time is given once more. With
 * `longestTimerMs` there is none.
 */
export function afterFairly(clock: Clock, delayMs: number, action: () => void, keepAlive: boolean = false): Timer {
  if (delayMs >= longestTimerMs) return never
  let timer: Timer
  const begin = (): void => {
    const dueMs = clock.now() + delayMs
    timer = clock.after(delayMs, () => (clock.now() - dueMs > heldUpMs ? begin() : action()), keepAlive)
  }
  begin()
  return { cancel: () => timer.cancel() }
}

export const systemClock: Clock = {
  now: monotonicMs,
  after(delayMs, action, keepAlive = false) {
    const handle = setTimeout(action, Math.max(0, Math.min(delayMs, longestTimerMs)))
    if (!keepAlive) handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

/**
 * A time limit that a program has set for what it waits for. Node runs timers before it reads: where the program has kept its
 * event loop busy, what came meanwhile is still unread when the time is over. So it is read first, for as long as the timer
 * is late, a second at most. Keeps the process alive until `action` is called, once, or it is cancelled.
 */
export function afterReading(delayMs: number, action: () => void): Timer {
  let over = false
  const tell = (): void => {
    if (!over) action()
  }
  const dueMs = monotonicMs() + Math.min(delayMs, longestTimerMs)
  let timer = systemClock.after(
    delayMs,
    () => {
      const lateMs = Math.min(Math.floor(monotonicMs() - dueMs), heldUpMs)
      timer = systemClock.after(lateMs, () => setImmediate(tell), true)
    },
    true,
  )
  return {
    cancel() {
      over = true
      timer.cancel()
    },
  }
}
