import { expect } from 'chai'
import { existsSync, readFileSync } from 'node:fs'
import { cancel, get, init, remote, shutdown } from 'outpool'
import { descendantsOf, describeProcess } from '../tools/processes.mjs'
import { ended, plainWorkers, Trace } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { rejection } from '../tools/rejection.ts'
import { canShare, withoutStoreLine } from '../tools/native.ts'

const tasks = new URL('fixtures/tasks.mjs', import.meta.url)
const work = remote<(folder: string, id: string, ms: number) => number>(tasks, 'work')
const pidOf = remote(async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return process.pid
})

/** The worker processes of this one. */
function workerPids(): number[] {
  return descendantsOf(process.pid).filter((pid) => describeProcess(pid).includes('runtime/worker/entry'))
}

/** Starts a process that would outlive its parent, and tells its id. */
const spawnSleeper = remote(async (folder: string) => {
  const { spawn } = await import('node:child_process')
  const { writeFileSync } = await import('node:fs')
  const child = spawn('sleep', ['3600'], { stdio: 'ignore' })
  writeFileSync(`${folder}/grandchild`, `${child.pid}\n`)
  return process.pid
})

describe('worker processes', () => {
  let trace: Trace
  let restore: () => void
  beforeEach(() => {
    restore = plainWorkers()
    trace = new Trace()
  })
  afterEach(async () => {
    await shutdown()
    restore()
    trace.remove()
    expect(workerPids()).to.deep.equal([])
  })

  it('are forked when there is work, and no more of them than CPUs', async () => {
    await init({ numCpus: 3 })
    const atMost: number[] = []
    const watching = setInterval(() => atMost.push(workerPids().length), 5)
    const one = await pidOf.run(1)
    expect(workerPids()).to.include(one)
    const pids = await get(Array.from({ length: 12 }, () => pidOf.options({ timeout: 60_000 }).remote(50)))
    clearInterval(watching)
    expect(new Set(pids).size).to.be.at.most(3)
    expect(Math.max(...atMost)).to.be.at.most(3)
  })

  it('are used again after tasks that end without the value that they wait for', async () => {
    await init({ numCpus: 2 })
    const slow = pidOf.remote(600_000)
    const racing = remote(async (box: { ref: typeof slow }) => {
      await Promise.race([box.ref.get(), new Promise((resolve) => setTimeout(resolve, 5))])
      return process.pid
    })
    const pids = new Set<number>()
    for (let i = 0; i < 20; i++) pids.add(await racing.run({ ref: slow }))
    expect(pids.size).to.equal(1)
    cancel(slow, { force: true })
  })

  it('are used again, for the same functions and for others', async () => {
    await init({ numCpus: 1 })
    const pids = [await pidOf.run(1), await pidOf.run(1), await work.run('', '', 0)]
    expect(new Set(pids).size).to.equal(1)
  })

  it('take as many at once as fractions of a CPU allow', async () => {
    await init({ numCpus: 1 })
    const half = pidOf.options({ numCpus: 0.5, timeout: 60_000 })
    const pids = new Set<number>()
    while (pids.size < 2) for (const pid of await get([half.remote(50), half.remote(50)])) pids.add(pid)
  })

  it('get the arguments of a program without any, and only such variables as are named', async () => {
    process.env['OUTPOOL_TEST_SECRET'] = 'not for workers'
    await init({ numCpus: 1 })
    const facts = await remote(() => ({
      argv: process.argv.slice(2),
      secret: process.env['OUTPOOL_TEST_SECRET'],
      path: process.env['PATH'],
    })).run()
    delete process.env['OUTPOOL_TEST_SECRET']
    expect(facts).to.deep.equal({ argv: [], secret: undefined, path: process.env['PATH'] })
  })

  it('are what the system ends first where memory runs out, before the program that has all pages of the store', async function () {
    const file = '/proc/self/oom_score_adj'
    if (!existsSync(file)) return this.skip()
    await init({ numCpus: 1 })
    const ofWorker = remote(async (path: string) => {
      const { readFileSync: read } = await import('node:fs')
      return Number(read(path, 'utf8'))
    })
    expect(await ofWorker.run(file)).to.equal(1_000)
    expect(Number(readFileSync(file, 'utf8'))).to.be.below(1_000)
  })

  it('end with all that they started, when they end', async () => {
    await init({ numCpus: 1 })
    await spawnSleeper.run(trace.folder)
    const grandchild = Number(trace.lines('grandchild')[0])
    const busy = work.remote(trace.folder, 'busy', 60_000)
    await trace.has('busy')
    process.kill(grandchild, 0)
    cancel(busy, { force: true })
    await ended(grandchild)
  })

  it('end with all that they started, at shutdown', async () => {
    await init({ numCpus: 1 })
    const pid = await spawnSleeper.run(trace.folder)
    const grandchild = Number(trace.lines('grandchild')[0])
    expect(readFileSync(`/proc/${grandchild}/stat`, 'utf8').split(' ')[4]).to.equal(String(pid))
    await shutdown()
    await Promise.all([ended(pid), ended(grandchild)])
  })

  it('that cannot start are reported once, with their last lines, and fail what waits for them', async () => {
    const complaints: string[] = []
    const { error: toConsole } = console
    const { stderr } = process
    const toStderr = stderr.write.bind(stderr)
    console.error = (text: string): void => void complaints.push(text)
    stderr.write = (text: string | Uint8Array): boolean => complaints.push(String(text)) > 0
    process.execArgv = ['--require', '/no/such/module.cjs']
    await init({ numCpus: 2 })
    const errors = await Promise.all([1, 2, 3].map((ms) => rejection(pidOf.run(ms))))
    console.error = toConsole
    stderr.write = toStderr
    for (const error of errors) {
      expect(error).to.have.property('code', 'ERR_OUTPOOL_RUNTIME_ENV_SETUP')
      expect(error.message).to.contain('/no/such/module.cjs')
    }
    const told = complaints.filter((text) => withoutStoreLine(text) !== '')
    expect(told).to.have.length(1)
    expect(told[0]).to.contain('/no/such/module.cjs')
  })

  it('that are killed while nothing runs are replaced in silence', async () => {
    await init({ numCpus: 1 })
    const first = await pidOf.run(1)
    process.kill(first, 'SIGKILL')
    await ended(first)
    // Without a shared page nobody knows whether a task was started that was sent there meanwhile.
    const retries = canShare ? { maxRetries: 0 } : {}
    expect(await eventually(() => pidOf.options(retries).run(1))).to.not.equal(first)
  })
})
