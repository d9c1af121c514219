/** What a node offers, where its options leave it open. */
import { availableParallelism, totalmem } from 'node:os'
import type { StoreOptions } from '../objects/store-choice.ts'
import type { ResourceUnits } from '../protocol/messages.ts'
import { parseMemory, parseResources } from '../scheduler/resources.ts'
import type { ResourceOptions } from '../scheduler/resources.ts'

/** The rest is for the system, the node manager and the object store. */
const offeredShare = 0.7
const mebibyte = 1024 * 1024

/** Throws TypeError or RangeError that names the option. */
export function nodeResources(options: ResourceOptions): ResourceUnits {
  const { numCpus = availableParallelism(), memory = defaultMemoryBytes(), numGpus, resources } = options
  return parseResources({ numCpus, memory, numGpus, resources })
}

/** How large a node's object store is, as it is asked for: bytes, or texts such as `'2GiB'`. */
export interface StoreSizeOptions {
  /** Shared memory for objects. Default: 30 % of what the process may use. */
  readonly objectStoreMemory?: number | string
  /** Disk for objects that do not fit into memory. Default: what the disk has. */
  readonly objectStoreDisk?: number | string
}

/** Throws TypeError or RangeError that names the option. */
export function storeOptionsOf({ objectStoreMemory, objectStoreDisk }: StoreSizeOptions): StoreOptions {
  return {
    ...(objectStoreMemory !== undefined && { memoryBytes: parseMemory(objectStoreMemory, 'objectStoreMemory') }),
    ...(objectStoreDisk !== undefined && { diskBytes: parseMemory(objectStoreDisk, 'objectStoreDisk') }),
  }
}

function defaultMemoryBytes(): number {
  // What the container may use; 0 or beyond the machine where nothing limits it.
  const limitBytes = process.constrainedMemory()
  const bytes = limitBytes > 0 ? Math.min(limitBytes, totalmem()) : totalmem()
  return Math.floor((bytes * offeredShare) / mebibyte) * mebibyte
}
