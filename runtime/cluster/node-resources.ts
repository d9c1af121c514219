/** What a node offers, where its options leave it open. */
import { usableCpus, usableMemory } from '../base/usable.ts'
import type { StoreOptions } from '../objects/store-choice.ts'
import type { ResourceUnits } from '../protocol/messages.ts'
import { parseMemory, parseResources } from '../scheduler/resources.ts'
import type { ResourceOptions } from '../scheduler/resources.ts'

/** The rest is for the system, the node manager and the object store. */
const offeredShare = 0.7
const mebibyte = 1024 * 1024

/** Throws TypeError or RangeError that names the option. */
export function nodeResources(options: ResourceOptions): ResourceUnits {
  const { numCpus = usableCpus(), memory = defaultMemoryBytes(), numGpus, resources } = options
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
  return Math.floor((usableMemory() * offeredShare) / mebibyte) * mebibyte
}
