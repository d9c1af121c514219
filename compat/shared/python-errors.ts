/** Python's names for what goes wrong around its pools and executors. */

/** Something was not there within its timeout; the work goes on. */
export class TimeoutError extends Error {
  override readonly name: string = 'TimeoutError'
}

/** The value of an argument, or the state of what is called, does not allow the call. */
export class ValueError extends Error {
  override readonly name: string = 'ValueError'
}
