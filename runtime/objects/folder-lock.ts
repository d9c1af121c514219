/**
 * A folder that one process at a time uses, by a lock on a file in it. The lock is the system's, which takes it back at any
 * end of the process; what is in the file only says who has it. The file stays when the lock is given up: who holds a lock
 * on a file that was removed, and who locks the new one of that name, would both have it.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { noteProcess, stateOfProcess } from '../base/process-identity.ts'
import type { ProcessNote } from '../base/process-identity.ts'
import { nativeMemory } from './native-memory.ts'

export interface HolderNote extends ProcessNote {
  readonly host: string
}

/**
 * Tries once, without waiting. Held until the function that it returns is called (again: nothing), or this process ends;
 * undefined when another one has it. Throws the system's error when the file cannot be opened or written.
 */
export function tryLockFile(path: string): (() => void) | undefined {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
  try {
    if (!take(descriptor, path)) {
      closeSync(descriptor)
      return undefined
    }
    ftruncateSync(descriptor)
    writeSync(descriptor, `${JSON.stringify({ ...noteProcess(process.pid), host: hostname() })}\n`, 0)
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
  let held = true
  return () => {
    // The number may be that of another file by now.
    if (!held) return
    held = false
    ftruncateSync(descriptor)
    closeSync(descriptor)
  }
}

/** Who holds the lock, or held it when it was killed; undefined where it has not said so yet, or gave it up. */
export function holderOf(path: string): HolderNote | undefined {
  try {
    const note = JSON.parse(readFileSync(path, 'utf8')) as Partial<HolderNote>
    const { pid, pidStart, pidSpace, host } = note
    if (typeof pid !== 'number' || ![pidStart, pidSpace, host].every((text) => typeof text === 'string'))
      return undefined
    return note as HolderNote
  } catch {
    return undefined
  }
}

function take(descriptor: number, path: string): boolean {
  const native = nativeMemory()
  if (native !== undefined) return native.tryLock(descriptor)
  // The lock belongs to the open file, which is ours as well: it stays when the command has ended.
  const { status } = spawnSync('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] })
  if (status === 0 || status === 1) return status === 0
  // No way to lock at all: two that start in the same moment are not told from one.
  const holder = holderOf(path)
  return holder === undefined || stateOfProcess(holder) !== 'alive'
}
