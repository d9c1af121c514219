/** The options of `init`: as given, checked, with what the environment says. */
import { maxLineageBytes, maxPendingArgumentBytes, maxQueuedTasks } from '../runtime/base/limits.ts'
import { checkNames, integer, positive } from './options.ts'
import { compileRuntimeEnv, noRuntimeEnv, type CompiledRuntimeEnv, type RuntimeEnv } from './runtime-env.ts'

export interface InitOptions {
  /** `ws://host:port` of any node of a cluster. Default: OUTPOOL_ADDRESS; without either, a node in this process. */
  readonly address?: string
  /** The cluster's token. Default: OUTPOOL_TOKEN, OUTPOOL_TOKEN_FILE, or the file that the head made. */
  readonly token?: string
  /** Local mode: logical CPUs of the node. Default: those that this process may use. */
  readonly numCpus?: number
  readonly numGpus?: number
  /** Local mode: memory that tasks may ask for: bytes, or `'8GiB'`. Default: most of what this process may use. */
  readonly memory?: number | string
  /** Local mode: resources of your own by name. */
  readonly resources?: Readonly<Record<string, number>>
  /** Local mode: shared memory for large values: bytes, or `'2GiB'`. Default: 30 % of what this process may use. */
  readonly objectStoreMemory?: number | string
  /** Local mode: disk for large values that do not fit into it. Default: what the disk of the temporary folder has. */
  readonly objectStoreDisk?: number | string
  /** Whether what workers print appears here. Default true. */
  readonly logToDriver?: boolean
  /** Tasks that may wait before `.remote()` throws BackPressureError. Default 2,000,000. */
  readonly maxQueuedTasks?: number
  /** Bytes of arguments that may wait. Default 512 MiB. */
  readonly maxQueuedBytes?: number
  /**
   * Bytes of what is kept of finished tasks (their arguments, mostly), so that a large result that is lost can be made
   * again by running its task; the oldest goes first. 0: none is ever made again. Default 256 MiB.
   */
  readonly maxLineageBytes?: number
  /** How long a request that nobody can ever satisfy waits for a new node, in milliseconds. Default 30,000. */
  readonly infeasibleTimeout?: number
  /** What tasks of this program find on their nodes, unless they say otherwise. Default: their modules, and no more. */
  readonly runtimeEnv?: RuntimeEnv
}

export interface LocalNodeOptions {
  readonly numCpus?: number
  readonly numGpus?: number
  readonly memory?: number | string
  readonly resources?: Readonly<Record<string, number>>
  readonly infeasibleTimeoutMs?: number
  readonly objectStoreMemory?: number | string
  readonly objectStoreDisk?: number | string
}

export interface CompiledInit {
  readonly address: string | undefined
  readonly token: string | undefined
  readonly node: LocalNodeOptions
  readonly logToDriver: boolean
  readonly runtimeEnv: CompiledRuntimeEnv
  readonly limits: {
    readonly maxQueuedTasks: number
    readonly maxQueuedBytes: number
    readonly maxLineageBytes: number
  }
}

const known: readonly (keyof InitOptions)[] = [
  'address',
  'token',
  'numCpus',
  'numGpus',
  'memory',
  'resources',
  'objectStoreMemory',
  'objectStoreDisk',
  'logToDriver',
  'maxQueuedTasks',
  'maxQueuedBytes',
  'maxLineageBytes',
  'infeasibleTimeout',
  'runtimeEnv',
]

/** What describes a local node; of these, `LocalNodeOptions` is made. */
const nodeWords = [
  'numCpus',
  'numGpus',
  'memory',
  'resources',
  'infeasibleTimeout',
  'objectStoreMemory',
  'objectStoreDisk',
] as const

/** Of the cluster; undefined in local mode. A variable that is empty, or nothing but spaces, is one that is not set. */
function addressOf(
  { address }: Pick<InitOptions, 'address'>,
  environment: NodeJS.ProcessEnv = process.env,
): string | undefined {
  return address ?? (environment['OUTPOOL_ADDRESS']?.trim() || undefined)
}

/** Throws TypeError or RangeError for options that do not exist, mean nothing, or do not go with an address. */
export function compileInit(options: InitOptions, environment: NodeJS.ProcessEnv = process.env): CompiledInit {
  checkNames(options, known, 'init')
  checkKinds(options)
  const address = addressOf(options, environment)
  const { numCpus, numGpus, memory, resources, infeasibleTimeout, objectStoreMemory, objectStoreDisk } = options
  const node: LocalNodeOptions = {
    ...(numCpus !== undefined && { numCpus }),
    ...(numGpus !== undefined && { numGpus }),
    ...(memory !== undefined && { memory }),
    ...(resources !== undefined && { resources }),
    ...(objectStoreMemory !== undefined && { objectStoreMemory }),
    ...(objectStoreDisk !== undefined && { objectStoreDisk }),
    ...(infeasibleTimeout !== undefined && {
      infeasibleTimeoutMs: positive(infeasibleTimeout, 'infeasibleTimeout', 'init'),
    }),
  }
  if (options.address !== undefined && Object.keys(node).length > 0) {
    const names = nodeWords.filter((name) => options[name] !== undefined).join(', ')
    throw new TypeError(
      `init: ${names} describe a local node; with an address the nodes have what they were started with`,
    )
  }
  return {
    address,
    token: options.token,
    node,
    logToDriver: options.logToDriver ?? true,
    runtimeEnv: options.runtimeEnv === undefined ? noRuntimeEnv : compileRuntimeEnv(options.runtimeEnv, 'init'),
    limits: {
      maxQueuedTasks: atLeast(1, options.maxQueuedTasks ?? maxQueuedTasks, 'maxQueuedTasks'),
      maxQueuedBytes: atLeast(1, options.maxQueuedBytes ?? maxPendingArgumentBytes, 'maxQueuedBytes'),
      maxLineageBytes: atLeast(0, options.maxLineageBytes ?? maxLineageBytes, 'maxLineageBytes'),
    },
  }
}

function atLeast(least: number, value: number, name: string): number {
  return value === Number.POSITIVE_INFINITY ? value : integer(value, name, least, Number.MAX_SAFE_INTEGER, 'init')
}

function checkKinds({ address, token, logToDriver }: InitOptions): void {
  for (const [name, value] of Object.entries({ address, token })) {
    if (value !== undefined && typeof value !== 'string') throw new TypeError(`init: ${name} must be a string`)
  }
  if (logToDriver !== undefined && typeof logToDriver !== 'boolean')
    throw new TypeError('init: logToDriver must be true or false')
}
