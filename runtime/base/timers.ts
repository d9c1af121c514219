/**
 * Node's timers as they are when this is loaded, which is with the first module of this package. Test libraries replace
 * the global ones for a while (`useFakeTimers`, `mock.timers`), and the time of a program under test is not that of links,
 * leases and deadlines.
 */
export const setTimeout: typeof globalThis.setTimeout = globalThis.setTimeout
export const clearTimeout: typeof globalThis.clearTimeout = globalThis.clearTimeout
export const setInterval: typeof globalThis.setInterval = globalThis.setInterval
export const clearInterval: typeof globalThis.clearInterval = globalThis.clearInterval
export const setImmediate: typeof globalThis.setImmediate = globalThis.setImmediate
export const hrtime: typeof process.hrtime = process.hrtime
export const queueMicrotask: typeof globalThis.queueMicrotask = globalThis.queueMicrotask
// oxlint-disable-next-line typescript/unbound-method -- it uses no `this`
export const nextTick: typeof process.nextTick = process.nextTick
/** The time zone that the environment named then. */
export const firstZone: string | undefined = process.env['TZ']

/** Whether the time of this program is not the real one just now. */
export function isTimeReplaced(): boolean {
  return (
    globalThis.setTimeout !== setTimeout ||
    globalThis.setInterval !== setInterval ||
    globalThis.setImmediate !== setImmediate ||
    globalThis.queueMicrotask !== queueMicrotask ||
    process.nextTick !== nextTick
  )
}
