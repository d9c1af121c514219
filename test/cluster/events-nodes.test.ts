import { expect } from 'chai'
import { existsSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { init, remote, shutdown } from 'outpool'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { run } from './command.ts'
import { expectInOrder, TestCluster } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { missedSoon } from '../tools/heartbeats.ts'
import { checkedSpans } from './trace-format.ts'

interface Told {
  readonly name: string
  readonly steps: readonly { readonly event: string; readonly text: string }[]
}

const sizeBytes = 1024 * 1024

/** Only the nodes that are asked for by their resource run it. */
const far = remote(
  async function far(folder: string, size: number) {
    const { appendFileSync, existsSync: isThere } = await import('node:fs')
    const { setTimeout: sleep } = await import('node:timers/promises')
    console.log(`${size} bytes are wanted`)
    appendFileSync(`${folder}/started`, `${process.pid}\n`)
    while (!isThere(`${folder}/go`)) await sleep(10)
    return new Uint8Array(size)
  },
  { resources: { far: 1 }, maxRetries: 3 },
)

describe('what an owner writes down about other nodes', function () {
  this.timeout(120_000)
  let cluster: TestCluster
  let folder: string
  let events: string

  beforeEach(() => {
    cluster = new TestCluster()
    folder = mkdtempSync(join(tmpdir(), 'en-'))
    events = join(folder, 'events')
    process.env['OUTPOOL_EVENTS'] = events
  })
  afterEach(async () => {
    delete process.env['OUTPOOL_EVENTS']
    await shutdown()
    await cluster.close()
    rmSync(folder, { recursive: true, force: true })
  })

  it('draws the transfer of a value to where it is asked for, by its bytes and its nodes', async () => {
    const head = await cluster.start({ head: true })
    const other = await cluster.start({ head: false, address: head.url, resources: { far: 1 } })
    await cluster.seen(head, other.id, ({ state }) => state === 'alive')
    writeFileSync(join(folder, 'go'), '')
    await init({ address: head.url, token: cluster.token })
    expect(await far.run(folder, sizeBytes)).to.have.length(sizeBytes)
    await shutdown()
    const { tasks } = JSON.parse((await run(`tasks --json --events ${events}`)).out) as { tasks: { id: string }[] }
    const printed = await run(`logs --task ${tasks[0]?.id} --events ${events} --address ${head.url}`)
    expect(printed.err).to.contain(`of node ${other.id}`)
    expect(printed.out.split('\n').filter((line) => line.endsWith(` ${sizeBytes} bytes are wanted`))).to.have.length(1)
    const { code, out, err } = await run(`timeline --events ${events}`)
    expect(code, err).to.equal(0)
    const spans = checkedSpans(out)
    const transfers = spans.filter(({ cat }) => cat === 'transfer')
    expect(transfers).to.have.length(1)
    const [{ args, pid, ts, dur = 0 }] = transfers as [(typeof transfers)[0]]
    expect(args).to.include({ from: other.id, error: '' })
    expect(args['bytes']).to.be.at.least(sizeBytes)
    const task = spans.find(({ cat }) => cat === 'task')
    expect(task?.pid).to.not.equal(pid)
    expect(ts, 'after the task that made it').to.be.at.least((task?.ts ?? 0) + (task?.dur ?? 0))
    expect(dur).to.be.above(0)
  })

  it('leads to what a task printed, of an earlier job too', async () => {
    const head = await cluster.start({ head: true, resources: { far: 1 } })
    writeFileSync(join(folder, 'go'), '')
    const { process: job } = await init({ address: head.url, token: cluster.token })
    await far.run(folder, 1)
    await shutdown()
    const [later, now] = ['ffffffffffffffff', Date.now() / 1000]
    mkdirSync(join(events, later))
    const header = { e: 'owner', job: later, process: later, node: head.id, pid: 1, wallMs: 0 }
    writeFileSync(join(events, later, `${later}.jsonl`), `${JSON.stringify(header)}\n`)
    utimesSync(join(events, later, `${later}.jsonl`), now + 60, now + 60)
    const logs = (more: string): ReturnType<typeof run> =>
      run(`logs --task ${job}:1 --events ${events} --address ${head.url}${more}`)
    expect(await logs('')).to.include({ code: 1, out: '' })
    const { code, out, err } = await logs(` --job ${job.slice(0, 8)}`)
    expect(code, err).to.equal(0)
    expect(out.split('\n').filter((line) => line.endsWith(' 1 bytes are wanted'))).to.have.length(1)
  })

  it('tells the story of a task whose node was held for dead and came back', async () => {
    const head = await cluster.start({ ...missedSoon, head: true })
    const far1 = { head: false, address: head.url, resources: { far: 1 }, ...missedSoon } as const
    const more = (): Promise<DaemonFacts> => cluster.start(far1)
    const nodes = [await more(), await more()]
    for (const { id } of nodes) await cluster.seen(head, id, ({ state }) => state === 'alive')
    await init({ address: head.url, token: cluster.token })
    const ref = far.remote(folder, 1)
    await eventually(() => existsSync(join(folder, 'started')) || undefined)
    const held = await eventually(async () => {
      const { nodes: rows } = await cluster.status(head)
      return rows.find(({ resources }) => resources['far']?.used === 1)
    })
    process.kill(held.pid, 'SIGSTOP')
    await cluster.seen(head, held.id, ({ state }) => state === 'dead')
    // It runs again elsewhere while the first attempt is about to answer.
    const other = nodes.find(({ id }) => id !== held.id) as DaemonFacts
    await cluster.seen(head, other.id, ({ resources }) => resources['far']?.used === 1)
    writeFileSync(join(folder, 'go'), '')
    process.kill(held.pid, 'SIGCONT')
    expect(await ref.get()).to.have.length(1)
    await eventually(async () => {
      const now = await cluster.status(head)
      return now.nodes.some(({ pid, state }) => pid === held.pid && state === 'alive') || undefined
    })
    await shutdown()
    const listed = await run(`tasks --json --events ${events}`)
    const [task] = (JSON.parse(listed.out) as { tasks: { id: string; attempts: number }[] }).tasks
    expect(task?.attempts).to.equal(2)
    const told = await run(`why ${task?.id} --json --events ${events}`)
    const { steps } = JSON.parse(told.out) as Told
    expectInOrder(
      steps.map(({ event }) => event),
      ['queued', 'pushed', 'node died', 'retried', 'pushed', 'finished'],
    )
    const text = (event: string): string => steps.findLast((step) => step.event === event)?.text ?? ''
    expect(text('node died')).to.contain(held.id).and.contain('heard nothing').and.contain('is not heard')
    expect(text('retried')).to.contain(held.id)
    expect(text('finished')).to.contain(`of node ${other.id}`)
  })
})
