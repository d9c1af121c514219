/**
 * What happens to the tasks of an owner, written down as it happens: for `outpool tasks`, `outpool why` and `outpool
 * timeline`. Only where the environment variable OUTPOOL_EVENTS is set: without it none of this is in the path of a
 * task.
 *
 *     OUTPOOL_EVENTS=1       files in the folder `events` of Outpool's folder
 *     OUTPOOL_EVENTS=/path   files in that folder
 *
 * Each process that owns tasks writes `<job>/<process>.jsonl` on its own machine: a line that says who it is, then a line
 * for each event with microseconds since then. Lines wait in a ring of bounded size and are written 4 times a second and
 * when the process ends; of what does not fit, the oldest are dropped and counted. A program that begins removes the
 * oldest jobs of the folder beyond 100, and beyond 2 GiB.
 */
import { appendFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { outpoolHome } from '../base/home-folder.ts'
import { makeFolders, writeNew } from '../base/new-file.ts'
import { clearTimeout, setTimeout } from '../base/timers.ts'
import type { OwnerHost } from './host.ts'
import { removeOldEvents } from './old-events.ts'

/** The first line of a file. */
export interface EventsHeader {
  readonly e: 'owner'
  readonly job: string
  readonly process: string
  readonly node: string
  readonly pid: number
  /** When `t` is 0: milliseconds since 1970. */
  readonly wallMs: number
}

/** One line. `n` is the number of a task, `l` that of a lease of this owner. */
export interface TaskEvent {
  readonly e: string
  /** Microseconds since the header, by the monotonic clock. */
  readonly t: number
  readonly n?: number
  readonly l?: number
  readonly [field: string]: string | number | boolean | null | undefined
}

type Environment = Readonly<Record<string, string | undefined>>

const flushMs = 250
const mostWaiting = 100_000
/** A file that has grown beyond this gets no more events. */
const mostFileBytes = 512 * 1024 * 1024

/** Where the files are; undefined when nothing is to be written down. */
export function eventsFolder(environment: Environment = process.env): string | undefined {
  const wanted = environment['OUTPOOL_EVENTS']
  if (wanted === undefined || wanted === '' || wanted === '0') return undefined
  return isAbsolute(wanted) ? wanted : defaultEventsFolder(environment)
}

/** `events` in Outpool's folder of this user. Throws OutpoolError where it has none. */
export function defaultEventsFolder(environment: Environment = process.env): string {
  return join(outpoolHome(environment), 'events')
}

export class TaskEvents {
  readonly #folder: string
  readonly #host: OwnerHost
  readonly #onExit = (): void => this.flush()
  #path = ''
  #zeroMs = 0
  #waiting: string[] = []
  #dropped = 0
  #writtenBytes = 0
  #timer: NodeJS.Timeout | undefined
  #failed = false

  constructor(folder: string, host: OwnerHost) {
    this.#folder = folder
    this.#host = host
    process.on('exit', this.#onExit)
  }

  add(event: string, fields: Readonly<Record<string, unknown>>): void {
    if (this.#failed) return
    if (this.#zeroMs === 0) this.#zeroMs = performance.now()
    if (this.#waiting.length >= mostWaiting) {
      this.#dropped += this.#waiting.length
      this.#waiting = []
    }
    const t = Math.round((performance.now() - this.#zeroMs) * 1000)
    this.#waiting.push(JSON.stringify({ e: event, t, ...fields }))
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => this.flush(), flushMs)
    this.#timer.unref()
  }

  /** Writes what waits; synchronous, so that it also serves in an `exit` handler. */
  flush(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    if (this.#waiting.length === 0 || this.#failed) return
    try {
      if (this.#path === '') this.#begin()
      if (this.#dropped > 0) this.#waiting.unshift(JSON.stringify({ e: 'dropped', t: 0, events: this.#dropped }))
      this.#dropped = 0
      const text = `${this.#waiting.join('\n')}\n`
      this.#waiting = []
      this.#writtenBytes += Buffer.byteLength(text)
      if (this.#writtenBytes > mostFileBytes) return this.#stop(`${this.#path} has grown to ${mostFileBytes} bytes`)
      appendFileSync(this.#path, text)
    } catch (error) {
      this.#stop((error as Error).message)
    }
  }

  close(): void {
    this.flush()
    process.off('exit', this.#onExit)
  }

  #begin(): void {
    const { self, job } = this.#host
    const folder = join(this.#folder, job)
    // Once for each program: its workers write into the same folder.
    if (self.process === job) removeOldEvents(this.#folder)
    makeFolders(folder)
    this.#path = join(folder, `${self.process}.jsonl`)
    const wallMs = Date.now() - (performance.now() - this.#zeroMs)
    const header: EventsHeader = { e: 'owner', job, ...self, pid: process.pid, wallMs }
    writeNew(this.#path, `${JSON.stringify(header)}\n`)
  }

  #stop(reason: string): void {
    this.#failed = true
    this.#waiting = []
    this.#host.warn(`events of tasks are not written down in ${this.#folder} any more: ${reason}`)
  }
}
