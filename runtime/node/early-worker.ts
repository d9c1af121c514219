/**
 * A worker process that is started before its node manager is there: it boots while that is made, waits for the node's
 * file, and is the first worker that the node manager would have started.
 *
 *     started --adopt--> a worker like any other          started --discard--> killed
 */
import { newProcessId } from '../base/ids.ts'
import type { ProcessId } from '../base/ids.ts'
import { setImmediate } from '../base/timers.ts'
import type { ExitReport } from '../protocol/messages.ts'
import { childExecArgv, workerEnvironment } from './child-settings.ts'
import { outputPath, WorkerProcess } from './worker-process.ts'

export class EarlyWorker {
  readonly worker: ProcessId = newProcessId()
  readonly #process: WorkerProcess
  #ended: ExitReport | undefined
  #onExit: ((report: ExitReport) => void) | undefined

  /** In a run folder that has its sub-folders already. */
  constructor(entry: string, runFolder: string) {
    const pathOf = (stream: 'out' | 'err'): string => outputPath(runFolder, this.worker, stream)
    this.#process = new WorkerProcess({
      ...{ worker: this.worker, entry, runFolder, outPath: pathOf('out'), errPath: pathOf('err') },
      execArgv: childExecArgv(),
      environment: workerEnvironment(process.env),
      onExit: (report) => {
        this.#ended = report
        this.#onExit?.(report)
      },
    })
  }

  /** From now on it is the caller's, who hears of its end in a later turn, also when that was before. */
  adopt(onExit: (report: ExitReport) => void): WorkerProcess {
    this.#onExit = onExit
    if (this.#ended !== undefined) setImmediate(onExit, this.#ended)
    return this.#process
  }

  /** Nobody will adopt it. */
  discard(): void {
    this.#process.kill('nobody needs it')
  }
}
