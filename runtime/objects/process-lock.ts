/**
 * Whether a process is alive, told by a lock that the system takes off it at its end, however it ends; its number may
 * be another's by then.
 */
import { closeSync, constants, openSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { OutOfDiskError } from '../base/errors.ts'
import type { ProcessId } from '../base/ids.ts'
import { openNew } from '../base/new-file.ts'
import { systemAdvice, withAdvice } from '../base/system-advice.ts'
import { nativeMemory } from './native-memory.ts'

/**
 * Held from now on until `release`, or the end of this process.
 * @throws OutOfDiskError where there is no room for its file, or the disk is read-only.
 */
export function holdLock(folder: string, process: ProcessId): () => void {
  const path = lockPath(folder, process)
  const descriptor = makeLock(folder, path)
  nativeMemory()?.tryLock(descriptor)
  return () => {
    rmSync(path, { force: true })
    closeSync(descriptor)
  }
}

function makeLock(folder: string, path: string): number {
  try {
    return openNew(path)
  } catch (cause) {
    const advice = systemAdvice(cause)
    if (advice === '') throw cause
    const text = `this process cannot use the object store in ${folder}: ${withAdvice(cause)}`
    throw new OutOfDiskError(text, { cause, details: { folder } })
  }
}

/** Whether nobody holds the lock of that process; its file is then gone. */
export function isLockFree(folder: string, process: ProcessId): boolean {
  const path = lockPath(folder, process)
  let descriptor: number
  try {
    descriptor = openSync(path, constants.O_RDWR | constants.O_NOFOLLOW)
  } catch (error) {
    // Without it: it was given up in order, or never taken. What cannot be looked at (too many open files) is held.
    return (error as NodeJS.ErrnoException).code === 'ENOENT'
  }
  try {
    if (nativeMemory()?.tryLock(descriptor) !== true) return false
    rmSync(path, { force: true })
    return true
  } finally {
    closeSync(descriptor)
  }
}

function lockPath(folder: string, process: ProcessId): string {
  return join(folder, `${process}.lock`)
}
