/** Which store a node has: shared memory where that is possible, else files. Chosen once, by the node manager. */
import { mkdirSync } from 'node:fs'
import type { Clock } from '../base/clock.ts'
import { collectGarbage } from '../base/garbage.ts'
import type { ProcessId } from '../base/ids.ts'
import { usableMemory } from '../base/usable.ts'
import { ArenaHost } from './arena-host.ts'
import { ArenaMemory, segmentSizes } from './arena-memory.ts'
import { FileObjectStore } from './file-store.ts'

export interface StoreOptions {
  /** Bytes of shared memory. Default: 30 % of what this process may use. */
  readonly memoryBytes?: number
  /** Bytes of disk for objects that do not fit into memory. Default: what the disk has. */
  readonly diskBytes?: number
  /** How long a writer waits for room, in milliseconds. Default 10,000. */
  readonly fullWaitMs?: number
}

export interface StoreParts {
  /** The folder of the store, which exists or can be made. */
  readonly folder: string
  readonly node: ProcessId
  readonly clock: Clock
  readonly options: StoreOptions
  /** A line for stderr. */
  readonly warn: (text: string) => void
}

const share = 0.3
const leastBytes = 1024 * 1024
const mostSlabBytes = 8 * 1024 * 1024
const leastSlabBytes = 512 * 1024

/** Of what the container may use, or the machine has. */
export function defaultStoreBytes(): number {
  return Math.floor(usableMemory() * share)
}

export async function chooseStore(parts: StoreParts): Promise<ArenaHost | FileObjectStore> {
  const { folder, node, clock, options, warn } = parts
  const { memoryBytes = defaultStoreBytes(), diskBytes, fullWaitMs } = options
  const segments = segmentSizes(Math.max(leastBytes, memoryBytes))
  const slabBytes = Math.min(mostSlabBytes, Math.max(leastSlabBytes, Math.floor(memoryBytes / 256)))
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const memory = ArenaMemory.create(folder, segments, slabBytes)
  if (memory === undefined) {
    warn(
      'objects are kept in files: memory cannot be shared here (it takes Linux, the optional package koffi, a Node that may load it: no --no-addons, and --allow-addons where permissions are on; and limits with room for it: ulimit -v, ulimit -f); large values are slower',
    )
    return FileObjectStore.open(folder)
  }
  return new ArenaHost({
    ...{ memory, segments, node, clock, collect: collectGarbage, folder },
    ...(diskBytes !== undefined && { spillLimitBytes: diskBytes }),
    ...(fullWaitMs !== undefined && { fullWaitMs }),
  })
}
