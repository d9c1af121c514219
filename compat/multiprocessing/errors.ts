/** Python's names for what goes wrong around a pool. */

/** `get`, `wait` or `next` waited longer than its timeout; the work goes on. */
export class TimeoutError extends Error {
  override readonly name: string = 'TimeoutError'
}

/** A call that the pool's state, or the value of an argument, does not allow. */
export class ValueError extends Error {
  override readonly name: string = 'ValueError'
}

/** What a result gets that was still to come when its pool was terminated. Python leaves such a result waiting for ever. */
export class PoolTerminatedError extends Error {
  override readonly name: string = 'PoolTerminatedError'
}
