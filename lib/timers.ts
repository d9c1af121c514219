/** For shims: what test libraries do not replace, and whether they have replaced the rest; a time limit for what comes. */
export { afterReading, type Timer } from '../runtime/base/clock.ts'
export { isTimeReplaced, queueMicrotask, setImmediate } from '../runtime/base/timers.ts'
