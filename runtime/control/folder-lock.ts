/**
 * The folder of a head's tables is used by one process at a time: two that write the same tables would each be the head
 * of its own half of the cluster. The lock on `head.lock` is the system's, which takes it back at any end of the process;
 * what is in the file only says who has it. The file stays when the lock is given up: who holds a lock on a file that was
 * removed, and who locks the new one of that name, would both have it.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, constants, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { OutpoolError } from '../base/errors.ts'
import { noteProcess, stateOfProcess } from '../base/process-identity.ts'
import type { ProcessNote } from '../base/process-identity.ts'
import { nativeMemory } from '../objects/native-memory.ts'

interface HolderNote extends ProcessNote {
  readonly host: string
}

const lockName = 'head.lock'
/** A process that was killed a moment ago gives its lock back when its memory is freed. */
const patienceMs = 2_000
const pollMs = 50

/**
 * Held until the function that it resolves with is called, or this process ends. Rejects with OutpoolError when another
 * process has it, or its file cannot be used.
 */
export async function lockFolder(folder: string): Promise<() => void> {
  const path = join(folder, lockName)
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
  const descriptor = openSync(path, flags, 0o600)
  try {
    for (let leftMs = patienceMs; !take(descriptor, path); leftMs -= pollMs) {
      if (leftMs <= 0) throw inUse(folder, readNote(path))
      await sleep(pollMs)
    }
    ftruncateSync(descriptor)
    writeSync(descriptor, `${JSON.stringify({ ...noteProcess(process.pid), host: hostname() })}\n`, 0)
  } catch (error) {
    closeSync(descriptor)
    throw error
  }
  return () => {
    ftruncateSync(descriptor)
    closeSync(descriptor)
  }
}

function take(descriptor: number, path: string): boolean {
  const native = nativeMemory()
  if (native !== undefined) return native.tryLock(descriptor)
  // The lock belongs to the open file, which is ours as well: it stays when the command has ended.
  const { status } = spawnSync('flock', ['-x', '-n', '3'], { stdio: ['ignore', 'ignore', 'ignore', descriptor] })
  if (status === 0 || status === 1) return status === 0
  // No way to lock at all: two that start in the same moment are not told from one.
  const holder = readNote(path)
  return holder === undefined || stateOfProcess(holder) !== 'alive'
}

function readNote(path: string): HolderNote | undefined {
  try {
    const note = JSON.parse(readFileSync(path, 'utf8')) as Partial<HolderNote>
    const { pid, pidStart, pidSpace, host } = note
    if (typeof pid !== 'number' || ![pidStart, pidSpace, host].every((text) => typeof text === 'string'))
      return undefined
    return note as HolderNote
  } catch {
    // It has the lock, and has not said yet who it is.
    return undefined
  }
}

function inUse(folder: string, holder: HolderNote | undefined): OutpoolError {
  const who = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`
  return new OutpoolError(
    `the head's tables in ${folder} are in use by ${who}: a head runs there. Use that one (outpool status), end it first ` +
      '(outpool stop), or name another folder with --storage for another cluster',
    { details: { folder, ...(holder && { pid: holder.pid, host: holder.host }) } },
  )
}
