/** The runtime that this process's calls go to: a worker's own, or the driver's, which is made at the first need. */
import { NotInitializedError } from '../runtime/base/errors.ts'
import { currentRuntime, type ProcessRuntime } from '../runtime/owner/current.ts'
import { startDriver } from './driver.ts'

let shutDown = false

/** The runtime, started in the background when there is none: with OUTPOOL_ADDRESS in that cluster, else locally. */
export function ensureRuntime(): ProcessRuntime {
  const running = currentRuntime()
  if (running !== undefined) return running
  if (shutDown) throw new NotInitializedError('outpool was shut down in this process; call init() to start it again')
  return startDriver({}).runtime
}

export function noteShutdown(down: boolean): void {
  shutDown = down
}
