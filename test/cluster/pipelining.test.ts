import { expect } from 'chai'
import { cancel, explain, get, init, remote, shutdown } from 'outpool'
import { measure, Trace, usePlainWorkers } from './support.ts'
import { canShare } from '../tools/native.ts'

const tasks = new URL('fixtures/tasks.mjs', import.meta.url)
const work = remote<(folder: string, id: string, ms: number) => number>(tasks, 'work')
const briefly = (): Promise<number> => work.run('', '', 0)
const cooperative = remote<(folder: string, id: string) => Promise<void>>(tasks, 'cooperative')

/**
 * Of a call whose run time was measured, up to two milliseconds of work are sent ahead: five of them in nearly every round,
 * and fewer only where the machine has kept just these calls from running.
 */
const mostRounds = 10

/** Where no memory is shared nothing is sent behind a task that is not short. */
const itShared = canShare ? it : it.skip

describe('tasks that were sent ahead to a worker which is then busy for long', () => {
  usePlainWorkers()
  let trace: Trace
  before(async () => {
    await init({ numCpus: 2 })
  })
  beforeEach(() => (trace = new Trace()))
  afterEach(() => trace.remove())
  after(async () => {
    await shutdown()
  })

  /** Ten tasks of 1 ms behind one of a minute, while the other worker is busy; how long they take once it is free. */
  const round = async (name: string): Promise<{ tookMs: number; recalled: number }> => {
    await measure(briefly)
    // Its name makes it a function that was never measured: nothing is sent ahead to where it runs.
    const other = cooperative.options({ name: `${name} other` }).remote(trace.folder, `${name} other`)
    await trace.has(`${name} other started`)
    const before = explain().recalled
    const long = work.remote(trace.folder, `${name} long`, 60_000)
    const ids = Array.from({ length: 10 }, (_, i) => `${name} ${i}`)
    const short = ids.map((id) => work.remote(trace.folder, id, 1))
    await trace.has(`${name} long`)
    cancel(other)
    await trace.has(`${name} other aborted`)
    const startedAt = performance.now()
    const pids = await get(short)
    const tookMs = performance.now() - startedAt
    const lines = trace.lines()
    expect(explain(long).state).to.equal('pending')
    // It is still busy, so they ran elsewhere.
    expect(pids.map(String)).to.not.include(trace.files(`${name} long`)[0])
    expect(ids.map((id) => lines.filter((line) => line === id).length)).to.deep.equal(ids.map(() => 1))
    cancel(long, { force: true })
    return { tookMs, recalled: explain().recalled - before }
  }

  itShared('move to the next idle one: ten behind a long one are done within 500 ms, each once', async () => {
    const rounds: Awaited<ReturnType<typeof round>>[] = []
    const isSeen = (): boolean =>
      rounds.some(({ recalled }) => recalled >= 5) && rounds.some(({ tookMs }) => tookMs < 500)
    while (!isSeen() && rounds.length < mostRounds) rounds.push(await round(String(rounds.length)))
    expect(isSeen(), `taken back, and done, in each round: ${JSON.stringify(rounds)}`).to.equal(true)
  })

  it('run where they are when the work before them ends soon', async () => {
    await measure(briefly)
    const values = await get(Array.from({ length: 2_000 }, (_, i) => work.remote(trace.folder, String(i), 0)))
    expect(new Set(values).size).to.be.at.most(2)
    const counts = new Map<string, number>()
    for (const line of trace.lines()) counts.set(line, (counts.get(line) ?? 0) + 1)
    expect(counts.size).to.equal(2_000)
    expect([...counts.values()].every((count) => count === 1)).to.equal(true)
  })
})

describe('answers of a worker that has many tasks ahead of it', () => {
  usePlainWorkers()
  let trace: Trace
  before(async () => {
    await init({ numCpus: 1 })
  })
  beforeEach(() => (trace = new Trace()))
  afterEach(() => trace.remove())
  after(async () => {
    await shutdown()
  })

  /** 3 ms of work, and a line of it. */
  const count = remote((file: string, id: number, dies: boolean) => {
    const { appendFileSync } = process.getBuiltinModule('node:fs')
    appendFileSync(file, `${id}\n`)
    for (const startedAt = performance.now(); performance.now() - startedAt < 3;);
    if (dies) process.kill(process.pid, 'SIGKILL')
    return id
  })

  it('count for each task that had ended when the worker died in another one', async () => {
    const once = count.options({ maxRetries: 0 })
    const file = `${trace.folder}/all`
    for (let i = 0; i < 5; i++) await once.run(file, -1, false)
    const ids = Array.from({ length: 90 }, (_, i) => i)
    const outcomes = await Promise.allSettled(ids.map((id) => once.run(file, id, id === 30 || id === 61)))
    const failed = ids.filter((id) => outcomes[id]?.status === 'rejected')
    expect(failed).to.deep.equal([30, 61])
    const lines = trace.lines('all').filter((line) => line !== '-1')
    expect(lines.map(Number).sort((a, b) => a - b)).to.deep.equal(ids)
  })

  it('come in time where they are waited for: one after the other, and for the last of many', async () => {
    const file = `${trace.folder}/all`
    const told: number[] = []
    await Promise.all(
      Array.from({ length: 60 }, async (_, id) => {
        await count.run(file, id, false)
        told.push(id)
      }),
    )
    expect(told).to.deep.equal(Array.from({ length: 60 }, (_, id) => id))
  })
})

describe('a request that no node can ever satisfy', () => {
  usePlainWorkers()
  before(async () => {
    await init({ numCpus: 2, memory: '1GiB', resources: { scanner: 1 }, infeasibleTimeout: 300 })
  })
  after(async () => {
    await shutdown()
  })

  const requests = [
    { asked: { numCpus: 999 }, named: '999' },
    { asked: { resources: { unicorn: 1 } }, named: 'unicorn' },
    { asked: { resources: { scanner: 2 } }, named: 'scanner' },
    { asked: { memory: '2GiB' }, named: 'memory' },
    { asked: { numGpus: 1 }, named: 'GPU' },
  ] as const
  for (const { asked, named } of requests) {
    it(`fails with what was asked and what each node has: ${JSON.stringify(asked)}`, async () => {
      const ref = remote((n: number) => n)
        .options({ ...asked, name: 'greedy' })
        .remote(1)
      const error = await ref.get({ timeout: 30_000 }).then(
        () => undefined,
        (reason: Error) => reason,
      )
      expect(error).to.have.property('code', 'ERR_OUTPOOL_TASK_UNSCHEDULABLE')
      const node = explain().node
      expect(error?.message)
        .to.contain('greedy')
        .and.contain(named)
        .and.contain(node)
        .and.match(/scanner/)
    })
  }

  it('does not stop what can be placed', async () => {
    const impossible = remote((n: number) => n)
      .options({ numCpus: 999 })
      .remote(1)
    expect(await remote((n: number) => n).run(2)).to.equal(2)
    expect(await impossible.get().catch((error: Error) => error.name)).to.equal('TaskUnschedulableError')
  })

  it('is told apart from one that only has to wait', async () => {
    const scan = remote(async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms))
      return ms
    }).options({ resources: { scanner: 1 } })
    expect(await get([scan.remote(500), scan.remote(1)])).to.deep.equal([500, 1])
  })
})
