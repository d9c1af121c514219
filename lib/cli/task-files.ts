/** What processes with OUTPOOL_EVENTS wrote down about their tasks on this machine, read again. */
import { createReadStream, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { namesIn } from '../../runtime/base/names-in.ts'
import { defaultEventsFolder, eventsFolder } from '../../runtime/owner/task-events.ts'
import type { EventsHeader, TaskEvent } from '../../runtime/owner/task-events.ts'
import { CommandError, exitCodes } from './exit-codes.ts'

export interface EventFlags {
  readonly job?: string
  readonly events?: string
  readonly json?: boolean
}

/** One process and what it wrote down. */
export interface OwnerFile {
  readonly header: EventsHeader
  readonly path: string
  /** Events in order of time, given to `use` one by one. */
  read(use: (event: TaskEvent) => void): Promise<void>
}

/** Of one job: the one that was named, else the latest. Throws CommandError when there is none. */
export async function jobFiles({ job, events }: EventFlags): Promise<OwnerFile[]> {
  const folder = events ?? eventsFolder() ?? defaultEventsFolder()
  const jobs = namesIn(folder)
    .filter((name) => name.startsWith(job ?? ''))
    .map((name) => ({ name, atMs: changedAtMs(join(folder, name)) }))
    .sort((a, b) => b.atMs - a.atMs)
  const [latest] = jobs
  if (latest === undefined || (job !== undefined && jobs.length > 1)) {
    const found =
      latest === undefined
        ? `there are no events of ${job === undefined ? 'any job' : `a job ${job}`} in ${folder}; run the program with OUTPOOL_EVENTS=1`
        : `${job} is not one job but ${jobs.length}: ${jobs.map(({ name }) => name).join(', ')}`
    throw new CommandError(found, latest === undefined ? exitCodes.failure : exitCodes.usage)
  }
  const paths = namesIn(join(folder, latest.name)).filter((name) => name.endsWith('.jsonl'))
  const files = await Promise.all(paths.map((name) => ownerFile(join(folder, latest.name, name))))
  return files.filter((file) => file !== undefined)
}

async function ownerFile(path: string): Promise<OwnerFile | undefined> {
  let header: EventsHeader | undefined
  await eachLine(path, (line) => {
    header = line as unknown as EventsHeader
    return false
  })
  if (header?.e !== 'owner') return undefined
  const read = (use: (event: TaskEvent) => void): Promise<void> =>
    eachLine(path, (line) => {
      if (line.e !== 'owner') use(line)
      return true
    })
  return { header, path, read }
}

/** Until `use` returns false. The last line of a process that was killed may be half a line: it is left out. */
async function eachLine(path: string, use: (line: TaskEvent) => boolean): Promise<void> {
  const input = createReadStream(path)
  try {
    for await (const text of createInterface({ input, crlfDelay: Infinity })) {
      let line: TaskEvent
      try {
        line = JSON.parse(text) as TaskEvent
      } catch {
        continue
      }
      if (!use(line)) return
    }
  } finally {
    input.destroy()
  }
}

/** As `context().task.id` has it. */
export function taskId({ process: owner }: EventsHeader, number: number): string {
  return `${owner}:${number.toString(16)}`
}

function changedAtMs(folder: string): number {
  return Math.max(0, ...namesIn(folder).map((name) => statSync(join(folder, name)).mtimeMs))
}
