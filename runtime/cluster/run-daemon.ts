/** A daemon as a process: its record, its signals, its end. The daemon itself, without a process around it, is `daemon.ts`. */
import { isatty } from 'node:tty'
import { outpoolHome } from '../base/home-folder.ts'
import { spareMemory } from '../base/spare-memory.ts'
import { setInterval } from '../base/timers.ts'
import { chaosVariable } from '../transport/link-wrap.ts'
import { startDaemon } from './daemon.ts'
import type { Daemon } from './daemon.ts'
import type { NodeId } from '../base/ids.ts'
import { clearTextWarning } from './daemon-options.ts'
import type { DaemonFacts, DaemonOptions } from './daemon-options.ts'
import { rotateIfLarge } from '../node/rotate-file.ts'
import { trimMalloc } from '../objects/native-memory.ts'
import { reapOrphans } from './orphans.ts'
import { log, outliveLog } from './node-log.ts'
import { recordEnd, removeRecord, writeRecord } from './node-records.ts'

/** Less than what a service manager waits for before it kills, and than `outpool stop` does. */
const defaultDrainMs = 10_000
/** How often the log of the daemon is looked at, whether it has grown too large. */
const rotationMs = 10_000
/** How often it is looked whether there is memory to give back. */
const givesBackMs = 60_000

/**
 * Resolves when the node is ready. This process belongs to it: SIGTERM drains it for a while and then stops it, SIGINT
 * stops it, as either does while it starts, a second signal ends it at once; the process exits when the node has stopped.
 * SIGHUP makes it look at the file of the token at once, unless it comes from a terminal that is closed. `unwanted`:
 * nobody waits for the node any more; it then rejects, unless the node is up.
 */
export async function runDaemon(options: DaemonOptions, unwanted?: AbortSignal): Promise<Daemon> {
  outliveLog()
  const { drainMs = defaultDrainMs } = options
  const signals = obeySignals(drainMs)
  const home = outpoolHome()
  // For every connection of this process and of its workers.
  if (options.tls) process.env['OUTPOOL_TLS_CA'] = options.tls.ca ?? process.env['OUTPOOL_TLS_CA'] ?? 'system'
  if (options.allowChaos ?? process.env[chaosVariable] === '1') {
    process.env[chaosVariable] = '1'
    const { allowChaos } = await import('../transport/chaos.ts')
    allowChaos()
  }
  const warning = clearTextWarning(options)
  if (warning !== '') console.error(`outpool: ${warning}`)
  let daemon: Daemon | undefined
  let recorded: NodeId | undefined
  const record = ({ id, url, headUrl }: DaemonFacts): void => {
    const before = recorded
    const { head, logFile } = options
    try {
      writeRecord({ id, url, headUrl, head, logFile, drainMs, options }, home, before)
      recorded = id
    } catch (error) {
      // One that begins anew goes on under the record that it has.
      if (before === undefined) throw error
      log(`${(error as Error).message}; the node goes on`)
    }
  }
  const endBy = (error: Error): void => {
    if (recorded === undefined) return
    try {
      recordEnd(recorded, error.message, home)
      recorded = undefined
    } catch {
      // What is printed has to do.
    }
  }
  const onEnd = (error?: Error): void => {
    if (error) {
      endBy(error)
      console.error(`outpool: ${error.message}`)
    }
    process.exitCode = error ? 1 : 0
    process.exit()
  }
  process.on('exit', () => {
    daemon?.stopNow()
    try {
      if (recorded) removeRecord(recorded, home)
    } catch (error) {
      console.error(`outpool: the record of this node stays: ${(error as Error).message}`)
    }
  })
  const given = unwanted === undefined ? signals.early : AbortSignal.any([signals.early, unwanted])
  try {
    daemon = await startDaemon(options, { onIncarnation: record, onEnd }, given)
  } catch (error) {
    if (signals.early.aborted) process.exit(0)
    throw error
  }
  signals.isUp(daemon)
  const memory = spareMemory(givesBackMs, trimMalloc)
  memory.rest()
  setInterval(() => memory.rest(), givesBackMs).unref()
  if (process.pid === 1) reapOrphans()
  if (options.logFile !== '') setInterval(() => rotateIfLarge(options.logFile), rotationMs).unref()
  process.on('uncaughtExceptionMonitor', (error) => endBy(error instanceof Error ? error : new Error(String(error))))
  return daemon
}

interface Signals {
  /** Raised by the first one that comes before the node is up. */
  readonly early: AbortSignal
  /** They are for this one from now on, also the one that has come already. */
  isUp(daemon: Daemon): void
}

/** From the first moment on: the first process of a container ignores what it does not listen for. */
function obeySignals(drainMs: number): Signals {
  const early = new AbortController()
  let daemon: Daemon | undefined
  let stopping = false
  const stop = (signal: string, deadlineMs: number): void =>
    void daemon?.drain(deadlineMs, `it got ${signal}`).finally(() => process.exit(0))
  const stopBy = (signal: string, deadlineMs: number): void => {
    if (stopping) {
      log(`got ${signal} while it stops: ends at once, with what runs here`)
      process.exit(1)
    }
    stopping = true
    if (daemon === undefined) {
      log(`got ${signal} while it starts: stops`)
      return early.abort(signal)
    }
    log(deadlineMs > 0 ? `got ${signal}: what runs here has ${deadlineMs / 1000} s to end` : `got ${signal}: stops`)
    stop(signal, deadlineMs)
  }
  process.on('SIGTERM', () => stopBy('SIGTERM', drainMs))
  process.on('SIGINT', () => stopBy('SIGINT', 0))
  // Asked now: a terminal that hangs up is none any more.
  const ofTerminal = isatty(0)
  process.on('SIGHUP', () => (ofTerminal ? stopBy('SIGHUP', 0) : daemon?.readTokens()))
  return {
    early: early.signal,
    isUp(started) {
      daemon = started
      if (early.signal.aborted) stop(String(early.signal.reason), 0)
    },
  }
}
