/**
 * Local mode begins with what takes longest: the first worker process is started, and boots while everything else that
 * a node is made of (`local-node.ts`) is loaded and set up in this process.
 */
import { newProcessId } from '../base/ids.ts'
import { advised } from '../base/system-advice.ts'
import { EarlyWorker } from '../node/early-worker.ts'
import type { EarlyStart } from './node-host.ts'
import type { LocalNode, LocalOptions } from './local-node.ts'
import { createRunFolder, removeRunFolder, removeStaleRunFolders } from './run-folder.ts'
import { workerEntry } from './worker-entry.ts'

export type { LocalNode, LocalOptions } from './local-node.ts'

/** Rejects with OutpoolError when a folder or socket cannot be had, TypeError or RangeError for an impossible option. */
export async function startLocal(options: LocalOptions = {}): Promise<LocalNode> {
  const id = newProcessId()
  const runFolder = createRunFolder(id)
  let discard = (): void => removeRunFolder(runFolder)
  const onExit = (): void => discard()
  process.once('exit', onExit)
  try {
    const worker = new EarlyWorker(workerEntry(), runFolder)
    discard = () => {
      worker.discard()
      removeRunFolder(runFolder)
    }
    // What others left behind keeps nobody waiting while the worker boots.
    removeStaleRunFolders()
    const early: EarlyStart = { id, runFolder, worker }
    const { startLocalNode } = await import('./local-node.ts')
    return await startLocalNode(options, early)
  } catch (error) {
    discard()
    throw advised(`the local node could not be set up in ${runFolder}`, error)
  } finally {
    process.off('exit', onExit)
  }
}
