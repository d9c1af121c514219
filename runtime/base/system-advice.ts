/** What to do where the system refuses a file or a process: its own words say neither why that is nor what helps. */
import { OutpoolError } from './errors.ts'
import { fileLimitAdvice, isFileTooLarge, isReadOnly } from './no-room.ts'

/** Where most of it lies. */
const temporary = 'set TMPDIR to another place where the node is started'
const openFiles = 'that many files may not be open: raise that limit (ulimit -n, LimitNOFILE= of the service)'

const disks: Readonly<Record<string, string>> = {
  ENOSPC: `that disk has no room, or no place for more files (see df and df -i): free some`,
  EDQUOT: `the quota of this user on that disk is used up: free some`,
  EROFS: `that disk is read-only (the system makes it so after a fault, see dmesg): have it mounted for writing`,
}

const limits: Readonly<Record<string, string>> = {
  EFBIG: fileLimitAdvice,
  EMFILE: openFiles,
  ENFILE: openFiles,
  EAGAIN:
    'no more processes are allowed: raise that limit (ulimit -u, TasksMax= of the service, pids of the container)',
  ENOMEM: 'the system has no memory for it: offer fewer CPUs (--num-cpus), or end what else takes memory there',
}

const signals: Readonly<Record<string, string>> = {
  SIGABRT:
    'Node ends so where it may start no thread or gets no memory: raise ulimit -u or ulimit -v, and see outpool doctor',
  SIGKILL: 'not by Outpool: the system does that where memory runs out, see dmesg',
}

/** How a process of Outpool ended that nobody has asked to, and what to do. */
export function describeEnd(code: number | null, signal: string | null): string {
  if (signal === null) return `exit code ${code}`
  const advice = signals[signal]
  return advice === undefined ? signal : `${signal}; ${advice}`
}

/** '' where the words of the system have to do. `elsewhere` is how another disk is chosen. */
export function systemAdvice(error: unknown, elsewhere: string = temporary): string {
  const code = String((error as NodeJS.ErrnoException | null)?.code)
  const disk = disks[code]
  return disk === undefined ? (limits[code] ?? '') : `${disk}, or ${elsewhere}`
}

/** The same where it is something else than room that is missing; '' where it is room. */
export function adviceBesidesRoom(error: unknown): string {
  return isFileTooLarge(error) || isReadOnly(error) ? systemAdvice(error) : ''
}

/** The words of the system, and what to do. */
export function withAdvice(error: unknown, elsewhere?: string): string {
  const text = error instanceof Error ? error.message : String(error)
  const advice = systemAdvice(error, elsewhere)
  return advice === '' ? text : `${text}; ${advice}`
}

/** An error of the system for which there is advice becomes one of Outpool's; any other stays what it is. */
export function advised(what: string, cause: unknown, elsewhere?: string): unknown {
  if (cause instanceof OutpoolError || systemAdvice(cause) === '') return cause
  return new OutpoolError(`${what}: ${withAdvice(cause, elsewhere)}`, { cause })
}
