/** Joining and leaving. */
import { NotInitializedError } from '../runtime/base/errors.ts'
import { currentRuntime } from '../runtime/owner/current.ts'
import { currentDriver, released } from './current-driver.ts'
import type { InitOptions } from './init-options.ts'
import { noteInit, noteShutdown, startRuntime } from './runtime.ts'

/** What `init` joined. */
export interface ClusterFacts {
  /** The id of the home node. */
  readonly node: string
  /** The id of this process, which is also the id of its job. */
  readonly process: string
  readonly local: boolean
}

/**
 * Starts Outpool in this process: joins the cluster at `address` (or OUTPOOL_ADDRESS), or starts a node of its own.
 * Optional: the first call of anything else does the same with the defaults. Rejects with ConnectionLostError,
 * AuthenticationError or ProtocolVersionError when the cluster cannot be joined, with OutpoolError when it runs already.
 */
export async function init(options: InitOptions = {}): Promise<ClusterFacts> {
  if (currentRuntime()?.kind === 'worker') {
    throw new NotInitializedError(
      'init: this is a worker of a cluster, which has joined already; leave init() out of what tasks run',
    )
  }
  if (currentDriver() !== undefined && Object.keys(options).length > 0) {
    throw new NotInitializedError(
      'init: Outpool runs in this process already, by an earlier init() or by the first call that needed it; ' +
        'call init() before anything else, or await shutdown() first: these options cannot be taken later',
    )
  }
  if (currentDriver() === undefined) noteInit(options)
  const driver = startRuntime(options)
  await driver.ready
  const { self } = driver.runtime.host
  return {
    node: self.node,
    process: self.process,
    local: driver.runtime.local,
  }
}

/** Leaves: what has not settled fails, the job ends, a local node with its workers stops. Safe to call again. */
export async function shutdown(): Promise<void> {
  const driver = currentDriver()
  noteShutdown(driver !== undefined)
  await driver?.stop()
  await released()
}
