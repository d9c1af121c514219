/** Python's names for what goes wrong around an executor. */

/** The future was cancelled before it ran. */
export class CancelledError extends Error {
  override readonly name: string = 'CancelledError'
}

/** The executor cannot run what it was given: see `BrokenProcessPool`. */
export class BrokenExecutor extends Error {
  override readonly name: string = 'BrokenExecutor'
}

/** The worker of a future ended while it ran (`cause` says how), or no worker could be set up. */
export class BrokenProcessPool extends BrokenExecutor {
  override readonly name: string = 'BrokenProcessPool'
}

/** A call that the state of an executor does not allow: Python's class of the same name. */
export class RuntimeError extends Error {
  override readonly name: string = 'RuntimeError'
}
