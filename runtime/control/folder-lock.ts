/**
 * The folder of a head's tables is used by one process at a time: two that write the same tables would each be the head
 * of its own half of the cluster.
 */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { OutpoolError } from '../base/errors.ts'
import { holderOf, tryLockFile } from '../objects/folder-lock.ts'
import type { HolderNote } from '../objects/folder-lock.ts'

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
  for (let leftMs = patienceMs; ; leftMs -= pollMs) {
    const unlock = tryLockFile(path)
    if (unlock !== undefined) return unlock
    if (leftMs <= 0) throw inUse(folder, holderOf(path))
    await sleep(pollMs)
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
