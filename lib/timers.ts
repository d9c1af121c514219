/** For shims: what test libraries do not replace, and whether they have replaced the rest. */
export { isTimeReplaced, queueMicrotask } from '../runtime/base/timers.ts'
