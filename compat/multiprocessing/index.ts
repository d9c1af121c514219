/**
 * Python's `multiprocessing.Pool` for Node, on this machine or, with an address, on a cluster.
 *
 * `Pool.map` and its relatives run a chunk **at least once**: when a worker or its node dies, the chunk that ran there
 * is run again elsewhere.
 */
import { usableCpus } from '../../lib/machine.ts'

export { moduleFunction, type RemoteModuleFunction } from '../../lib/pinned.ts'
export { AsyncResult, type Callback, type ErrorCallback } from './async-result.ts'
export { TimeoutError, ValueError } from '../shared/python-errors.ts'
export { PoolTerminatedError } from './errors.ts'
export { IMapIterator } from './imap-iterator.ts'
export { Pool, type ApplyAsyncOptions, type KeywordArguments, type MapAsyncOptions, type PoolReport } from './pool.ts'
export type { PoolOptions } from './pool-options.ts'
export type { PoolWorkerReport } from '../shared/pool-runner.ts'

/** The CPUs of this machine that the process may use. A pool without `processes` uses those of the whole cluster. */
export function cpuCount(): number {
  return usableCpus()
}
