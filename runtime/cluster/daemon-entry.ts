/** The process of a daemon in the background: options come over the channel, readiness or the failure goes back. */
import { OutpoolError } from '../base/errors.ts'
import type { DaemonOptions } from './daemon-options.ts'
import type { DaemonAnswer } from './detach.ts'
import { runDaemon } from './run-daemon.ts'

function answer(message: DaemonAnswer): void {
  process.send?.(message, () => {
    if (process.connected) process.disconnect()
  })
}

/** Nobody is told of the node any more. */
const abandoned = 'the command that started this node was ended before it was up, so the node stops'
const unwanted = new AbortController()
process.once('disconnect', () => unwanted.abort(new OutpoolError(abandoned)))

process.once('message', (options) => {
  runDaemon(options as DaemonOptions, unwanted.signal).then(
    (daemon) => {
      if (process.connected) return answer({ kind: 'ready', facts: daemon.facts })
      console.error(`outpool: ${abandoned}`)
      return daemon.stop('the command that started it was ended').finally(() => process.exit(1))
    },
    (error: unknown) => {
      const { message } = error as Error
      console.error(`outpool: ${message}`)
      process.exitCode = 1
      if (!process.connected) process.exit()
      answer({ kind: 'failed', code: error instanceof OutpoolError ? error.code : '', message })
    },
  )
})
