/** Why a call on a worker of one's own failed. */
import { NodeDiedError, type OutpoolError, SerializationError, WorkerCrashedError } from '../runtime/base/errors.ts'

/** Such a failure of a call that a pool starts again by itself, and that has run so often. */
export { afterRuns } from '../runtime/owner/failures.ts'

/** Whether a call failed because its worker or node ended, and not by what it did. */
export function isSystemFailure(error: unknown): error is OutpoolError {
  return error instanceof WorkerCrashedError || error instanceof NodeDiedError
}

/** Of such a failure: the call had not begun, and may be made elsewhere. */
export function wasUnstarted(error: OutpoolError): boolean {
  return error.details['unstarted'] === true
}

/**
 * What cannot travel of a chunk, by its place in what the program gave or gets for one item: a chunk is the one argument
 * of its call, and nobody outside knows which items are together in it. `item`: what one is called.
 */
export function withinItem(error: unknown, item: 'item' | 'args'): unknown {
  return toldBy(error, (path) =>
    path.replace(/^args\[\d+\]\[\d+\]/, item).replace(/^result(?:\.values\[\d+\]|\[\d+\]\.value)/, 'result'),
  )
}

/** What cannot travel, by the way to it that the program knows; any other error as it is. */
export function toldBy(error: unknown, known: (path: string) => string): unknown {
  const path = pathOf(error)
  if (path === undefined) return error
  const { message, cause, details } = error as SerializationError
  const told = known(path)
  if (told === path) return error
  return new SerializationError(
    message.replace(path, () => told),
    {
      ...(cause !== undefined && { cause }),
      details: { ...details, path: told },
    },
  )
}

/** The way to what cannot travel; undefined for any other error. */
export function pathOf(error: unknown): string | undefined {
  if (!(error instanceof SerializationError)) return undefined
  const { path } = error.details
  return typeof path === 'string' ? path : undefined
}
