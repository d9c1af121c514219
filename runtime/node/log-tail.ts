/**
 * Follows the output files of the workers and hands their lines on. Files instead of pipes, because the last lines
 * before a crash are the ones that matter; looked at every 100 ms while something comes, because that costs a microsecond
 * per file and works on every file system. After a silence the system tells of the next word (`watchFolder`), and a look
 * every two seconds finds what it does not tell of: an idle node sleeps. A file that has grown beyond its bound is
 * rotated once it was read; one that grows faster than it is read is rotated at twice the bound, and what was not read
 * yet is counted, not told.
 */
import { closeSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import type { Clock, Timer } from '../base/clock.ts'
import type { ProcessId } from '../base/ids.ts'
import { watchFolder } from '../base/watch-folder.ts'
import { LogLines } from './log-lines.ts'
import type { NamedLine } from './log-lines.ts'
import { earlierLog, maxLogBytes, rotateFile } from './rotate-file.ts'

export interface LogTailOptions {
  readonly clock: Clock
  /** New lines of a worker. */
  readonly onLines: (worker: ProcessId, stream: 'stdout' | 'stderr', lines: readonly NamedLine[]) => void
  /** Default 100. */
  readonly intervalMs?: number
  /** Bytes of a file above which it is rotated. Default 8 MiB. */
  readonly maxFileBytes?: number
}

interface Tail {
  readonly worker: ProcessId
  readonly stream: 'stdout' | 'stderr'
  readonly path: string
  readonly file: number
  readonly lines: LogLines
  offset: number
}

/** Read per file and look, so that a worker that floods its output does not stop the node manager. */
const readBytes = 256 * 1024

/** So many looks in vain are a silence: repetitions that were counted have been told by then. */
const quietLooks = 15
/** Between two looks in a silence, in milliseconds. */
const quietMs = 2_000
/** What comes within so long of the first word is told with it, in milliseconds. */
const wakeMs = 20

export class LogTail {
  readonly #options: LogTailOptions
  readonly #intervalMs: number
  readonly #tails = new Map<ProcessId, readonly Tail[]>()
  readonly #buffer = Buffer.allocUnsafe(readBytes)
  #timer: Timer | undefined
  /** Looks in vain since the last word. */
  #quiet = 0
  /** What tells of the next word, while they are silent. */
  #watches: { close(): void }[] = []

  constructor(options: LogTailOptions) {
    this.#options = options
    this.#intervalMs = options.intervalMs ?? 100
  }

  get size(): number {
    return this.#tails.size
  }

  follow(worker: ProcessId, outPath: string, errPath: string): void {
    const tails: Tail[] = []
    const open = (stream: Tail['stream'], path: string): void => {
      const lines = new LogLines(undefined, this.#options.clock.now())
      tails.push({ worker, stream, path, file: openSync(path, 'r'), lines, offset: 0 })
    }
    try {
      open('stdout', outPath)
      open('stderr', errPath)
    } catch {
      // The file is gone: its worker never was, or the run folder was removed under us.
      for (const { file } of tails) closeSync(file)
      return
    }
    this.#tails.set(worker, tails)
    this.#wake(this.#intervalMs)
  }

  /** The worker is gone: tells what is left in its files and closes them. */
  finish(worker: ProcessId): void {
    const tails = this.#tails.get(worker)
    this.#tails.delete(worker)
    for (const tail of tails ?? []) {
      // A process that survived its group (a daemon of its own session) may still be writing: there is an end to it.
      for (let rounds = 0; rounds < 64 && this.#read(tail); rounds++);
      this.#tell(tail, tail.lines.end(this.#options.clock.now()))
      closeSync(tail.file)
    }
    if (this.#tails.size === 0) this.#stopTimer()
  }

  /** Looks at every file now. */
  poll(): void {
    for (const tails of this.#tails.values())
      for (const tail of tails) {
        this.#read(tail)
        this.#tell(tail, tail.lines.tick(this.#options.clock.now()))
      }
  }

  close(): void {
    for (const worker of [...this.#tails.keys()]) this.finish(worker)
    this.#stopTimer()
  }

  #stopTimer(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#endWatches()
  }

  #stayAwake(): void {
    this.#quiet %= quietLooks
    this.#endWatches()
  }

  #endWatches(): void {
    for (const watch of this.#watches.splice(0)) watch.close()
  }

  #lookIn(ms: number): void {
    this.#timer = this.#options.clock.after(ms, () => this.#look())
  }

  #look(): void {
    this.#quiet++
    this.poll()
    // Once more for what came before somebody told of it.
    if (this.#quiet >= quietLooks && this.#watches.length === 0 && this.#watch()) this.poll()
    const sleeps = this.#quiet >= quietLooks && this.#watches.length > 0
    if (!sleeps) this.#stayAwake()
    this.#lookIn(sleeps ? quietMs : this.#intervalMs)
  }

  /** Has the next word told. False where the system does not. */
  #watch(): boolean {
    const paths = [...this.#tails.values()].flat().map(({ path }) => path)
    const names = new Set(paths.map((path) => basename(path)))
    const changed = (name: string | null): void => {
      if (name === null || names.has(name)) this.#wake(wakeMs)
    }
    const watches = Array.from(new Set(paths.map((path) => dirname(path))), (folder) => watchFolder(folder, changed))
    for (const watch of watches) if (watch !== undefined) this.#watches.push(watch)
    if (!watches.includes(undefined)) return true
    this.#endWatches()
    return false
  }

  /** Something comes: the silence, if it was one, is over. */
  #wake(lookInMs: number): void {
    this.#quiet = 0
    if (this.#timer !== undefined && this.#watches.length === 0) return
    this.#stopTimer()
    this.#lookIn(lookInMs)
  }

  /** True when there may be more. */
  #read(tail: Tail): boolean {
    try {
      const length = readSync(tail.file, this.#buffer, 0, readBytes, tail.offset)
      if (length === 0) {
        if (tail.offset > 0 && fstatSync(tail.file).size < tail.offset) tail.offset = 0
        return false
      }
      tail.offset += length
      this.#quiet = 0
      this.#tell(tail, tail.lines.feed(this.#buffer.subarray(0, length), this.#options.clock.now()))
      const bound = this.#options.maxFileBytes ?? maxLogBytes
      if (length < readBytes) {
        if (tail.offset > bound) this.#tellEarlier(tail, this.#rotate(tail))
        return false
      }
      const { size } = fstatSync(tail.file)
      if (size <= 2 * bound) return true
      const notice = `\noutpool: ${size - tail.offset} bytes of output came too fast to be shown here\n`
      this.#rotate(tail)
      this.#tell(tail, tail.lines.feed(Buffer.from(notice), this.#options.clock.now()))
      return true
    } catch {
      return false
    }
  }

  /** Returns how many of the bytes before were not read. */
  #rotate(tail: Tail): number {
    const unread = rotateFile(tail.path) - tail.offset
    tail.offset = 0
    return unread
  }

  /** The last bytes of what was before the file, which came while it was rotated. */
  #tellEarlier(tail: Tail, length: number): void {
    if (length <= 0) return
    const bytes = readFileSync(earlierLog(tail.path)).subarray(-length)
    this.#tell(tail, tail.lines.feed(bytes, this.#options.clock.now()))
  }

  #tell(tail: Tail, lines: readonly NamedLine[]): void {
    if (lines.length > 0) this.#options.onLines(tail.worker, tail.stream, lines)
  }
}
