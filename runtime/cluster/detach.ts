/**
 * A daemon in the background: a process of its own session that outlives the command that starts it. It gets its
 * options over a channel (a command line can be read by everybody), says over it when it is ready or why it cannot be,
 * and then the channel is closed. Its output goes to a log file.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterFairly, systemClock } from '../base/clock.ts'
import { OutpoolError } from '../base/errors.ts'
import { describeEnd } from '../base/system-advice.ts'
import type { DaemonFacts, DaemonOptions } from './daemon-options.ts'
import { newLog } from './node-records.ts'

/** From the daemon, once. */
export type DaemonAnswer =
  | { readonly kind: 'ready'; readonly facts: DaemonFacts }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }

/** Longer than a busy head may take to answer, and then to register the node, in milliseconds. */
const startTimeoutMs = 90_000
/** Who waits is told after so long, in milliseconds. */
const toldAfterMs = 10_000
const tailLines = 10

/**
 * Resolves when the daemon is ready. Rejects with OutpoolError holding its last lines when it is not; `details.code` is
 * then the code of what went wrong. `tell`: told once, in words, where it takes long.
 */
export async function startDetached(
  options: Omit<DaemonOptions, 'logFile'>,
  tell: (text: string) => void = () => {},
): Promise<DaemonFacts & { logFile: string }> {
  const { path: logFile, descriptor: log } = newLog()
  let child: ChildProcess
  try {
    // The same extension as this file: the sources run under a loader, the built package without.
    const entry = fileURLToPath(new URL(`daemon-entry${extname(import.meta.url)}`, import.meta.url))
    child = fork(entry, [], { detached: true, stdio: ['ignore', log, log, 'ipc'], execArgv: daemonExecArgv() })
  } finally {
    closeSync(log)
  }
  const slow = (): void =>
    tell(
      `the node is not ready after ${toldAfterMs / 1000} s; it is waited for, ${startTimeoutMs / 1000} s at most. Its log: ${logFile}`,
    )
  const timer = afterFairly(systemClock, toldAfterMs, slow)
  try {
    const answer = await firstAnswer(child, { ...options, logFile })
    if (answer.kind === 'ready') return { ...answer.facts, logFile }
    throw new OutpoolError(answer.message, { details: { code: answer.code, logFile } })
  } catch (error) {
    child.kill('SIGKILL')
    const { message } = error as Error
    const tail = lastLines(logFile).filter((line) => !message.includes(line.replace(/^outpool: /, '')))
    const said = tail.length === 0 ? '' : `\nits last lines (${logFile}):\n  ${tail.join('\n  ')}`
    throw new OutpoolError(`the node did not start: ${message}${said}`, {
      cause: error,
      details: error instanceof OutpoolError ? error.details : {},
    })
  } finally {
    timer.cancel()
    if (child.connected) child.disconnect()
    child.unref()
  }
}

function firstAnswer(child: ChildProcess, options: DaemonOptions): Promise<DaemonAnswer> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new OutpoolError(`it was not ready within ${startTimeoutMs} ms`))
    const timer = afterFairly(systemClock, startTimeoutMs, late, true)
    const settle = (act: () => void): void => {
      timer.cancel()
      act()
    }
    // They stay: a late error that nobody listens to would be thrown, and a promise settles once.
    child.on('message', (message) => settle(() => resolve(message as DaemonAnswer)))
    child.on('error', (error) => settle(() => reject(error)))
    child.on('exit', (code, signal) =>
      settle(() => reject(new OutpoolError(`its process ended (${describeEnd(code, signal)})`))),
    )
    child.send(options)
  })
}

/** A debugger's port cannot be opened twice. */
function daemonExecArgv(): string[] {
  return process.execArgv.filter(
    (option) => !/^--(inspect|debug|eval|print|test)/.test(option) && !/^-[ep]$/.test(option),
  )
}

function lastLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '')
      .slice(-tailLines)
  } catch {
    return []
  }
}
