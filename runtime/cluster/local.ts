/**
 * Local mode begins with what takes longest: the first worker process is started, and boots while everything else that
 * a driver and a node are made of (`local-node.ts`) is loaded and set up in this process.
 *
 *     beginLocal --startLocal--> a node          beginLocal --discard--> nothing is left of it
 */
import { newProcessId } from '../base/ids.ts'
import { advised } from '../base/system-advice.ts'
import { EarlyWorker } from '../node/early-worker.ts'
import type { EarlyStart } from './node-host.ts'
import type { LocalNode, LocalOptions } from './local-node.ts'
import { beginRunFolder, completeRunFolder, removeRunFolder, removeStaleRunFolders } from './run-folder.ts'
import { workerEntry } from './worker-entry.ts'

export type { LocalNode, LocalOptions } from './local-node.ts'

/** The beginning of a local node: for `startLocal`, or to be discarded. */
export interface LocalBeginning {
  /** What was begun. Throws OutpoolError where that could not be done. */
  early(): EarlyStart
  /** Ends the worker and removes the folder, where nobody has taken them. */
  discard(): void
  /** They are a node's from now on, which ends them with itself. */
  taken(): void
}

/** Makes the run folder and starts the first worker in it. Throws nothing: `early` does. */
export function beginLocal(): LocalBeginning {
  const id = newProcessId()
  let runFolder = ''
  let worker: EarlyWorker | undefined
  const remove = (): void => {
    worker?.discard()
    if (runFolder !== '') removeRunFolder(runFolder)
  }
  const taken = (): void => void process.off('exit', remove)
  const discard = (): void => {
    taken()
    remove()
  }
  process.once('exit', remove)
  try {
    runFolder = beginRunFolder(id)
    worker = new EarlyWorker(workerEntry(), runFolder)
    // It looks for nothing in there before the node's file.
    completeRunFolder(runFolder)
    const early: EarlyStart = { id, runFolder, worker }
    return { early: () => early, discard, taken }
  } catch (cause) {
    discard()
    const error = runFolder === '' ? cause : notSetUp(runFolder, cause)
    const early = (): never => {
      throw error
    }
    return { early, discard() {}, taken() {} }
  }
}

function notSetUp(runFolder: string, error: unknown): unknown {
  return advised(`the local node could not be set up in ${runFolder}`, error)
}

/** Rejects with OutpoolError when a folder or socket cannot be had, TypeError or RangeError for an impossible option. */
export async function startLocal(options: LocalOptions = {}, begun: LocalBeginning = beginLocal()): Promise<LocalNode> {
  const early = begun.early()
  try {
    // What others left behind keeps nobody waiting while the worker boots.
    removeStaleRunFolders()
    const { startLocalNode } = await import('./local-node.ts')
    const node = await startLocalNode(options, early)
    begun.taken()
    return node
  } catch (error) {
    begun.discard()
    throw notSetUp(early.runFolder, error)
  }
}
