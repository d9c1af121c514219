/** A daemon as a process: its record, its signals, its end. The daemon itself, without a process around it, is `daemon.ts`. */
import { startDaemon } from './daemon.ts'
import type { Daemon } from './daemon.ts'
import type { DaemonOptions } from './daemon-options.ts'
import { removeRecord, writeRecord } from './node-records.ts'
import { outpoolHome } from './token.ts'

/**
 * Resolves when the node is ready. From then on this process belongs to it: SIGTERM and SIGINT stop it in order, a
 * second one at once; the process exits when the node has stopped.
 */
export async function runDaemon(options: DaemonOptions): Promise<Daemon> {
  const home = outpoolHome()
  let recorded: Daemon['facts'] | undefined
  const record = ({ facts }: Daemon): void => {
    if (recorded) removeRecord(recorded.id, home)
    recorded = facts
    const { id, url, headUrl } = facts
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
    if (recorded) removeRecord(recorded.id, home)
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      if (stopping) process.exit(1)
      stopping = true
      void daemon.stop(`it got ${signal}`).finally(() => process.exit(0))
    })
  return daemon
}
