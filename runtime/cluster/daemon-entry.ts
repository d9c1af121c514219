/** The process of a daemon in the background: options come over the channel, readiness or the failure goes back. */
import { OutpoolError } from '../base/errors.ts'
import type { DaemonOptions } from './daemon-options.ts'
import type { DaemonAnswer } from './detach.ts'
import { runDaemon } from './run-daemon.ts'

function answer(message: DaemonAnswer): void {
  if (!process.connected) return
  process.send?.(message, () => {
    if (process.connected) process.disconnect()
  })
}

process.once('message', (options) => {
  runDaemon(options as DaemonOptions).then(
    (daemon) => {
      if (process.connected) return answer({ kind: 'ready', facts: daemon.facts })
      console.error('outpool: the command that started this node was ended before it was up, so the node stops')
      return daemon.stop('the command that started it was ended').finally(() => process.exit(1))
    },
    (error: unknown) => {
      const { message } = error as Error
      console.error(`outpool: ${message}`)
      process.exitCode = 1
      answer({ kind: 'failed', code: error instanceof OutpoolError ? error.code : '', message })
    },
  )
})
