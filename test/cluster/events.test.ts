import { expect } from 'chai'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cancel, explain, get, init, remote, shutdown } from 'outpool'
import { run } from './command.ts'
import { expectInOrder, measure } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { checkedSpans } from './trace-format.ts'
import type { TraceSpan } from './trace-format.ts'
import { canShare } from '../tools/native.ts'

interface Story {
  readonly task: string
  readonly steps: readonly { readonly atMs: number; readonly event: string; readonly text: string }[]
}

interface Listed {
  readonly id: string
  readonly name: string
  readonly state: string
  readonly attempts: number
}

/** One function, so that what was measured of its quick calls holds for the others too. */
const act = remote(
  async function act(how: string, folder: string) {
    const { existsSync: isThere, writeFileSync } = await import('node:fs')
    if (how === 'quick') return
    if (how === 'long') {
      // Nothing else runs in this worker meanwhile: what was sent there waits.
      while (!isThere(`${folder}/recalled`));
      return
    }
    if (!isThere(`${folder}/first`)) {
      writeFileSync(`${folder}/first`, '')
      process.kill(process.pid, 'SIGKILL')
    }
    writeFileSync(`${folder}/second`, '')
    while (!isThere(`${folder}/cancelled`)) await new Promise((resolve) => setTimeout(resolve, 10))
  },
  { maxRetries: 1 },
)

/** Without shared memory nothing is sent ahead that could be recalled. */
const itShared = canShare ? it : it.skip

describe('what owners write down about their tasks', function () {
  this.timeout(120_000)
  let folder: string
  let events: string
  /** Recalled, run again after its worker died, cancelled, and answered too late. */
  let odd: Listed

  const listed = async (): Promise<Listed[]> =>
    (JSON.parse((await run('tasks --json --limit 100000')).out) as { tasks: Listed[] }).tasks

  async function oddTask(): Promise<Listed> {
    await measure(() => act.run('quick', folder))
    const first = act.remote('quick', folder)
    const long = act.remote('long', folder)
    const ref = act.remote('odd', folder)
    // While more are queued than workers could take next, one that was measured waits behind the running one in any case.
    const others = Array.from({ length: 3 }, () => act.remote('quick', folder))
    const failure = ref.get().catch((error: Error) => error)
    if (canShare) await eventually(() => explain(ref).story.length > 0 || undefined)
    writeFileSync(join(folder, 'recalled'), '')
    await get([first, long])
    await eventually(() => existsSync(join(folder, 'second')) || undefined)
    cancel(ref)
    await failure
    writeFileSync(join(folder, 'cancelled'), '')
    // The same worker is asked only after it has answered, which is too late.
    await get(others)
    await act.run('quick', folder)
    return eventually(async () => (await listed()).find(({ state }) => state === 'cancelled'))
  }

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'e-'))
    events = join(folder, 'events')
    process.env['OUTPOOL_EVENTS'] = events
    await init({ numCpus: 1 })
    odd = await oddTask()
    await shutdown()
  })
  after(async () => {
    await shutdown()
    delete process.env['OUTPOOL_EVENTS']
    rmSync(folder, { recursive: true, force: true })
  })

  itShared(
    'tells the story of a task that was recalled, run again, cancelled and fenced, in order and with causes',
    async () => {
      expect(odd).to.include({ attempts: 2, name: 'act' })
      const { code, out } = await run(`why ${odd.id} --json`)
      expect(code).to.equal(0)
      const { steps, task } = JSON.parse(out) as Story
      expect(task).to.equal(odd.id)
      expectInOrder(
        steps.map(({ event }) => event),
        ['queued', 'pushed', 'recalled', 'pushed', 'worker ended', 'retried', 'pushed', 'cancelled', 'fenced'],
      )
      expect(steps.find(({ event }) => event === 'recalled')?.text).to.contain('ran for longer than expected')
      expect(steps.find(({ event }) => event === 'retried')?.text).to.contain('SIGKILL')
      expect(steps.find(({ event }) => event === 'fenced')?.text).to.contain('late answer')
      expect(steps.map(({ atMs }) => atMs)).to.deep.equal(steps.map(({ atMs }) => atMs).toSorted((a, b) => a - b))
      const shown = await run(`why ${odd.id}`)
      expect(shown.out).to.contain('act').and.contain('taken back unstarted')
    },
  )

  it('lists as many tasks as it is asked for, none too', async () => {
    const shown = async (limit: number): Promise<number> =>
      (JSON.parse((await run(`tasks --json --limit ${limit}`)).out) as { tasks: Listed[] }).tasks.length
    expect([await shown(0), await shown(2)]).to.deep.equal([0, 2])
  })

  it('draws every task that ran, within a lease of its worker, in the trace event format', async () => {
    const { code, out } = await run('timeline')
    expect(code).to.equal(0)
    const spans = checkedSpans(out)
    const leases = spans.filter(({ cat }) => cat === 'lease')
    const tasks = spans.filter(({ cat }) => cat === 'task')
    expect(tasks).to.have.length((await listed()).filter(({ state }) => state === 'finished').length)
    const end = ({ ts, dur = 0 }: TraceSpan): number => ts + dur
    for (const task of tasks)
      expect(leases.some((lease) => lease.ts <= task.ts && end(task) <= end(lease) + 1)).to.equal(true)
  })

  it('is private to the user, and nothing at all without the variable', async () => {
    expect(statSync(events).mode & 0o077).to.equal(0)
    const before = readdirSync(events)
    expect(before).to.have.length(1)
    delete process.env['OUTPOOL_EVENTS']
    await init({ numCpus: 1 })
    await act.run('quick', folder)
    await shutdown()
    expect(readdirSync(events)).to.deep.equal(before)
    const nothing = await run(`tasks --events ${join(folder, 'none')}`)
    expect([nothing.code, nothing.out]).to.deep.equal([1, ''])
    expect(nothing.err).to.contain('OUTPOOL_EVENTS=1')
    process.env['OUTPOOL_EVENTS'] = events
  })

  it('has what tasks submit as well, written down by their workers', async () => {
    const outer = remote(async function outer(entry: string) {
      const { remote: make } = (await import(entry)) as typeof import('outpool')
      return make(function inner() {
        return process.pid
      }).run()
    })
    await init({ numCpus: 2 })
    await outer.run(new URL('../../dist/lib/index.js', import.meta.url).href)
    // Before the worker is ended: what happened in its last quarter of a second may be lost with it.
    const names = await eventually(async () => {
      const found = (await listed()).map(({ name, state }) => `${name} ${state}`)
      return found.length === 2 && found.every((text) => text.endsWith('finished')) ? found : undefined
    })
    expect(names).to.have.members(['outer finished', 'inner finished'])
    await shutdown()
  })
})
