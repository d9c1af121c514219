import { expect } from 'chai'
import { cancel, explain, get, init, type ObjectRef, put, remote, shutdown } from 'outpool'
import { ended, measure, Trace, usePlainWorkers } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { rejection } from '../tools/rejection.ts'
import { canShare } from '../tools/native.ts'

const tasks = new URL('fixtures/tasks.mjs', import.meta.url)
const work = remote<(folder: string, id: string, ms: number) => number>(tasks, 'work')
const briefly = (): Promise<number> => work.run('', '', 0)
const cooperative = remote<(folder: string, id: string) => Promise<void>>(tasks, 'cooperative')
const parent = remote<(folder: string) => Promise<void>>(tasks, 'parent')
const code = 'ERR_OUTPOOL_TASK_CANCELLED'
const minute = 60_000
/** Each of them sends something ahead, unless the machine stops this process at the wrong moment. */
const mostRounds = 10

describe('cancel', () => {
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

  /** How often each of these ran; what else was noted is left out. */
  const runsOf = (ids: readonly string[]): number[] => {
    const lines = trace.lines()
    return ids.map((id) => lines.filter((line) => line === id).length)
  }
  /** Something that keeps one CPU, and its lease, for so long. */
  const occupy = async (id: string, ms: number): Promise<ObjectRef<number>> => {
    const ref = work.options({ name: id, timeout: minute }).remote(trace.folder, id, ms)
    await trace.has(id)
    return ref
  }

  it('removes what is queued, which never runs', async () => {
    const busy = [await occupy('a', 300), await occupy('b', 300)]
    const queued = work.remote(trace.folder, 'queued', 0)
    expect(cancel(queued)).to.equal(true)
    expect(await rejection(queued.get())).to.have.property('code', code)
    expect(cancel(queued)).to.equal(false)
    await get(busy)
    await work.run(trace.folder, 'after', 0)
    expect(trace.lines()).to.include('after').and.not.include('queued')
  })

  it('removes what waits for its arguments', async () => {
    const never = cooperative.remote(trace.folder, 'argument')
    const waiting = work.remote(trace.folder, never as never, 0)
    await trace.has('argument started')
    expect(cancel(waiting)).to.equal(true)
    expect(await rejection(waiting.get())).to.have.property('code', code)
    cancel(never)
    await trace.has('argument aborted')
  })

  it('keeps no values for a task that was cancelled before they were there', async () => {
    const argument = work.remote(trace.folder, 'argument', 200)
    const waiting = work.remote(trace.folder, argument as never, 0)
    expect(cancel(waiting)).to.equal(true)
    expect(await rejection(waiting.get())).to.have.property('code', code)
    await argument.get()
    await briefly()
    expect(explain().tables).to.have.property('attachments', 0)
    expect(cancel(waiting)).to.equal(false)
  })

  it('raises the signal of a running task, whose worker goes on to the next', async () => {
    const ref = cooperative.remote(trace.folder, 'task')
    await trace.has('task started')
    const [pid = ''] = trace.files()
    expect(cancel(ref)).to.equal(true)
    const error = await rejection(ref.get())
    expect(error).to.have.property('code', code)
    expect(error.message).to.contain('cooperative')
    await trace.has('task aborted')
    const pids = await get(Array.from({ length: 20 }, (_, i) => work.remote(trace.folder, `next ${i}`, 5)))
    expect(pids.map(String)).to.include(pid)
  })

  it('does nothing to what has ended, and to a value that no task makes', async () => {
    const ref = work.remote(trace.folder, 'done', 0)
    await ref.get()
    expect(cancel(ref)).to.equal(false)
    expect(await ref.get()).to.be.a('number')
    expect(cancel(await put(1))).to.equal(false)
    expect(() => cancel(5 as never)).to.throw(TypeError)
    expect(() => cancel(ref, { forced: true } as never)).to.throw(TypeError, /'force'/)
  })

  it('does nothing to what was submitted before this process was shut down', async () => {
    const ref = cooperative.remote(trace.folder, 'task')
    await trace.has('task started')
    await shutdown()
    expect(await rejection(ref.get())).to.have.property('name', 'ConnectionLostError')
    expect(cancel(ref)).to.equal(false)
    expect(explain().kind).to.equal('none')
    await init({ numCpus: 2 })
    expect(cancel(ref)).to.equal(false)
  })

  it('reaches what the task submitted, unless told otherwise', async () => {
    const both = parent.remote(trace.folder)
    await trace.has('child started')
    cancel(both)
    expect(await rejection(both.get())).to.have.property('code', code)
    await trace.has('child aborted')
  })

  it('ends the worker of a busy task at once with force', async () => {
    const ref = work.remote(trace.folder, 'busy', minute)
    await trace.has('busy')
    const pid = Number(trace.files()[0])
    expect(cancel(ref, { force: true })).to.equal(true)
    expect(await rejection(ref.get())).to.have.property('code', code)
    await ended(pid)
    expect(await work.run(trace.folder, 'after', 0)).to.not.equal(pid)
    expect(runsOf(['busy'])).to.deep.equal([1])
  })

  it('ends the worker of a busy task that goes on after the grace period', async () => {
    const ref = work.remote(trace.folder, 'busy', minute)
    await trace.has('busy')
    const pid = Number(trace.files()[0])
    cancel(ref)
    // It is over for the caller at once.
    expect(await rejection(ref.get())).to.have.property('code', code)
    process.kill(pid, 0)
    await ended(pid)
    expect(runsOf(['busy'])).to.deep.equal([1])
  })

  for (const force of [true, false]) {
    /** How many of those behind had been sent ahead, and were taken back. */
    const harm = async (name: string): Promise<number> => {
      await measure(briefly)
      // Its name makes it a function that was never measured: nothing is sent ahead to where it runs.
      const other = cooperative.options({ name: `${name} other` }).remote(trace.folder, `${name} other`)
      await trace.has(`${name} other started`)
      const recalled = explain().recalled
      // The one free worker gets all of these: what was measured is sent ahead.
      const victim = work.remote(trace.folder, `${name} victim`, minute)
      const ids = Array.from({ length: 10 }, (_, i) => `${name} innocent ${i}`)
      const innocents = ids.map((id) => work.remote(trace.folder, id, 1))
      await trace.has(`${name} victim`)
      cancel(victim, { force })
      expect(await rejection(victim.get())).to.have.property('code', code)
      cancel(other)
      const pids = await get(innocents)
      expect(pids).to.have.length(10)
      expect(runsOf([`${name} victim`, ...ids])).to.deep.equal(Array.from({ length: 11 }, () => 1))
      // What is cancelled without force lives on until its grace is over.
      cancel(victim, { force: true })
      return explain().recalled - recalled
    }

    it(`never harms what waits behind on the same worker${force ? ', with force' : ''}`, async () => {
      if (!canShare) return void (await harm('alone'))
      let harmed = 0
      for (let round = 0; round < mostRounds && harmed === 0; round++) harmed = await harm(`round ${round}`)
      expect(harmed, `sent ahead in ${mostRounds} rounds`).to.be.at.least(1)
    })
  }

  describe('by a signal', () => {
    it('ends one call, or all that share it, without a warning of too many listeners', async () => {
      const warnings: Error[] = []
      const onWarning = (warning: Error): void => void warnings.push(warning)
      process.on('warning', onWarning)
      const stop = new AbortController()
      const waiting = cooperative.options({ signal: stop.signal })
      const refs = Array.from({ length: 20 }, (_, i) => waiting.remote(trace.folder, `shared ${i}`))
      const run = rejection(waiting.run(trace.folder, 'run'))
      const gets = refs.map((ref) => rejection(ref.get({ signal: stop.signal })))
      await trace.has('shared 0 started')
      stop.abort(new Error('enough of it'))
      for (const got of await Promise.all(gets)) expect(got.message).to.match(/enough of it/)
      for (const ref of refs) expect(await rejection(ref.get())).to.have.property('code', code)
      expect((await run).message).to.contain('enough of it')
      await eventually(() => explain().queued === 0 || undefined)
      process.off('warning', onWarning)
      expect(warnings).to.deep.equal([])
    })

    it('refuses a call when it is raised already', async () => {
      const late = work.options({ signal: AbortSignal.abort(new Error('too late')) })
      expect(() => late.remote(trace.folder, 'never', 0))
        .to.throw(Error)
        .with.property('code', code)
      const error = await rejection(late.run(trace.folder, 'never', 0))
      expect(error.cause).to.have.property('message', 'too late')
      expect(trace.lines()).to.deep.equal([])
    })
  })

  describe('by a timeout', () => {
    it('ends an attempt that takes too long, by its signal', async () => {
      const ref = cooperative.options({ timeout: 500, name: 'slow one' }).remote(trace.folder, 'slow')
      const error = await rejection(ref.get())
      expect(error).to.have.property('code', 'ERR_OUTPOOL_TASK_TIMEOUT')
      expect(error.message).to.contain('slow one').and.contain('500 ms')
      // Where nothing else gets a turn on the machine it may be over before it has begun.
      const has = (line: string): boolean => trace.lines().includes(line)
      await eventually(() => has('slow started') === has('slow aborted') || undefined)
    })

    it('does not count the time in the queue', async () => {
      const busy = [await occupy('a', 1_500), await occupy('b', 1_500)]
      const short = work.options({ timeout: 1_200 })
      expect(await short.run(trace.folder, 'short', 0)).to.be.a('number')
      await get(busy)
    })
  })
})

describe('a retry', () => {
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

  const fails = remote<(folder: string, times: number, message: string) => number>(tasks, 'failsUntil')
  const dies = remote<(folder: string, times: number) => number>(tasks, 'diesUntil')

  it('is not made of what a function throws, unless that is asked for', async () => {
    const error = await rejection(fails.run(trace.folder, 2, 'attempt'))
    expect(error.message).to.equal('attempt 0')
    expect(trace.lines()).to.have.length(1)
  })

  it('is made with retryExceptions, as often as maxRetries says', async () => {
    const retried = fails.options({ retryExceptions: true, maxRetries: 2 })
    expect(await retried.run(trace.folder, 2, 'attempt')).to.equal(2)
    expect((await rejection(retried.run(trace.folder, 5, 'attempt'))).message).to.equal('attempt 2')
    expect(trace.lines()).to.have.length(6)
  })

  it('is made when a worker dies, as often as maxRetries says, and told in the error', async () => {
    expect(await dies.options({ maxRetries: 2 }).run(trace.folder, 2)).to.equal(2)
    const error = await rejection(dies.options({ maxRetries: 1, name: 'fragile' }).run(trace.folder, 9))
    expect(error).to.have.property('code', 'ERR_OUTPOOL_WORKER_CRASHED')
    expect(error.message).to.contain('fragile').and.contain('exit code 3').and.contain('it has run 2 times')
    const { details } = error as Error & { details: { attempt: number; story: string[] } }
    expect(details.attempt).to.equal(1)
    expect(details.story.join()).to.contain('retried')
    expect(trace.lines()).to.have.length(5)
  })

  it('is never made with maxRetries: 0', async () => {
    const error = await rejection(dies.options({ maxRetries: 0 }).run(trace.folder, 1))
    expect(error).to.have.property('code', 'ERR_OUTPOOL_WORKER_CRASHED')
    expect(trace.lines()).to.deep.equal(['attempt'])
  })
})

describe('priority', () => {
  usePlainWorkers()
  let trace: Trace
  before(async () => {
    trace = new Trace()
    await init({ numCpus: 1 })
  })
  after(async () => {
    await shutdown()
    trace.remove()
  })

  it('lets the higher one run first, where both wait for the same CPU', async () => {
    const busy = work.options({ priority: 9 }).remote(trace.folder, 'busy', 300)
    await trace.has('busy')
    const order = [0, 5, -1].map((priority) =>
      work.options({ priority, maxRetries: 0 }).remote(trace.folder, `priority ${priority}`, 1),
    )
    await get([busy, ...order])
    expect(trace.lines()).to.deep.equal(['busy', 'priority 5', 'priority 0', 'priority -1'])
  })
})
