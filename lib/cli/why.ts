/** `outpool why`: the story of one task, with causes, out of what its owner wrote down. */
import type { TaskEvent } from '../../runtime/owner/task-events.ts'
import { CommandError, exitCodes } from './exit-codes.ts'
import { jobFiles, taskId } from './task-files.ts'
import type { EventFlags, OwnerFile } from './task-files.ts'
import { coloured } from './tables.ts'

interface Step {
  readonly atMs: number
  readonly event: string
  readonly text: string
}

/** Things that happen to a lease and explain what happens next to the tasks on it. */
const leaseEvents: ReadonlySet<string> = new Set([
  'blocked',
  'reclaimed',
  'link broken',
  'worker is ended',
  'worker ended',
  'node died',
])

export async function why(wanted: string, flags: EventFlags): Promise<void> {
  const { file, number } = findOwner(wanted, await jobFiles(flags))
  const story = await tell(file, number)
  if (story.steps.length === 0)
    throw new CommandError(`there is no task ${wanted} in ${file.path}; outpool tasks lists them`, exitCodes.failure)
  const id = taskId(file.header, number)
  if (flags.json) return console.log(JSON.stringify({ task: id, ...story, wallMs: file.header.wallMs }, undefined, 2))
  console.log(`${coloured('bold', story.name)} ${id}, submitted by process ${file.header.pid}`)
  for (const { atMs, event, text } of story.steps)
    console.log(`${atMs.toFixed(1).padStart(12)} ms  ${coloured('bold', event.padEnd(15))}  ${text}`)
}

/** Where a task was sent last. Throws CommandError when that is not written down here. */
export async function placeOfTask(
  wanted: string,
  flags: EventFlags,
): Promise<{ readonly worker: string; readonly node: string; readonly attempt: number }> {
  const { file, number } = findOwner(wanted, await jobFiles(flags))
  const leases = new Map<number, TaskEvent>()
  let last: TaskEvent | undefined
  await file.read((event) => {
    if (event.e === 'leased' && event.l !== undefined) leases.set(event.l, event)
    if (event.e === 'pushed' && event.n === number) last = event
  })
  const lease = leases.get(last?.l ?? -1)
  if (last === undefined || lease === undefined)
    throw new CommandError(`task ${wanted} was not sent to any worker yet; see outpool why ${wanted}`)
  return { worker: String(lease['worker']), node: String(lease['node']), attempt: Number(last['attempt']) + 1 }
}

/** `owner:number` as tasks are named, or the number alone where one process owns all. */
function findOwner(wanted: string, files: readonly OwnerFile[]): { file: OwnerFile; number: number } {
  const [, owner = '', text = ''] = /^(?:([0-9a-f]+):)?([0-9a-f]+)$/.exec(wanted) ?? []
  const chosen = files.filter(({ header }) => header.process.startsWith(owner))
  const [file] = chosen
  if (text === '') throw new CommandError(`${wanted} is no id of a task: it is owner:number`, exitCodes.usage)
  if (file !== undefined && chosen.length === 1) return { file, number: Number.parseInt(text, 16) }
  throw new CommandError(
    file === undefined
      ? `nothing is written down here of process ${owner}`
      : `task ${wanted} may be of ${chosen.length} processes: write owner:number`,
    exitCodes.failure,
  )
}

async function tell(file: OwnerFile, number: number): Promise<{ name: string; steps: Step[] }> {
  const steps: Step[] = []
  const leases = new Map<number, TaskEvent>()
  /** The last thing that happened to each lease. */
  const causes = new Map<number, TaskEvent>()
  let name = ''
  let at: TaskEvent | undefined
  await file.read((event) => {
    const { e, l, n, t } = event
    if (e === 'leased' && l !== undefined) leases.set(l, event)
    if (l !== undefined && leaseEvents.has(e)) causes.set(l, event)
    if (l !== undefined && e === 'resumed') causes.delete(l)
    const isAbout = n === number
    const isAtLease = n === undefined && at !== undefined && l === at.l && leaseEvents.has(e)
    if (!isAbout && !isAtLease) return
    if (e === 'queued' && isAbout) name = String(event['name'] ?? name)
    if (e === 'pushed' && isAbout) at = event
    steps.push({ atMs: t / 1000, event: e, text: describe(event, leases.get(l ?? -1), causes.get(l ?? -1)) })
    if (isAbout && ['recalled', 'returned', 'retried', 'finished', 'failed'].includes(e)) at = undefined
  })
  return { name, steps }
}

function describe(event: TaskEvent, lease: TaskEvent | undefined, cause: TaskEvent | undefined): string {
  const place =
    lease === undefined
      ? 'a worker'
      : `worker ${String(lease['worker'])} (pid ${String(lease['pid'])}) of node ${String(lease['node'])}`
  const field = (key: string): string => String(event[key])
  switch (event.e) {
    case 'queued':
      return event['ready'] === false ? 'it waits for the values of its arguments' : 'it waits for a worker'
    case 'ready':
      return 'the values of its arguments are there'
    case 'pushed':
      return `attempt ${Number(event['attempt']) + 1} to ${place}, as number ${field('sequence')} of lease ${event.l}`
    case 'recalled':
      return `taken back unstarted from ${place}: ${recallCause(cause)}`
    case 'returned':
      return `given back unstarted by ${place}: ${recallCause(cause)}`
    case 'retried':
      return `to run again: ${cause === undefined ? 'the attempt before failed' : causeText(cause)}`
    case 'value lost':
      return `${field('key')} is needed, and there is no copy of it left: ${field('reason')}`
    case 'rebuilt':
      return 'to run again, which makes its values anew; it spends a retry'
    case 'finished':
      return `it ran ${(Number(event['runMicros']) / 1000).toFixed(3)} ms on ${place}`
    case 'threw':
      if (event['origin'] === 'arguments') return `not run on ${place}: values of its arguments are not there any more`
      return `${thrown[field('origin')] ?? field('origin')}, after ${(Number(event['runMicros']) / 1000).toFixed(3)} ms on ${place}`
    case 'fenced':
      return `a late answer from ${place} was refused: the task was no longer there`
    case 'failed':
      return [event['kind'], event['reason'], event['signal'] ?? event['code']]
        .filter((part) => part !== null && part !== undefined)
        .join(', ')
    case 'cancelled':
      return lease === undefined ? 'before it was sent anywhere' : `while it was at ${place}`
    case 'timed out':
      return `at ${place}`
    default:
      return causeText(event)
  }
}

/** By whose fault an attempt ended with an error. */
const thrown: Readonly<Record<string, string>> = {
  user: 'its function threw',
  system: 'it could not be run to its end',
  cancelled: 'it ended because it was cancelled',
  timeout: 'its time was over',
  setup: 'its function could not be loaded',
}

function recallCause(cause: TaskEvent | undefined): string {
  return cause === undefined ? 'the task before it ran for longer than expected' : causeText(cause)
}

function causeText(cause: TaskEvent): string {
  const { e, l } = cause
  const reason = String(cause['reason'] ?? '')
  if (e === 'blocked') return `the task before it on lease ${l} awaits others`
  if (e === 'reclaimed') return `the node asked for lease ${l} back: somebody else waits, or it drains`
  if (e === 'link broken') return `the link to its worker broke: ${reason}`
  if (e === 'worker is ended') return `the owner had its worker ended: ${reason}`
  if (e === 'node died') return `node ${String(cause['node'])} is dead: ${reason}; what it still says is not heard`
  const upTo = cause['startedUpTo']
  const progress = upTo === null ? 'nobody knows what it had started' : `it had started up to number ${String(upTo)}`
  return `its worker ended (${String(cause['signal'] ?? `exit code ${String(cause['code'])}`)}); ${progress}`
}
