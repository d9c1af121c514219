/**
 * One worker process: started as the leader of its own process group, so that whatever it starts ends with it, with its
 * output in files, since a pipe loses its last lines when the process is killed. Nothing here keeps this process alive:
 * a driver in local mode must be able to end by itself.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import type { ProcessId } from '../base/ids.ts'
import { openNew } from '../base/new-file.ts'
import { printedOf } from '../base/output-mark.ts'
import { withAdvice } from '../base/system-advice.ts'
import { workerOptions } from '../base/worker-options.ts'
import type { ExitReport } from '../protocol/messages.ts'
import { foldersFor } from './child-settings.ts'

export interface WorkerProcessOptions {
  readonly worker: ProcessId
  /** The module that the process runs; it gets the run folder and its id as arguments. */
  readonly entry: string
  readonly runFolder: string
  readonly execArgv: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly outPath: string
  readonly errPath: string
  /** Called once, when the process is gone (or could not be made) and its group was killed. */
  readonly onExit: (report: ExitReport) => void
}

/** Where what a worker prints is kept. */
export function outputPath(runFolder: string, worker: ProcessId, stream: 'out' | 'err'): string {
  return join(runFolder, `${worker}.${stream}`)
}

/** The last lines of a worker's stderr that go into its exit report. */
const tailBytes = 4 * 1024
const tailLines = 20

export class WorkerProcess {
  readonly worker: ProcessId
  /** 0 when the process could not be made. */
  readonly pid: number
  readonly #child: ChildProcess
  readonly #options: WorkerProcessOptions
  #over = false
  #killedFor: string | undefined

  constructor(options: WorkerProcessOptions) {
    this.#options = options
    this.worker = options.worker
    const { entry, runFolder, execArgv, environment, outPath, errPath } = options
    const logs: number[] = []
    try {
      for (const path of [outPath, errPath]) logs.push(openNew(path, constants.O_APPEND))
      const { cwd, next } = foldersFor(execArgv, environment)
      const args = [...workerOptions, ...execArgv, entry, runFolder, options.worker, ...next]
      this.#child = spawn(process.execPath, args, {
        ...{ detached: true, cwd },
        stdio: ['ignore', ...logs],
        env: environment,
        windowsHide: true,
      })
    } finally {
      for (const file of logs) closeSync(file)
    }
    this.pid = this.#child.pid ?? 0
    this.#child.unref()
    this.#child.once('error', (error) => this.#exited(null, null, withAdvice(error)))
    this.#child.once('exit', (code, signal) => this.#exited(code, signal, ''))
  }

  get over(): boolean {
    return this.#over
  }

  /** SIGKILL to the whole group. `onExit` tells when it has taken effect, and the reason of the first. */
  kill(reason: string): void {
    if (this.#over) return
    if (!isEnding(this.pid)) this.#killedFor ??= reason
    killGroup(this.pid)
  }

  #exited(code: number | null, signal: string | null, error: string): void {
    if (this.#over) return
    // What the worker started goes with it, however the worker ended.
    killGroup(this.pid)
    this.#over = true
    const tail = error === '' ? readTail(this.#options.errPath) : error
    const report = [code, signal, this.pid, tail] as const
    const killedFor = signal === 'SIGKILL' ? this.#killedFor : undefined
    this.#options.onExit(killedFor === undefined ? report : [...report, killedFor])
  }
}

/** The flag of a process that is about to end, in `/proc/<pid>/stat` (PF_EXITING of the kernel). */
const exiting = 0x4

/** Whether something else has ended a process that is still there. Where nobody can know, it has not. */
function isEnding(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // Behind the name, which may hold anything: state, 5 numbers, flags.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' || fields[0] === 'X' || (Number(fields[6]) & exiting) !== 0
  } catch {
    return false
  }
}

/** SIGKILL to a process group; one that is gone is no error. */
export function killGroup(pgid: number): void {
  if (pgid <= 1) return
  try {
    process.kill(-pgid, 'SIGKILL')
  } catch {
    // ESRCH: nobody of it is left.
  }
}

/** The last lines of a file, without the marks that workers put between functions; '' when it cannot be read. */
export function readTail(path: string): string {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return ''
  }
  try {
    const { size } = fstatSync(file)
    const from = Math.max(0, size - tailBytes)
    const bytes = Buffer.alloc(size - from)
    const length = readSync(file, bytes, 0, bytes.length, from)
    const text = bytes.toString('utf8', 0, length)
    // A tail that begins inside a line begins with the next one.
    const whole = from === 0 ? text : text.slice(text.indexOf('\n') + 1)
    const lines = whole.split('\n').flatMap((line) => printedOf(line) || [])
    return lines.slice(-tailLines).join('\n')
  } catch {
    return ''
  } finally {
    closeSync(file)
  }
}

/** How a process ended, in words. */
export function describeExit([code, signal, pid, tail]: ExitReport): string {
  if (pid === 0) return `could not be made: ${tail}`
  const how = signal !== null ? `was ended by ${signal}` : `exited with code ${code}`
  return tail === '' ? how : `${how}; its last lines:\n${tail}`
}

/** Signals that a process brings upon itself. */
const ownSignals: ReadonlySet<string | null> = new Set([
  'SIGSEGV',
  'SIGABRT',
  'SIGBUS',
  'SIGILL',
  'SIGFPE',
  'SIGTRAP',
  'SIGSYS',
])

/** Whether it was ended by a signal from outside, which says nothing of the program in it. */
export function endedByOthers([, signal]: ExitReport): boolean {
  return signal !== null && !ownSignals.has(signal)
}
