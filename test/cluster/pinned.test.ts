import { expect } from 'chai'
import {
  context,
  explain,
  init,
  remote,
  shutdown,
  TaskCancelledError,
  WorkerCrashedError,
} from '../../dist/lib/index.js'
import {
  acquireWorker,
  moduleFunction,
  type PinnedWorker,
  type PinnedWorkerOptions,
  type WorkerExit,
} from '../../dist/lib/pinned.js'
import { ended, Trace, usePlainWorkers } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { rejection } from '../tools/rejection.ts'

const stateful = new URL('fixtures/stateful.mjs', import.meta.url)
const setState = moduleFunction(stateful, 'setState')
const setStateLater = moduleFunction(stateful, 'setStateLater')
const readState = moduleFunction(stateful, 'readState')
const failToStart = moduleFunction(stateful, 'failToStart')
const dieAtStart = moduleFunction(stateful, 'dieAtStart')
const slow = moduleFunction(stateful, 'slow')
const busy = moduleFunction(stateful, 'busy')
const half = moduleFunction(stateful, 'half')

describe('a pinned worker', () => {
  usePlainWorkers()
  let trace: Trace
  const workers: PinnedWorker[] = []

  before(async () => void (await init({ numCpus: 2, logToDriver: false })))
  beforeEach(() => (trace = new Trace()))
  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.terminate()))
    trace.remove()
    // What it held is free again.
    await eventually(() => explain().tables['pinned'] === 0 || undefined)
  })
  after(() => shutdown())

  const acquire = (options: PinnedWorkerOptions = {}): { worker: PinnedWorker; exits: WorkerExit[] } => {
    const worker = acquireWorker(options)
    workers.push(worker)
    const exits: WorkerExit[] = []
    worker.onExit = (exit) => void exits.push(exit)
    return { worker, exits }
  }

  it('is a process of its own, whose facts are known when it stands', async () => {
    const [one, two] = [acquire().worker, acquire().worker]
    const [a, b] = await Promise.all([one.ready, two.ready])
    expect(a.node).to.equal(context().node)
    expect(new Set([a.pid, b.pid, process.pid]).size).to.equal(3)
    expect(one.facts).to.deep.equal(a)
    expect(await one.run(() => process.pid, []).promise).to.equal(a.pid)
  })

  it('keeps what its initializer set in a module, apart from other workers', async () => {
    const one = acquire({ initializer: setState, initargs: [{ n: 1 }] }).worker
    const two = acquire({ initializer: setStateLater, initargs: ['two'] }).worker
    // Before either stands.
    expect(await one.run(readState, []).promise).to.deep.equal({ n: 1 })
    expect(await two.run(readState, []).promise).to.equal('two')
    await one.run(setState, ['changed']).promise
    expect(await one.run(readState, []).promise).to.equal('changed')
  })

  it('never is one that has run something else before', async () => {
    await remote<(value: string) => void>(stateful, 'setState').run('left behind')
    const { worker } = acquire()
    expect(await worker.run(readState, []).promise).to.equal(undefined)
  })

  it('runs its calls one after the other, in their order', async () => {
    const { worker } = acquire()
    const calls = ['a', 'b', 'c'].map((id, i) => worker.run<string>(slow, [trace.folder, id, 30 - 10 * i]))
    expect(await Promise.all(calls.map(({ promise }) => promise))).to.deep.equal(['a', 'b', 'c'])
    expect(trace.lines()).to.deep.equal(['a', 'a done', 'b', 'b done', 'c', 'c done'])
  })

  it('tells what a call throws, and goes on', async () => {
    const { worker } = acquire()
    expect(await rejection(worker.run(half, [3]).promise)).to.be.instanceOf(RangeError)
    expect(await worker.run(half, [4]).promise).to.equal(2)
    expect(() => worker.run(() => trace, [])).to.throw(Error, /trace/)
  })

  it('maps a function over items, and says where it failed', async () => {
    const { worker } = acquire()
    const map = worker.run<{ values: number[]; failedAt: number; error: Error }>(half, [[2, 4, 5, 6]], { mode: 'map' })
    const { values, failedAt, error } = await map.promise
    expect([values, failedAt]).to.deep.equal([[1, 2], 2])
    expect(error).to.be.instanceOf(RangeError)
    const each = worker.run<{ ok: boolean; value?: number }[]>(half, [[2, 3, 4]], { mode: 'each' })
    expect((await each.promise).map(({ ok, value }) => (ok ? value : 'failed'))).to.deep.equal([1, 'failed', 2])
    const star = worker.run<{ values: number[] }>((a: number, b: number) => a + b, [[[1, 2]]], { mode: 'starmap' })
    expect((await star.promise).values).to.deep.equal([3])
  })

  it('is not ready when its initializer throws', async () => {
    const { worker } = acquire({ initializer: failToStart, initargs: ['no start'] })
    const error = await rejection(worker.ready)
    expect(error).to.be.instanceOf(RangeError).with.property('message', 'no start')
  })

  it('is over when its initializer ends the process, with its last words', async () => {
    const { worker, exits } = acquire({ initializer: dieAtStart })
    const call = rejection(worker.run(readState, []).promise)
    const error = await rejection(worker.ready)
    expect(error).to.be.instanceOf(WorkerCrashedError)
    expect(error.message).to.contain('exit code 5').and.contain('the last words of it')
    expect(await call).to.be.instanceOf(WorkerCrashedError)
    expect(exits).to.deep.equal([
      { code: 5, signal: null, stderrTail: 'the last words of it', nodeDied: false, left: false },
    ])
  })

  it('names the file of a function whose uncaught error ended it, in its last words', async () => {
    const { worker, exits } = acquire()
    const dying = worker.run(() => {
      setTimeout(() => {
        throw new Error('nobody catches this')
      }, 1)
      return new Promise(() => {})
    }, [])
    const { message } = await rejection(dying.promise)
    await eventually(() => exits[0])
    for (const words of [message, exits[0]?.stderrTail ?? '']) {
      expect(words).to.include('Error: nobody catches this').and.not.include('outpool:fn/')
      expect(words).to.match(/at Timeout\.\S+ \(\S*pinned\.test\.ts:\d+:\d+\)/)
    }
  })

  it('that dies rejects its calls, tells once, and takes no more', async () => {
    const { worker, exits } = acquire()
    const { pid } = await worker.ready
    const running = rejection(worker.run(busy, [trace.folder, 'busy']).promise)
    const queued = rejection(worker.run(readState, []).promise)
    await trace.has('busy')
    process.kill(pid, 'SIGKILL')
    expect(await running).to.have.property('code', 'ERR_OUTPOOL_WORKER_CRASHED')
    expect(await queued).to.be.instanceOf(WorkerCrashedError)
    expect(exits).to.deep.equal([{ code: null, signal: 'SIGKILL', stderrTail: '', nodeDied: false, left: false }])
    expect(await rejection(worker.run(readState, []).promise)).to.be.instanceOf(Error)
    expect(trace.lines()).to.deep.equal(['busy'])
    await Promise.all([worker.terminate(), worker.release()])
    expect(exits).to.have.length(1)
  })

  it('is released after its running call; what is queued behind rejects', async () => {
    const { worker, exits } = acquire()
    const { pid } = await worker.ready
    const running = worker.run(slow, [trace.folder, 'running', 100])
    const queued = rejection(worker.run(slow, [trace.folder, 'queued', 1]).promise)
    await trace.has('running')
    await worker.release()
    expect(await running.promise).to.equal('running')
    expect((await queued).message).to.contain('released')
    expect(exits).to.have.length(1)
    await ended(pid)
    expect(trace.lines()).to.deep.equal(['running', 'running done'])
    expect((await rejection(worker.run(readState, []).promise)).message).to.contain('released')
  })

  it('is terminated at once, whatever it runs', async () => {
    const { worker, exits } = acquire()
    const { pid } = await worker.ready
    const running = rejection(worker.run(busy, [trace.folder, 'busy']).promise)
    const queued = rejection(worker.run(readState, []).promise)
    await trace.has('busy')
    await worker.terminate()
    await ended(pid)
    expect(await running).to.be.instanceOf(Error)
    expect((await queued).message).to.contain('terminated')
    expect(exits).to.have.length(1)
  })

  it('can be terminated and released before it stands', async () => {
    const [one, two] = [acquire(), acquire()]
    const calls = [one, two].map(({ worker }) => rejection(worker.run(readState, []).promise))
    await Promise.all([one.worker.terminate(), two.worker.release()])
    for (const call of await Promise.all(calls)) expect(call).to.be.instanceOf(Error)
    expect(await rejection(one.worker.ready)).to.be.instanceOf(Error)
    expect([one.exits.length, two.exits.length]).to.deep.equal([1, 1])
  })

  it('waits for its CPUs, and can be given up meanwhile', async () => {
    const [one, two, three] = [acquire(), acquire(), acquire()]
    await Promise.all([one.worker.ready, two.worker.ready])
    expect(three.worker.facts).to.equal(undefined)
    await one.worker.release()
    expect(await three.worker.run(readState, []).promise).to.equal(undefined)
    const four = acquire()
    await four.worker.terminate()
    expect(four.exits).to.have.length(1)
  })

  describe('cancels a call', () => {
    it('that is queued, which never runs; the others go on', async () => {
      const { worker, exits } = acquire()
      const first = worker.run(slow, [trace.folder, 'first', 100])
      const second = worker.run(slow, [trace.folder, 'second', 1])
      const third = worker.run(slow, [trace.folder, 'third', 1])
      expect(second.cancel()).to.equal(true)
      expect(await rejection(second.promise)).to.be.instanceOf(TaskCancelledError)
      expect(await Promise.all([first.promise, third.promise])).to.deep.equal(['first', 'third'])
      expect(trace.lines()).to.deep.equal(['first', 'first done', 'third', 'third done'])
      expect([second.cancel(), third.cancel(), exits.length]).to.deep.equal([false, false, 0])
    })

    it('that runs and listens: the worker lives and runs the next', async () => {
      const { worker, exits } = acquire()
      const { pid } = await worker.ready
      const call = worker.run(
        async (folder: string) => {
          const { writeFileSync } = await import('node:fs')
          const runtime = (globalThis as never as Record<symbol, { runningTask(): { signal: AbortSignal } }>)[
            Symbol.for('outpool.process.1')
          ]
          writeFileSync(`${folder}/${process.pid}`, 'listening\n')
          await new Promise<void>((resolve) => {
            runtime?.runningTask().signal.addEventListener('abort', () => resolve())
          })
        },
        [trace.folder],
      )
      await trace.has('listening')
      call.cancel()
      expect(await rejection(call.promise)).to.be.instanceOf(TaskCancelledError)
      expect(await worker.run(() => process.pid, []).promise).to.equal(pid)
      expect(exits).to.deep.equal([])
    })

    it('that runs, with force: the worker ends', async () => {
      const { worker, exits } = acquire()
      const { pid } = await worker.ready
      const call = worker.run(busy, [trace.folder, 'busy'])
      await trace.has('busy')
      call.cancel({ force: true })
      expect(await rejection(call.promise)).to.be.instanceOf(TaskCancelledError)
      await ended(pid)
      await eventually(() => exits.length > 0 || undefined)
      expect(exits).to.have.length(1)
    })
  })
})
