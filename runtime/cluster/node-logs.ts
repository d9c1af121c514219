/** The output of a node, for people: the files of its workers in the run folder, and the log of the daemon itself. */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isProcessId } from '../base/ids.ts'
import { earlierLog, rotatedBytes } from '../node/rotate-file.ts'
import { outputPath } from '../node/worker-process.ts'

export interface LogFile {
  /** A worker, or `node` for the node manager. */
  readonly name: string
  readonly stream: 'out' | 'err'
  readonly sizeBytes: number
  readonly changedAtMs: number
}

/**
 * Places count the bytes that were ever written to that log, also those that rotation has dropped: who reads on where it
 * stopped misses nothing that is still there, and sees how much is not.
 */
export interface LogPart {
  readonly bytes: Buffer
  /** Where `bytes` begin. More than was asked for where that is no longer kept. */
  readonly from: number
  /** Where begins what is kept, and where it ends now. */
  readonly begin: number
  readonly end: number
}

/** The log of the node manager: stdout and stderr go to one file. */
export const nodeLogName = 'node'
const mostBytes = 256 * 1024

/** Those that changed last come last. */
export async function listLogs(runFolder: string, logFile: string): Promise<LogFile[]> {
  const logs: LogFile[] = []
  const add = async (name: string, stream: LogFile['stream'], path: string): Promise<void> => {
    try {
      const { size, mtimeMs } = await stat(path)
      logs.push({ name, stream, sizeBytes: size, changedAtMs: Math.round(mtimeMs) })
    } catch {
      // It went away meanwhile.
    }
  }
  if (logFile !== '') await add(nodeLogName, 'err', logFile)
  for (const file of await readdir(runFolder)) {
    const [, name, stream] = /^([^.]+)\.(out|err)$/.exec(file) ?? []
    if (isProcessId(name)) await add(name, stream as LogFile['stream'], join(runFolder, file))
  }
  return logs.sort((a, b) => a.changedAtMs - b.changedAtMs)
}

export interface LogQuestion {
  readonly runFolder: string
  readonly logFile: string
  readonly name: string
  readonly stream: string | null
  /** A count of bytes; a negative one is counted from the end. */
  readonly from: string | null
}

/** At most 256 KiB of a log; undefined where there is none of that name. */
export function readLog({ runFolder, logFile, name, stream, from }: LogQuestion): LogPart | undefined {
  let path = logFile
  // Both words are checked: they come from outside and become a path.
  if (name !== nodeLogName) {
    if (!isProcessId(name) || (stream !== 'out' && stream !== 'err')) return undefined
    path = outputPath(runFolder, name, stream)
  }
  // In one go, between two rotations.
  const sizeBytes = path === '' ? undefined : sizeOf(path)
  if (sizeBytes === undefined) return undefined
  const earlierBytes = sizeOf(earlierLog(path)) ?? 0
  const present = rotatedBytes(path) ?? earlierBytes
  const begin = present - earlierBytes
  const end = present + sizeBytes
  const asked = Math.trunc(Number(from ?? 0))
  const wanted = Number.isSafeInteger(asked) ? asked : 0
  // A file that is shorter than what was read of it was cut by somebody else, and begins anew.
  const start = wanted > end ? present : Math.max(begin, wanted < 0 ? end + wanted : wanted)
  const bytes =
    start < present
      ? readBytes(earlierLog(path), start - begin, present - start)
      : readBytes(path, start - present, end - start)
  return bytes && { bytes, from: start, begin, end }
}

function sizeOf(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.size
}

function readBytes(path: string, from: number, length: number): Buffer | undefined {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW)
  } catch {
    return undefined
  }
  try {
    if (!fstatSync(file).isFile()) return undefined
    const buffer = Buffer.alloc(Math.min(mostBytes, length))
    return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, from))
  } finally {
    closeSync(file)
  }
}
