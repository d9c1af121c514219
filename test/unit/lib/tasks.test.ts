import { expect } from 'chai'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tasks, type TasksFlags } from '../../../lib/cli/tasks.ts'

describe('outpool tasks', () => {
  let events: string
  const job = '00000000000000aa'

  beforeEach(() => {
    events = mkdtempSync(join(tmpdir(), 'tasks-'))
    mkdirSync(join(events, job))
  })
  afterEach(() => rmSync(events, { recursive: true, force: true }))

  /** What a process wrote down that submitted tasks at these times, in milliseconds since it began. */
  function submitted(process: string, wallMs: number, timesMs: readonly number[]): void {
    const header = { e: 'owner', job, process, node: '', pid: 1, wallMs }
    const queued = timesMs.map((atMs, i) => ({ e: 'queued', t: atMs * 1000, n: i + 1, name: process }))
    const text = [header, ...queued].map((line) => `${JSON.stringify(line)}\n`).join('')
    writeFileSync(join(events, job, `${process}.jsonl`), text)
  }

  async function printed(flags: Omit<TasksFlags, 'events'>): Promise<string> {
    const said: string[] = []
    const log = console.log
    console.log = (line: string) => void said.push(line)
    try {
      await tasks({ ...flags, events })
    } finally {
      console.log = log
    }
    return said.join('\n')
  }

  it('shows the newest last, whichever process submitted them', async () => {
    submitted('0b', 1_000_000, [0, 5_000])
    submitted('0a', 1_002_000, [0, 1_000, 4_000])
    const shown = async (limit: number): Promise<string[]> => {
      const { tasks: rows } = JSON.parse(await printed({ limit, json: true })) as {
        tasks: { readonly id: string; readonly queuedAtMs: number }[]
      }
      return rows.map(({ id, queuedAtMs }) => `${id} ${queuedAtMs}`)
    }
    const order = ['0b:1 1000000', '0a:1 1002000', '0a:2 1003000', '0b:2 1005000', '0a:3 1006000']
    expect(await shown(100)).to.deep.equal(order)
    expect(await shown(2)).to.deep.equal(order.slice(-2))
    expect(await printed({ limit: 1 })).to.match(/0a:3/)
  })

  it('lists a process with more tasks than a call has room for arguments', async () => {
    const count = 200_000
    const timesMs = Array.from({ length: count }, (_, i) => i)
    submitted('0a', 1_000_000, timesMs)
    const found = JSON.parse(await printed({ limit: 1, json: true })) as { count: number; tasks: { id: string }[] }
    expect([found.count, found.tasks.map(({ id }) => id)]).to.deep.equal([count, [`0a:${count.toString(16)}`]])
    expect(await printed({ limit: 1 })).to.contain(`${count} tasks: ${count} queued`)
  })
})
