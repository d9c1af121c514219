import type { Callable } from '../../lib/pinned.ts'
import { checkNames } from '../../lib/options.ts'
import { isCallable } from '../shared/callable.ts'
import { argumentsOf, checkWorker, notInteger } from '../shared/worker-options.ts'
import type { PoolRunnerOptions } from '../shared/pool-runner.ts'
import { ValueError } from '../shared/python-errors.ts'

export interface PoolOptions {
  /**
   * How many workers. Default: one for each CPU of the cluster (of this machine without an address), and it follows the
   * cluster.
   */
  readonly processes?: number | null | undefined
  /** Runs once in each worker before its first chunk; may set state of the modules there. */
  readonly initializer?: Callable | null | undefined
  /** The initializer's arguments. */
  readonly initargs?: Iterable<unknown> | null | undefined
  /** A worker is replaced after so many tasks; a chunk counts as one. Default: never. */
  readonly maxtasksperchild?: number | null | undefined
  /** Outpool: CPUs that each worker holds. Default 1, or an equal share where `processes` is more than there are. */
  readonly numCpus?: number | undefined
  /** Outpool: other resources that each worker holds. */
  readonly resources?: Readonly<Record<string, number>> | undefined
  /** Outpool: a name for `explain` and for log lines. */
  readonly name?: string | undefined
}

/** What the runner takes; how a pool ends its chunks is not an option. */
export type CompiledPoolOptions = Omit<PoolRunnerOptions, 'maxReruns' | 'terminated'>

const optionNames = ['processes', 'initializer', 'initargs', 'maxtasksperchild', 'numCpus', 'resources', 'name']

export function compilePoolOptions(options: PoolOptions): CompiledPoolOptions {
  checkNames(options, optionNames, 'Pool')
  const processes = options.processes ?? undefined
  if (processes !== undefined && !(Number.isInteger(processes) && processes >= 1)) {
    throw new ValueError(`Number of processes must be at least 1${notInteger(processes)}`)
  }
  const maxTasksPerChild = options.maxtasksperchild ?? undefined
  if (maxTasksPerChild !== undefined && !(Number.isInteger(maxTasksPerChild) && maxTasksPerChild >= 1)) {
    throw new ValueError('maxtasksperchild must be a positive int or None')
  }
  const initializer = options.initializer ?? undefined
  if (initializer !== undefined && !isCallable(initializer)) throw new TypeError('initializer must be a callable')
  const { numCpus, resources, name } = options
  checkWorker(options, 'Pool')
  return {
    processes,
    initializer,
    initargs: argumentsOf(options.initargs, 'Pool: initargs'),
    maxTasksPerChild,
    numCpus,
    resources,
    name,
    kind: 'the Pool',
  }
}

/** A chunk size as the caller gave it: a positive integer. */
export function checkChunkSize(chunksize: number | null | undefined, call: string): number | undefined {
  if (chunksize === undefined || chunksize === null) return undefined
  if (!Number.isInteger(chunksize) || chunksize < 1)
    throw new ValueError(`Chunksize of ${call} must be 1 or more, not ${chunksize}`)
  return chunksize
}
