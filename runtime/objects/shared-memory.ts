/**
 * Files mapped into memory that processes share, by `koffi` (prebuilt, loaded on first need). Where it is not
 * installed, or not for this platform, `mapFile` gives undefined and callers do without.
 */
import { closeSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'

/** A mapping; the memory must not be touched after `unmap`. */
export interface Mapping {
  readonly memory: ArrayBuffer
  unmap(): void
}

interface Libc {
  mmap(address: null, length: number, protection: number, flags: number, descriptor: number, offset: number): bigint
  munmap(address: bigint, length: number): number
  view(address: bigint, length: number): ArrayBuffer
}

const readWrite = 1 | 2
const shared = 1

let libc: Libc | undefined | null = null

/** The C library, or undefined where it cannot be called from here. */
function loadLibc(): Libc | undefined {
  if (libc !== null) return libc
  libc = undefined
  if (process.env['OUTPOOL_NO_NATIVE'] === '1') return libc
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
    const library = koffi.load(null)
    const mmap = library.func(
      'void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
    )
    const munmap = library.func('int munmap(void *address, size_t length)')
    libc = {
      mmap: (...args) => mmap(...args) as bigint,
      munmap: (address, length) => munmap(address, length) as number,
      view: (address, length) => koffi.view(address, length),
    }
  } catch {
    // No prebuilt binary for this platform, or the optional package was left out: callers have another way.
  }
  return libc
}

/** Maps the first `sizeBytes` of a file, for reading and writing, shared with every other process that does. */
export function mapFile(path: string, sizeBytes: number): Mapping | undefined {
  const native = loadLibc()
  if (native === undefined) return undefined
  const descriptor = openSync(path, 'r+')
  let address: bigint
  try {
    address = native.mmap(null, sizeBytes, readWrite, shared, descriptor, 0)
  } finally {
    closeSync(descriptor)
  }
  if (BigInt.asUintN(64, address) === 0xffff_ffff_ffff_ffffn) {
    throw new Error(`mmap of ${sizeBytes} bytes of ${path} failed`)
  }
  let mapped = true
  return {
    memory: native.view(address, sizeBytes),
    unmap() {
      if (mapped) native.munmap(address, sizeBytes)
      mapped = false
    },
  }
}
