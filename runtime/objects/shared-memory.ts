/** Files mapped into memory that processes share. Where that is not possible `mapFile` gives undefined. */
import { closeSync, openSync } from 'node:fs'
import { nativeMemory } from './native-memory.ts'

/** A mapping; the memory must not be touched after `unmap`. */
export interface Mapping {
  readonly memory: ArrayBuffer
  unmap(): void
}

/** Maps the first `sizeBytes` of a file, for reading and writing, shared with every other process that does. */
export function mapFile(path: string, sizeBytes: number): Mapping | undefined {
  const native = nativeMemory()
  if (native === undefined) return undefined
  const descriptor = openSync(path, 'r+')
  let address: bigint
  try {
    address = native.map(descriptor, sizeBytes, 'shared', 0)
  } finally {
    closeSync(descriptor)
  }
  let mapped = true
  return {
    memory: native.view(address, sizeBytes),
    unmap() {
      if (mapped) native.unmap(address, sizeBytes)
      mapped = false
    },
  }
}
