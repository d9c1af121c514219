/** `outpool timeline`: the tasks and leases of a job in the trace event format of Chrome, Perfetto and speedscope. */
import type { TaskEvent } from '../../runtime/owner/task-events.ts'
import { jobFiles, taskId } from './task-files.ts'
import type { EventFlags, OwnerFile } from './task-files.ts'

/** Nodes are its processes, workers its threads; times are microseconds since the first owner began. */
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

interface OpenLease {
  readonly pid: number
  readonly tid: number
  readonly since: number
}

/** Above every pid that Linux gives. */
const leaseRows = 2 ** 23

const instants: ReadonlySet<string> = new Set([
  'recalled',
  'returned',
  'retried',
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
  console.log(JSON.stringify({ traceEvents: trace.events, displayTimeUnit: 'ms' }))
}

class Trace {
  readonly events: TraceEvent[] = []
  readonly #nodes = new Map<string, number>()
  readonly #threads = new Set<string>()

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
      const lease = leases.get(l)
      if (lease === undefined) return
      const args = { task: taskId(file.header, n), owner: file.header.process }
      const { pid, tid } = lease
      if (e === 'finished' || e === 'threw') {
        // The owner knows how long it ran and when it heard of it; it cannot have begun before it was sent.
        const start = Math.max(pushed.get(n) ?? 0, ts - Number(event['runMicros']))
        this.events.push({ name: names.get(n) ?? '', ph: 'X', ts: start, dur: ts - start, pid, tid, cat: 'task', args })
        if (e === 'finished') names.delete(n)
        pushed.delete(n)
      } else if (instants.has(e))
        this.events.push({ name: `${e} ${names.get(n) ?? ''}`, ph: 'i', ts, pid, tid, s: 't', cat: e, args })
      else if (e === 'lease returned' || e === 'worker ended' || e === 'node died') {
        leases.delete(l)
        this.#endLease(l, lease, ts, e)
      }
    })
    for (const [index, lease] of leases) this.#endLease(index, lease, last, 'still held')
  }

  /** Leases are drawn above their worker, on a row of their own: tasks that share one would hide it. */
  #endLease(index: number, { pid, tid, since }: OpenLease, ts: number, end: string): void {
    const span = { ts: since, dur: ts - since, pid, tid: tid + leaseRows }
    this.events.push({ name: `lease ${index}`, ph: 'X', ...span, cat: 'lease', args: { end } })
  }

  #lease(event: TaskEvent, since: number): OpenLease {
    const node = String(event['node'])
    let pid = this.#nodes.get(node)
    if (pid === undefined) {
      this.#nodes.set(node, (pid = this.#nodes.size + 1))
      this.#name('process_name', `node ${node}`, pid, 0)
    }
    const tid = Number(event['pid'])
    const key = `${pid} ${tid}`
    if (!this.#threads.has(key)) {
      this.#threads.add(key)
      this.#name('thread_name', `worker ${String(event['worker'])} (pid ${tid})`, pid, tid)
      this.#name('thread_name', `leases of pid ${tid}`, pid, tid + leaseRows)
    }
    return { pid, tid, since }
  }

  #name(what: 'process_name' | 'thread_name', name: string, pid: number, tid: number): void {
    this.events.push({ name: what, ph: 'M', ts: 0, pid, tid, args: { name } })
  }
}
