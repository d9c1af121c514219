/** The control store of a head, and where that keeps its tables. */
import { join } from 'node:path'
import { systemClock } from '../base/clock.ts'
import { outpoolHome } from '../base/home-folder.ts'
import { ControlStore } from '../control/control-store.ts'
import { LmdbPersistence } from '../control/lmdb-persistence.ts'
import { MemoryPersistence, type Persistence } from '../control/persistence.ts'
import type { HeartbeatOptions } from '../transport/heartbeat-state.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { defaultHeadPort } from './node-address.ts'

/** `onFailure`: it cannot go on. */
export async function openHeadStore(
  options: DaemonOptions,
  heartbeat: HeartbeatOptions,
  onFailure: (error: Error) => void,
): Promise<ControlStore> {
  return ControlStore.open({
    clock: systemClock,
    persistence: await openPersistence(options),
    heartbeatIntervalMs: heartbeat.intervalMs,
    heartbeatMisses: heartbeat.misses,
    onFailure,
  })
}

/**
 * A head that is started again on the same folder goes on with the tables that it had. One on any free port is nobody's
 * to come back to.
 */
async function openPersistence({ storage, port = defaultHeadPort }: DaemonOptions): Promise<Persistence> {
  if (storage === 'memory' || (storage === undefined && port === 0)) return new MemoryPersistence()
  return LmdbPersistence.open(storage ?? join(outpoolHome(), `head-${port}`))
}
