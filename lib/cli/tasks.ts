/** `outpool tasks`: the tasks of a job, the newest last, and how each ended. */
import { jobFiles, taskId } from './task-files.ts'
import type { EventFlags } from './task-files.ts'
import { coloured, counted, renderTable } from './tables.ts'
import type { Column } from './tables.ts'

export interface TasksFlags extends EventFlags {
  readonly limit: number
  readonly state?: string
}

interface TaskRow {
  readonly id: string
  readonly name: string
  state: string
  attempts: number
  /** Times it was taken back unstarted, which spends no retry. */
  moved: number
  node: string
  pid: number
  runMs: number | null
  /** When it was submitted, in milliseconds since 1970. */
  readonly queuedAtMs: number
}

const columns: readonly Column[] = [
  ...['task', 'function', 'state', 'node', 'pid'].map((name) => ({ name })),
  ...['attempts', 'moved', 'run ms'].map((name) => ({ name, align: 'right' as const })),
]
const tones: Readonly<Record<string, 'green' | 'red' | 'yellow'>> = {
  finished: 'green',
  failed: 'red',
  cancelled: 'yellow',
}

export async function tasks(flags: TasksFlags): Promise<void> {
  const rows: TaskRow[] = []
  for (const file of await jobFiles(flags)) {
    const byNumber = new Map<number, TaskRow>()
    const leases = new Map<number, { node: string; pid: number }>()
    await file.read((event) => {
      if (event.e === 'leased') leases.set(event.l ?? 0, { node: String(event['node']), pid: Number(event['pid']) })
      if (event.n === undefined) return
      let row = byNumber.get(event.n)
      if (row === undefined) {
        const name = String(event['name'] ?? '')
        const queuedAtMs = file.header.wallMs + event.t / 1000
        const fresh = { attempts: 0, moved: 0, node: '', pid: 0, runMs: null, queuedAtMs }
        byNumber.set(event.n, (row = { id: taskId(file.header, event.n), name, state: 'queued', ...fresh }))
      }
      follow(row, event.e, event)
      const place = event.e === 'pushed' ? leases.get(event.l ?? 0) : undefined
      if (place !== undefined) Object.assign(row, place)
    })
    for (const row of byNumber.values()) rows.push(row)
  }
  // Each process wrote down its own, and several at the same time.
  rows.sort((a, b) => a.queuedAtMs - b.queuedAtMs)
  const wanted = flags.state === undefined ? rows : rows.filter(({ state }) => state === flags.state)
  const shown = wanted.slice(Math.max(0, wanted.length - flags.limit))
  if (flags.json) return console.log(JSON.stringify({ count: wanted.length, tasks: shown }, undefined, 2))
  console.log(renderTable(columns, shown.map(cells)))
  const counts = [...new Set(rows.map(({ state }) => state))].map(
    (state) => `${rows.filter((row) => row.state === state).length} ${state}`,
  )
  console.log(`${counted(rows.length, 'task')}: ${counts.join(', ')}. outpool why TASK tells the story of one.`)
}

function follow(row: TaskRow, event: string, fields: Readonly<Record<string, unknown>>): void {
  if (event === 'pushed') {
    row.state = 'pushed'
    row.attempts = Number(fields['attempt']) + 1
  } else if (event === 'recalled' || event === 'returned') {
    row.state = 'queued'
    row.moved++
  } else if (event === 'retried' || event === 'rebuilt') row.state = 'queued'
  else if (event === 'finished') {
    row.state = 'finished'
    row.runMs = Number(fields['runMicros']) / 1000
  } else if (event === 'threw' && fields['settled'] === true) row.state = 'failed'
  else if (event === 'failed') row.state = fields['kind'] === 'cancelled' ? 'cancelled' : 'failed'
}

function cells({ id, name, state, node, pid, attempts, moved, runMs }: TaskRow): string[] {
  const tone = tones[state]
  const shown = tone === undefined ? state : coloured(tone, state)
  return [id, name, shown, node, pid === 0 ? '' : String(pid), String(attempts), String(moved), runMs?.toFixed(1) ?? '']
}
