/**
 * The calls of the C library that shared memory needs, by `koffi` (prebuilt, loaded on first need). Where it is not
 * installed, or not for this platform, `nativeMemory` gives undefined and callers do without.
 */
import { openSync } from 'node:fs'
import { loadKoffi } from './load-koffi.ts'

/** An address in this process. */
export type Address = bigint

export interface NativeMemory {
  /** Maps `length` bytes of a file from `offset` on, a multiple of the page size. Throws with the number of the error. */
  map(descriptor: number, length: number, how: MapKind, offset: number): Address
  unmap(address: Address, length: number): void
  /** Puts zeros in the place of a mapping: the file behind it is let go of, the addresses stay. */
  vacate(address: Address, length: number): void
  /** The bytes at an address, uncopied; they must not be touched after they were unmapped. */
  view(address: Address, length: number): ArrayBuffer
  /** An open file without a name, in memory, of this user alone; undefined where the system has none. */
  anonymousFile(name: string): number | undefined
  /** Makes the pages of a range present and writable, in a thread; false where the system cannot, or has no memory. */
  populate(address: Address, length: number): Promise<boolean>
  /** Gives back what `malloc` has free, of all threads; nothing where the C library has no such call. Takes 1 to 2 ms. */
  trim(): void
  /** Lets a child of this process go that has ended, and that Node knows nothing of. */
  reap(pid: number): void
  /** Takes the one lock of a file, without waiting; it is given back when the file is closed, by any end of the process. */
  tryLock(descriptor: number): boolean
}

/** `shared`: writes are seen by everybody. `private`: copied on the first write, seen by nobody else. */
export type MapKind = 'shared' | 'private'

const readWrite = 1 | 2
const mapFlags = { shared: 1, private: 2 } as const
/** Private, at exactly that address, without a file, without setting memory aside. */
const zeros = 0x02 | 0x10 | 0x20 | 0x4000
const failed = 0xffff_ffff_ffff_ffffn
const closeOnExec = 1
const populateWrite = 23
const lockExclusive = 2
const lockNoWait = 4
const doNotWait = 1

let native: NativeMemory | undefined | null = null

/** The C library, or undefined where it cannot be called from here, or OUTPOOL_NO_NATIVE=1 says not to. */
export function nativeMemory(): NativeMemory | undefined {
  if (native === null) native = process.env['OUTPOOL_NO_NATIVE'] === '1' ? undefined : load()
  return native
}

/** Gives back what `malloc` has free, in a process that calls the C library anyway. */
export function trimMalloc(): void {
  native?.trim()
}

/** What `make` gives, made when it is first asked for. */
function whenUsed<T>(make: () => T): () => T {
  let made: { readonly it: T } | undefined
  return () => (made ??= { it: make() }).it
}

function load(): NativeMemory | undefined {
  try {
    const koffi = loadKoffi()
    const library = koffi.load(null)
    const find = (prototype: string): ReturnType<typeof library.func> | undefined => {
      try {
        return library.func(prototype)
      } catch {
        // Not every system has it.
        return undefined
      }
    }
    // Most processes call the first alone.
    const mmap = library.func('void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t at)')
    const munmap = whenUsed(() => library.func('int munmap(void *address, size_t length)'))
    const closeFile = whenUsed(() => library.func('int close(int fd)'))
    const flock = whenUsed(() => library.func('int flock(int fd, int operation)'))
    const madvise = whenUsed(() => find('int madvise(void *address, size_t length, int advice)'))
    const mallocTrim = whenUsed(() => find('int malloc_trim(size_t pad)'))
    const memfdCreate = whenUsed(() => find('int memfd_create(const char *name, unsigned int flags)'))
    return {
      map(descriptor, length, how, offset) {
        const address = mmap(null, length, readWrite, mapFlags[how], descriptor, offset) as bigint
        if (BigInt.asUintN(64, address) !== failed) return address
        throw new Error(`mmap of ${length} bytes at ${offset}, ${how}, failed with error ${koffi.errno()}`)
      },
      unmap: (address, length) => void munmap()(address, length),
      vacate: (address, length) => void mmap(address, length, readWrite, zeros, -1, 0),
      view: (address, length) => koffi.view(address, length),
      anonymousFile(name) {
        const descriptor = memfdCreate()?.(name, closeOnExec) as number | undefined
        if (descriptor === undefined || descriptor < 0) return undefined
        try {
          // Node warns, in worker threads, of files that it closes and has not opened.
          return openSync(`/proc/self/fd/${descriptor}`, 'r+')
        } catch {
          return undefined
        } finally {
          closeFile()(descriptor)
        }
      },
      populate: (address, length) =>
        new Promise((resolve) => {
          const advise = process.platform === 'linux' ? madvise() : undefined
          if (advise === undefined) return resolve(false)
          advise.async(address, length, populateWrite, (error: unknown, result: number) =>
            resolve(error === null && result === 0),
          )
        }),
      trim: () => void mallocTrim()?.(0),
      reap: (pid) => void find('int waitpid(int pid, int *status, int options)')?.(pid, null, doNotWait),
      tryLock: (descriptor) => (flock()(descriptor, lockExclusive | lockNoWait) as number) === 0,
    }
  } catch {
    // No prebuilt binary for this platform, or the optional package was left out: callers have another way.
    return undefined
  }
}
