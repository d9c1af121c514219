/** Whether `await` would wait for it: a promise, or whatever has a `then`. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return typeof (value as PromiseLike<unknown>).then === 'function'
}

// oxlint-disable-next-line typescript/unbound-method -- it is compared, not called
const { then } = Promise.prototype

/**
 * Settles once, to what is no thenable. Another `then` than that of promises may call back twice, throw when it has called
 * back, or resolve to a promise.
 */
export function promiseOf(thenable: PromiseLike<unknown>): Promise<unknown> {
  if (thenable instanceof Promise && thenable.then === then) return thenable
  return new Promise((resolve) => resolve(thenable))
}
