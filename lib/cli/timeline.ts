/**
 * `outpool timeline`: the tasks, leases and transfers of a job in the trace event format of Chrome, Perfetto and
 * speedscope. Nodes are its processes. Each worker has a row (a thread) for tasks and one for leases; each process that
 * brought values to itself has one for transfers. What overlaps goes on in further rows.
 */
import type { TaskEvent } from '../../runtime/owner/task-events.ts'
import { jobFiles, taskId } from './task-files.ts'
import type { EventFlags, OwnerFile } from './task-files.ts'
import { placeInTime, rowsOf } from './trace-rows.ts'
import type { Estimate, Span } from './trace-rows.ts'

/** Times are microseconds since the first owner began. */
interface TraceEvent {
  readonly name: string
  readonly ph: 'X' | 'i' | 'M'
  readonly ts: number
  readonly dur?: number
  readonly pid: number
  readonly tid: number
  readonly cat?: string
  readonly s?: 't'
  readonly args: Readonly<Record<string, unknown>>
}

/** The rows of one kind of one process. */
interface Group {
  readonly pid: number
  readonly title: string
  /** Of the first row. */
  readonly tid: number
  readonly spans: Span[]
  /** Of spans that are tasks: what is known of their time. */
  readonly estimates: Estimate[]
}

interface OpenLease {
  readonly tasks: Group
  readonly leases: Group
  readonly since: number
}

/** Above every pid that Linux gives: rows that are not named after a process. */
const furtherRows = 2 ** 23

const instants: ReadonlySet<string> = new Set([
  'recalled',
  'returned',
  'retried',
  'rebuilt',
  'fenced',
  'cancelled',
  'timed out',
  'failed',
])

export async function timeline(flags: EventFlags): Promise<void> {
  const files = await jobFiles(flags)
  const zeroMs = Math.min(...files.map(({ header }) => header.wallMs))
  const trace = new Trace()
  for (const file of files) await trace.addOwner(file, (file.header.wallMs - zeroMs) * 1000)
  console.log(JSON.stringify({ traceEvents: trace.events(), displayTimeUnit: 'ms' }))
}

class Trace {
  readonly #instants: TraceEvent[] = []
  readonly #nodes = new Map<string, number>()
  readonly #groups = new Map<string, Group>()
  #nextRow = furtherRows

  async addOwner(file: OwnerFile, offset: number): Promise<void> {
    const leases = new Map<number, OpenLease>()
    const pushed = new Map<number, number>()
    const names = new Map<number, string>()
    let last = offset
    await file.read((event) => {
      const ts = event.t + offset
      last = Math.max(last, ts)
      const { e, l = -1, n = -1 } = event
      if (e === 'queued') names.set(n, String(event['name'] ?? ''))
      else if (e === 'leased') leases.set(l, this.#lease(event, ts))
      else if (e === 'pushed') pushed.set(n, ts)
      else if (e === 'transferred') this.#transfer(file, event, ts)
      const lease = leases.get(l)
      if (lease === undefined) return
      const args = { task: taskId(file.header, n), owner: file.header.process }
      if (e === 'finished' || e === 'threw') {
        // The owner knows how long it ran and when it heard of it.
        const { estimates, spans } = lease.tasks
        estimates.push({ sentAt: pushed.get(n) ?? 0, heardAt: ts, ran: Number(event['runMicros']) })
        spans.push({ name: names.get(n) ?? '', cat: 'task', ts, dur: 0, args })
        if (e === 'finished') names.delete(n)
        pushed.delete(n)
      } else if (instants.has(e)) {
        const { pid, tid } = lease.tasks
        this.#instants.push({ name: `${e} ${names.get(n) ?? ''}`, ph: 'i', ts, pid, tid, s: 't', cat: e, args })
      } else if (e === 'lease returned' || e === 'worker ended' || e === 'node died') {
        leases.delete(l)
        endLease(l, lease, ts, e)
      }
    })
    for (const [index, lease] of leases) endLease(index, lease, last, 'still held')
  }

  /** Everything, with the names of processes and rows. */
  events(): TraceEvent[] {
    const events: TraceEvent[] = []
    const name = (what: 'process_name' | 'thread_name', text: string, pid: number, tid: number): void => {
      events.push({ name: what, ph: 'M', ts: 0, pid, tid, args: { name: text } })
    }
    for (const [node, pid] of this.#nodes) name('process_name', `node ${node}`, pid, 0)
    for (const { pid, title, tid, spans, estimates } of this.#groups.values()) {
      const times = estimates.length > 0 ? placeInTime(estimates) : spans
      const rows = rowsOf(times)
      const tids = [tid]
      while (tids.length <= Math.max(0, ...new Set(rows))) tids.push(this.#nextRow++)
      for (const [row, id] of tids.entries()) name('thread_name', row === 0 ? title : `${title}, beside`, pid, id)
      for (const [i, span] of spans.entries()) {
        const { ts, dur } = times[i] as Span
        events.push({ ...span, ph: 'X', ts, dur, pid, tid: tids[rows[i] as number] as number })
      }
    }
    return [...events, ...this.#instants]
  }

  #transfer({ header }: OwnerFile, event: TaskEvent, ts: number): void {
    const { key, bytes, from, error } = event
    const dur = Math.min(Number(event['micros']), ts)
    const args = { key, bytes, from, error }
    const name = `${String(key)}${error === '' ? '' : ' (failed)'}`
    const title = `transfers to process ${header.process} (pid ${header.pid})`
    this.#group(String(event['to']), title).spans.push({ name, cat: 'transfer', ts: ts - dur, dur, args })
  }

  #lease(event: TaskEvent, since: number): OpenLease {
    const node = String(event['node'])
    const pid = Number(event['pid'])
    const tasks = this.#group(node, `worker ${String(event['worker'])} (pid ${pid})`, pid)
    return { tasks, leases: this.#group(node, `leases of pid ${pid}`), since }
  }

  #group(node: string, title: string, tid?: number): Group {
    const key = `${node} ${title}`
    let group = this.#groups.get(key)
    if (group !== undefined) return group
    let pid = this.#nodes.get(node)
    if (pid === undefined) this.#nodes.set(node, (pid = this.#nodes.size + 1))
    group = { pid, title, tid: tid ?? this.#nextRow++, spans: [], estimates: [] }
    this.#groups.set(key, group)
    return group
  }
}

function endLease(index: number, { leases, since }: OpenLease, ts: number, end: string): void {
  leases.spans.push({ name: `lease ${index}`, cat: 'lease', ts: since, dur: ts - since, args: { end } })
}
