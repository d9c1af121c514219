/** The output of a node, for people: the files of its workers in the run folder, and the log of the daemon itself. */
import { constants } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { isProcessId } from '../base/ids.ts'
import { earlierLog } from '../node/rotate-file.ts'

export interface LogFile {
  /** A worker, or `node` for the node manager. */
  readonly name: string
  readonly stream: 'out' | 'err'
  readonly sizeBytes: number
  readonly changedAtMs: number
}

export interface LogPart {
  readonly bytes: Buffer
  /** Where `bytes` begin. Less than was asked for when the file was cut meanwhile. */
  readonly from: number
  readonly sizeBytes: number
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
  for (const file of await readdir(join(runFolder, 'logs'))) {
    const [, name, stream] = /^([^.]+)\.(out|err)$/.exec(file) ?? []
    if (isProcessId(name)) await add(name, stream as LogFile['stream'], join(runFolder, 'logs', file))
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
  /** Of what was there before the file began anew. */
  readonly earlier?: boolean
}

/** At most 256 KiB of a file; undefined where there is none of that name. */
export async function readLog({
  runFolder,
  logFile,
  name,
  stream,
  from,
  earlier,
}: LogQuestion): Promise<LogPart | undefined> {
  let path = logFile
  // Both words are checked: they come from outside and become a path.
  if (name !== nodeLogName) {
    if (!isProcessId(name) || (stream !== 'out' && stream !== 'err')) return undefined
    path = join(runFolder, 'logs', `${name}.${stream}`)
  }
  if (path === '') return undefined
  if (earlier) path = earlierLog(path)
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => undefined)
  if (file === undefined) return undefined
  try {
    const { size } = await file.stat()
    const asked = Math.trunc(Number(from ?? 0))
    const wanted = Number.isSafeInteger(asked) ? asked : 0
    // A file that is shorter than what was read of it was cut, and begins anew.
    const start = wanted < 0 ? Math.max(0, size + wanted) : wanted > size ? 0 : wanted
    const buffer = Buffer.alloc(Math.min(mostBytes, size - start))
    const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
    return { bytes: buffer.subarray(0, bytesRead), from: start, sizeBytes: size }
  } finally {
    await file.close()
  }
}
