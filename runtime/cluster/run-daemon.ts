/** A daemon as a process: its record, its signals, its end. The daemon itself, without a process around it, is `daemon.ts`. */
import { startDaemon } from './daemon.ts'
import type { Daemon } from './daemon.ts'
import type { NodeId } from '../base/ids.ts'
import type { DaemonFacts, DaemonOptions } from './daemon-options.ts'
import { removeRecord, writeRecord } from './node-records.ts'
import { outpoolHome } from './token.ts'

/**
 * Resolves when the node is ready. From then on this process belongs to it: SIGTERM and SIGINT stop it in order, a
 * second one at once; the process exits when the node has stopped.
 */
export async function runDaemon(options: DaemonOptions): Promise<Daemon> {
  const home = outpoolHome()
  let recorded: NodeId | undefined
  const record = ({ id, url, headUrl }: DaemonFacts): void => {
    if (recorded) removeRecord(recorded, home)
    recorded = id
    writeRecord({ id, url, headUrl, head: options.head, logFile: options.logFile }, home)
  }
  let stopping = false
  const daemon = await startDaemon(options, {
    onIncarnation: record,
    onEnd: (error) => {
      if (error) console.error(`outpool: ${error.message}`)
      process.exitCode = error ? 1 : 0
      process.exit()
    },
  })
  process.on('exit', () => {
    daemon.stopNow()
    if (recorded) removeRecord(recorded, home)
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (stopping) process.exit(1)
      stopping = true
      void daemon.stop(`it got ${signal}`).finally(() => process.exit(0))
    })
  return daemon
}
