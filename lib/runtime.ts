/** The runtime that this process's calls go to: a worker's own, or the driver's, which is made at the first need. */
import { NotInitializedError } from '../runtime/base/errors.ts'
import { beginLocal } from '../runtime/cluster/local.ts'
import { currentRuntime, type ProcessRuntime } from '../runtime/owner/current.ts'
import { currentDriver, type DriverHandle } from './current-driver.ts'
import { startDriver } from './driver.ts'
import { compileInit, type InitOptions } from './init-options.ts'

let shutDown = false
/** What `init` was called with last. */
let chosen: InitOptions | undefined

/**
 * The runtime, started in the background when there is none: with OUTPOOL_ADDRESS in that cluster, else locally. Where
 * one was lost, in the place that `init` was told: work never moves to another one in silence.
 */
export function ensureRuntime(): ProcessRuntime {
  const running = currentRuntime()
  if (running !== undefined) return running
  if (shutDown) throw new NotInitializedError('outpool was shut down in this process; call init() to start it again')
  return startRuntime(chosen ?? {}).runtime
}

/**
 * The driver of this process; started with these options if there is none. The first worker of a local node is started
 * before what a driver is made of is loaded (the build sees to that), and boots meanwhile. Throws TypeError or
 * RangeError for impossible options.
 */
export function startRuntime(options: InitOptions): DriverHandle {
  const running = currentDriver()
  if (running !== undefined) return running
  const compiled = compileInit(options)
  const begun = compiled.address === undefined ? beginLocal() : undefined
  try {
    return startDriver(compiled, begun)
  } catch (error) {
    begun?.discard()
    throw error
  }
}

export function noteInit(options: InitOptions): void {
  shutDown = false
  chosen = options
}

/** Nothing starts by itself from now on, if anything had been started. */
export function noteShutdown(running: boolean): void {
  if (running || chosen !== undefined) shutDown = true
  chosen = undefined
}
