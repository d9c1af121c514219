/**
 * The options of tasks, in three phases: as given, checked and completed, compiled into what the runtime uses. Every
 * word means the same wherever it occurs; unknown words are refused with the nearest valid one.
 */
import type { ResourceUnits } from '../runtime/protocol/messages.ts'
import { parseResources } from '../runtime/scheduler/resources.ts'
import { given } from './given.ts'
import type { RuntimeEnv } from './runtime-env.ts'
import { didYouMean } from './suggest.ts'

export interface TaskOptions {
  /** Logical CPUs that a task takes, fractional to 0.0001. Default 1. */
  readonly numCpus?: number
  /** Logical GPUs. Default 0. */
  readonly numGpus?: number
  /** Memory that a task counts with: bytes, or `'2GiB'`. Default 0: not counted. */
  readonly memory?: number | string
  /** Resources of your own by name, as nodes were started with. */
  readonly resources?: Readonly<Record<string, number>>
  /** How often a task runs again when its worker or node dies; -1 is without end. Default 3. */
  readonly maxRetries?: number
  /** Whether what the function throws counts as such a failure too. Default false. */
  readonly retryExceptions?: boolean
  /** Higher runs first where tasks compete for a node. An integer; default 0. */
  readonly priority?: number
  /**
   * Run time that one attempt may take, in milliseconds, from its start. While a generator is paused, because its consumer
   * is behind, its time stands still. Default: no limit.
   */
  readonly timeout?: number
  /** Cancels the call when it is raised. */
  readonly signal?: AbortSignal
  /** What logs and errors call the task. Default: the function's name. */
  readonly name?: string
  /**
   * How many values the function returns, as an array; each gets a ref of its own. Default 1. `'streaming'`: it is a
   * generator, or returns another iterable; known of a function that is given, to be said of the export of a module.
   */
  readonly numReturns?: number | 'streaming'
  /** Where tasks go. Only `'DEFAULT'` in this version: here when there is room, else where most is free. */
  readonly schedulingStrategy?: 'DEFAULT'
  /** What the task finds on its node: packages, a working folder, variables. Default: that of `init`. */
  readonly runtimeEnv?: RuntimeEnv
}

/** Checked, with defaults. */
export interface CompiledOptions {
  readonly resources: ResourceUnits
  readonly maxRetries: number
  readonly retryExceptions: boolean
  readonly priority: number
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly name: string | undefined
  readonly numReturns: number
  readonly streaming: boolean
}

const known: readonly (keyof TaskOptions)[] = [
  'numCpus',
  'numGpus',
  'memory',
  'resources',
  'maxRetries',
  'retryExceptions',
  'priority',
  'timeout',
  'signal',
  'name',
  'numReturns',
  'schedulingStrategy',
  'runtimeEnv',
]

/** Words of the public API that a later version will take here. */
const later: readonly string[] = ['labels', 'maxRestarts', 'maxTaskRetries', 'maxConcurrency']

export const maxReturns = 10_000

/** Refuses what is no object of options, and options that do not exist; `caller` begins the message. */
export function checkNames(options: unknown, names: readonly string[], caller: string): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new TypeError(`${caller}: the options are an object, such as { ${names[0]}: ... }, not ${given(options)}`)
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue
    if (later.includes(name)) throw new TypeError(`${caller}: the option '${name}' is not supported yet`)
    throw new TypeError(`${caller}: there is no option '${name}'${didYouMean(name, names)}`)
  }
}

export function checkTaskOptions(options: unknown, caller: string): asserts options is object {
  checkNames(options, known, caller)
}

/** Throws TypeError or RangeError that names the option. */
export function compileOptions(options: TaskOptions, caller: string): CompiledOptions {
  checkTaskOptions(options, caller)
  const { numCpus = 1, maxRetries = 3, priority = 0, timeout, numReturns = 1, retryExceptions = false } = options
  if (options.schedulingStrategy !== undefined && options.schedulingStrategy !== 'DEFAULT') {
    throw new TypeError(
      `${caller}: schedulingStrategy ${JSON.stringify(options.schedulingStrategy)} is not supported yet; leave it out or use 'DEFAULT'`,
    )
  }
  if (options.signal !== undefined && !(options.signal instanceof AbortSignal))
    throw new TypeError(`${caller}: signal must be an AbortSignal`)
  if (options.name !== undefined && typeof options.name !== 'string')
    throw new TypeError(`${caller}: name must be a string`)
  if (typeof retryExceptions !== 'boolean') throw new TypeError(`${caller}: retryExceptions must be true or false`)
  return {
    resources: parseResources({ ...pickResources(options), numCpus }),
    maxRetries: integer(maxRetries, 'maxRetries', -1, 32_767, caller),
    retryExceptions,
    priority: integer(priority, 'priority', -1_000_000, 1_000_000, caller),
    timeoutMs: timeout === undefined || timeout === Number.POSITIVE_INFINITY ? 0 : positive(timeout, 'timeout', caller),
    signal: options.signal,
    name: options.name,
    numReturns: numReturns === 'streaming' ? 1 : integer(numReturns, 'numReturns', 1, maxReturns, caller),
    streaming: numReturns === 'streaming',
  }
}

function pickResources({
  numGpus,
  memory,
  resources,
}: TaskOptions): Pick<TaskOptions, 'numGpus' | 'memory' | 'resources'> {
  return {
    ...(numGpus !== undefined && { numGpus }),
    ...(memory !== undefined && { memory }),
    ...(resources !== undefined && { resources }),
  }
}

export function integer(value: unknown, name: string, least: number, most: number, caller: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value
  throw new RangeError(`${caller}: ${name} must be an integer from ${least} to ${most}, not ${String(value)}`)
}

/** Milliseconds, above 0. */
export function positive(value: unknown, name: string, caller: string): number {
  if (typeof value === 'number' && value > 0 && Number.isFinite(value)) return value
  throw new RangeError(`${caller}: ${name} must be a positive number of milliseconds, not ${String(value)}`)
}
