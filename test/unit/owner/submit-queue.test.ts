import { expect } from 'chai'
import type { Timer } from '../../../runtime/base/clock.ts'
import { defaultSubmitOptions } from '../../../runtime/owner/submit-types.ts'
import { ManualClock } from '../manual-clock.ts'
import { SubmitWorld, type SubmitWorker } from './submit-world.ts'

type WorkerEntry = [index: number, worker: SubmitWorker]

/** The clock of a process whose turns take so long: every timer fires late. */
class LateClock extends ManualClock {
  readonly #lateMs: number

  constructor(lateMs: number) {
    super()
    this.#lateMs = lateMs
  }

  override after(delayMs: number, action: () => void): Timer {
    return super.after(delayMs + this.#lateMs, action)
  }
}

/** Two tasks on one lease, the first of which runs on; what the owner does within so long. */
async function secondIsTakenBack(lateMs: number, passMs: number): Promise<boolean> {
  const world = new SubmitWorld(() => false, new LateClock(lateMs))
  const template = world.template({ runMicros: 1 })
  const [, second] = [world.submit(template), world.submit(template)]
  world.grant([...world.requests][0] as number, 0)
  for (const deliver of world.pending.splice(0)) deliver()
  const worker = [...world.workers.values()][0]
  if (worker === undefined) throw new Error('no lease')
  world.start(worker)
  expect(worker.tasks.map(({ number }) => number)).to.include(second)
  await world.clock.pass(passMs, () => Promise.resolve())
  return worker.tasks.some(({ number, state }) => number === second && state === 'over')
}

describe('submit-queue, what time does', () => {
  it('takes back what waits behind a task that runs for longer than all of it was expected to', async () => {
    expect(await secondIsTakenBack(0, defaultSubmitOptions.overdueMicros / 1_000 - 1)).to.equal(false)
    expect(await secondIsTakenBack(0, defaultSubmitOptions.overdueMicros / 1_000 + 6)).to.equal(true)
  })

  it('does so later while far more are queued than there are workers', async () => {
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros: 3_000 })
    const numbers = Array.from({ length: 20 }, () => world.submit(template))
    world.grant([...world.requests][0] as number, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    const worker = [...world.workers.values()][0] as SubmitWorker
    world.start(worker)
    const { overdueMicros, overdueInQueueMicros } = defaultSubmitOptions
    const isTakenBack = (): boolean =>
      worker.tasks.some(({ number, state }) => number === numbers[1] && state === 'over')
    expect(worker.tasks.map(({ number }) => number)).to.deep.equal(numbers.slice(0, worker.tasks.length))
    expect(worker.tasks).to.have.length.greaterThan(1)
    await world.clock.pass(overdueMicros / 1_000 + 30, () => Promise.resolve())
    expect(isTakenBack()).to.equal(false)
    await world.clock.pass((overdueInQueueMicros - overdueMicros) / 1_000 - 20, () => Promise.resolve())
    expect(isTakenBack()).to.equal(true)
  })

  it('reads what has arrived first, after a long turn of its own process', async () => {
    // The one look within that time came late: the answer may be here and not be read yet.
    expect(await secondIsTakenBack(300, 320)).to.equal(false)
  })

  it('takes it back all the same in a process whose every turn is long', async () => {
    expect(await secondIsTakenBack(30, 200)).to.equal(true)
  })
})

describe('submit-queue, what is sent ahead', () => {
  /** How many tasks of each function one worker is sent, when these are submitted in this order. */
  const sentOf = (...runMicros: number[]): number[] => {
    const world = new SubmitWorld(() => false)
    for (const micros of runMicros) world.submit(world.template({ runMicros: micros }))
    world.grant([...world.requests][0] as number, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    const worker = [...world.workers.values()][0]
    return (worker?.tasks ?? []).map(({ number }) => world.state.templateOf(number).runMicros)
  }
  const { pipelineMicros, pipelineTasks, readAheadMicros } = defaultSubmitOptions

  it('is as much as two milliseconds of expected work', () => {
    const sent = sentOf(...Array.from({ length: 30 }, () => 100))
    expect(sent.length * 105).to.be.within(pipelineMicros - 105, pipelineMicros)
  })

  it('is a bounded number of tasks, however short', () => {
    expect(sentOf(...Array.from({ length: 1_000 }, () => 0))).to.have.length(pipelineTasks)
  })

  it('is one task, when that is long', () => {
    expect(sentOf(1_000_000, 1)).to.deep.equal([1_000_000])
    expect(sentOf(1, 1_000_000)).to.deep.equal([1])
  })

  it('is nothing that was never measured, and nothing behind it', () => {
    expect(sentOf(1, -1)).to.deep.equal([1])
    expect(sentOf(-1, 1)).to.deep.equal([-1])
  })

  it('is one more than the long one that runs, while more are queued than workers could take next', () => {
    expect(sentOf(20_000, 20_000)).to.deep.equal([20_000])
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros: 20_000, deviationMicros: 20_000 })
    for (let i = 0; i < 3; i++) world.submit(template)
    world.grant([...world.requests][0] as number, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    expect([...world.workers.values()][0]?.tasks).to.have.length(2)
    expect(sentOf(20_000, readAheadMicros + 1, 20_000)).to.deep.equal([20_000])
  })

  it('is several long ones while the queue is long, so many that each wake-up is for some of them', () => {
    const { longQueueTasks, longQueueMicros } = defaultSubmitOptions
    expect(sentOf(...Array.from({ length: 500 }, () => 3_000))).to.have.length(longQueueTasks)
    expect(sentOf(...Array.from({ length: 100 }, () => 20_000))).to.have.length(Math.floor(longQueueMicros / 20_005))
    expect(sentOf(...Array.from({ length: 100 }, () => 90_000))).to.have.length(2)
  })

  it('is half of the share of a worker where tasks differ, so that the last portions are small', () => {
    const queued = 60
    const workers = 4
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros: 4_000, deviationMicros: 4_000 })
    for (let i = 0; i < queued; i++) world.submit(template)
    for (const request of [...world.requests].slice(0, workers)) world.grant(request, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    const portions = [...world.workers.values()].map(({ tasks }) => tasks.length)
    expect(portions).to.have.length(workers)
    let left = queued
    for (const portion of portions) {
      left -= portion
      expect(portion * workers * 2).to.be.within(left - workers * 2, left + workers * 2 * 2)
    }
    expect(left).to.be.greaterThan(queued / 4)
  })

  it('is all of the share of a worker where tasks take the same time', () => {
    const queued = 60
    const workers = 4
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros: 2_000 })
    for (let i = 0; i < queued; i++) world.submit(template)
    for (const request of [...world.requests].slice(0, workers)) world.grant(request, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    const [first] = [...world.workers.values()]
    expect(first?.tasks.length).to.be.within(queued / (workers + 1), queued / workers)
  })

  it('grows with the queue while calls are made, before anything is answered', () => {
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros: 20_000 })
    const workers = 4
    for (let i = 0; i < workers; i++) world.submit(template)
    for (const request of [...world.requests].slice(0, workers)) world.grant(request, 0)
    const sent = (): number[] => {
      for (const deliver of world.pending.splice(0)) deliver()
      return [...world.workers.values()].map(({ tasks }) => tasks.length)
    }
    expect(sent()).to.deep.equal([1, 1, 1, 1])
    for (let i = 0; i < 60; i++) world.submit(template)
    for (const count of sent()) expect(count).to.be.within(5, 10)
  })

  it('comes several at once to a worker that has little left, and not one for each answer', () => {
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros: 20_000 })
    for (let i = 0; i < 60; i++) world.submit(template)
    world.grant([...world.requests][0] as number, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    const [[index, worker]] = [...world.workers] as [WorkerEntry]
    const refills: number[] = []
    for (let i = 0; i < 20; i++) {
      const before = worker.tasks.length
      world.start(worker)
      world.finish(index, worker, false)
      // As long as all of them were expected to take.
      template.runMicros = 20_000
      for (const deliver of world.pending.splice(0)) deliver()
      if (worker.tasks.length > before) refills.push(worker.tasks.length - before)
    }
    expect(Math.min(...refills)).to.be.greaterThan(2)
  })

  it('is taken over by a worker that has nothing left to do, when the running task has not ended', () => {
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros: 20_000 })
    for (let i = 0; i < 5; i++) world.submit(template)
    for (const request of [...world.requests].slice(0, 2)) world.grant(request, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    const [[first, slow], [second, quick]] = [...world.workers] as [WorkerEntry, WorkerEntry]
    expect(slow.tasks).to.have.length(2)
    for (let i = 0; i < 3; i++) {
      world.start(slow)
      world.start(quick)
      world.finish(second, quick, false)
      for (const deliver of world.pending.splice(0)) deliver()
    }
    expect(slow.tasks.map(({ state }) => state)).to.deep.equal(['started', 'over'])
    expect(quick.tasks.map(({ state }) => state)).to.deep.equal(['over', 'over', 'over', 'waiting'])
    world.start(quick)
    world.finish(second, quick, false)
    world.finish(first, slow, false)
    for (const deliver of world.pending.splice(0)) deliver()
    expect([...world.settled.values()]).to.deep.equal(Array.from({ length: 5 }, () => 'done'))
    expect([...world.starts.values()]).to.deep.equal([1, 1, 1, 1, 1])
  })
})

describe('submit-queue, where a function suddenly takes far longer', () => {
  /** Tasks of 10 µs for so many workers, all of which are sent. */
  function sent(tasks: number, workers: number): { world: SubmitWorld; entries: WorkerEntry[] } {
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros: 10 })
    for (let i = 0; i < workers; i++) world.submit(template)
    for (const request of [...world.requests].slice(0, workers)) world.grant(request, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    for (let i = workers; i < tasks; i++) world.submit(template)
    expect(world.requests.size).to.equal(0)
    return { world, entries: [...world.workers] }
  }

  const answer = (world: SubmitWorld, [index, worker]: WorkerEntry, micros: number): void => {
    world.start(worker)
    world.finish(index, worker, false, micros)
    for (const deliver of world.pending.splice(0)) deliver()
  }
  const waitingAt = ([, { tasks }]: WorkerEntry): number => tasks.filter(({ state }) => state === 'waiting').length

  it('half of what waits behind it goes to a worker that has nothing left to do', () => {
    const { world, entries } = sent(120, 2)
    const [slow, quick] = entries as [WorkerEntry, WorkerEntry]
    while (waitingAt(quick) > 0) answer(world, quick, 10)
    const before = waitingAt(slow)
    expect(before).to.be.greaterThan(50)
    world.start(slow[1])
    answer(world, slow, 9_000)
    expect(waitingAt(slow) + world.state.classAt(0).queued + waitingAt(quick)).to.equal(before - 1)
    expect(waitingAt(quick)).to.be.greaterThan(0)
    expect(waitingAt(slow)).to.be.lessThan(before)
  })

  it('leases are asked for, where no worker is without work', () => {
    const { world, entries } = sent(120, 1)
    answer(world, entries[0] as WorkerEntry, 9_000)
    expect(world.requests.size).to.be.greaterThan(0)
    expect(waitingAt(entries[0] as WorkerEntry)).to.be.lessThan(119)
  })

  it('each runs once, and what workers have is shared out until the end', () => {
    const { world, entries } = sent(120, 2)
    const [first, second] = entries as [WorkerEntry, WorkerEntry]
    while (waitingAt(second) > 0) answer(world, second, 10)
    const counts = [0, 0]
    while (world.state.unsettled > 0) {
      for (const [i, entry] of [first, second].entries()) {
        const settled = world.settled.size
        answer(world, entry, 9_000)
        counts[i] = (counts[i] as number) + world.settled.size - settled
      }
    }
    expect([...world.starts.values()].every((starts) => starts === 1)).to.equal(true)
    expect(Math.abs((counts[0] as number) - (counts[1] as number))).to.be.at.most(2)
  })
})

describe('submit-queue, had back', () => {
  /** One worker, on which a task runs and another waits. */
  function twoTasks(remote: boolean): { world: SubmitWorld; running: number; behind: number; worker: SubmitWorker } {
    const world = new SubmitWorld(() => remote)
    const template = world.template({ runMicros: 1 })
    const [running, behind] = [world.submit(template), world.submit(template)]
    world.grant([...world.requests][0] as number, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    const worker = [...world.workers.values()][0] as SubmitWorker
    world.start(worker)
    return { world, running, behind, worker }
  }

  it('is what has not started, wherever it waits, and of that nobody is told', () => {
    const { world, running, behind, worker } = twoTasks(false)
    expect([world.state.takeBack(running), world.state.takeBack(behind)]).to.deep.equal([false, true])
    expect(world.state.takeBack(behind)).to.equal(false)
    const queued = world.submit(world.template({ runMicros: -1 }))
    expect(world.state.takeBack(queued)).to.equal(true)
    expect([...world.settled.keys()]).to.deep.equal([])
    expect(world.state.unsettled).to.equal(1)
    expect(worker.tasks.filter(({ state }) => state === 'waiting')).to.deep.equal([])
  })

  it('is nothing of a worker whose node would have to be asked, and such a one gets nothing ahead', () => {
    const { world, running, behind } = twoTasks(true)
    expect([world.state.takeBack(running), world.state.takeBack(behind)]).to.deep.equal([false, false])
    expect(world.state.takesAhead(world.state.templateOf(running))).to.equal(false)
  })

  it('may be sent ahead, where it is short and so is what runs', () => {
    const { world, running } = twoTasks(false)
    expect(world.state.takesAhead(world.state.templateOf(running))).to.equal(true)
    expect(world.state.takesAhead(world.template({ runMicros: -1 }))).to.equal(false)
    expect(world.state.takesAhead(world.template({ runMicros: 20_000 }))).to.equal(false)
  })
})

describe('submit-queue, leases that others wait for', () => {
  const { idleLeaseMs, wantedLeaseMs } = defaultSubmitOptions

  /** A world with one lease and tasks for it, all of which have been pushed. */
  function leased(runMicros: readonly number[]): { world: SubmitWorld; entry: WorkerEntry } {
    const world = new SubmitWorld(() => false)
    for (const micros of runMicros) world.submit(world.template({ runMicros: micros }))
    world.grant([...world.requests][0] as number, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    return { world, entry: [...world.workers][0] as WorkerEntry }
  }

  const wanted = ({ state }: SubmitWorld, [, { grant }]: WorkerEntry, whenIdle: boolean): void =>
    state.reclaim(grant.node, grant.leaseId, whenIdle)

  const answer = (world: SubmitWorld, [index, worker]: WorkerEntry): void => {
    world.start(worker)
    world.finish(index, worker, false)
    for (const deliver of world.pending.splice(0)) deliver()
  }

  for (const { when, isWanted, keptMs } of [
    { when: 'nobody waits', isWanted: false, keptMs: idleLeaseMs },
    { when: 'somebody does', isWanted: true, keptMs: wantedLeaseMs },
  ])
    it(`are kept for ${keptMs} ms without work when ${when}`, async () => {
      const { world, entry } = leased([1])
      if (isWanted) wanted(world, entry, true)
      answer(world, entry)
      await world.clock.pass(keptMs - 1, () => Promise.resolve())
      expect(entry[1].returned).to.equal(false)
      await world.clock.pass(6, () => Promise.resolve())
      expect(entry[1].returned).to.equal(true)
    })

  it('are given back at once when they have been idle for long', async () => {
    const { world, entry } = leased([1])
    answer(world, entry)
    await world.clock.pass(idleLeaseMs / 2, () => Promise.resolve())
    wanted(world, entry, true)
    expect(entry[1].returned).to.equal(true)
  })

  it('go on with what there is to do, until they are asked for in any case', () => {
    const { world, entry } = leased(Array.from({ length: 40 }, () => 20_000))
    wanted(world, entry, true)
    for (let i = 0; i < 10; i++) answer(world, entry)
    expect([...world.settled.values()]).to.have.length(10)
    expect(entry[1].returned).to.equal(false)
    world.start(entry[1])
    wanted(world, entry, false)
    expect(entry[1].tasks.filter(({ state }) => state === 'waiting')).to.deep.equal([])
    world.finish(...entry, false)
    for (const deliver of world.pending.splice(0)) deliver()
    expect(entry[1].returned).to.equal(true)
  })

  it('have their last answer told at once, not with the next ones', () => {
    const { world, entry } = leased(Array.from({ length: 40 }, () => 5_000))
    answer(world, entry)
    expect(world.state.leases.get(entry[0])?.restMicros).to.be.greaterThan(0)
    expect(world.woken).to.deep.equal([])
    wanted(world, entry, false)
    expect(world.woken).to.deep.equal([entry[0]])
  })
})

describe('submit-queue, in a burst of calls', () => {
  it('asks for few leases where it has none, and for twice as many as it gets', () => {
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros: 20_000 })
    for (let i = 0; i < 100; i++) world.submit(template)
    expect(world.requests.size).to.equal(8)
    for (const request of [...world.requests]) world.grant(request, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    world.submit(template)
    expect(world.requests.size).to.equal(16)
  })

  it('asks for few leases when those of the burst before were asked for in vain, until it gets one', async () => {
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros: 20_000 })
    const burst = (): number => {
      for (let i = 0; i < 40; i++) world.submit(template)
      return world.requests.size
    }
    const runAll = (): void => {
      while (world.state.unsettled > 0) {
        for (const [index, worker] of world.workers) {
          world.start(worker)
          world.finish(index, worker, false, 20_000)
        }
        for (const deliver of world.pending.splice(0)) deliver()
      }
    }
    expect(burst()).to.equal(8)
    for (const request of [...world.requests].slice(0, 2)) world.grant(request, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    runAll()
    expect(world.requests.size).to.equal(0)
    expect(burst(), 'those of the first were cancelled at once').to.equal(8)
    await world.clock.pass(150, () => Promise.resolve())
    runAll()
    expect(burst()).to.equal(2)
    world.grant([...world.requests][0] as number, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    world.submit(template)
    expect(world.requests.size).to.equal(8)
  })

  it('writes a long task to an idle worker at once, what waits there when that has doubled, a short one later', () => {
    const world = new SubmitWorld(() => false)
    const [long, short] = [world.template({ runMicros: 20_000 }), world.template({ runMicros: 100 })]
    world.submit(short)
    world.submit(short)
    for (const request of [...world.requests]) world.grant(request, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    expect(world.flushed).to.deep.equal([])
    for (const [index, worker] of world.workers) {
      world.start(worker)
      world.finish(index, worker, false)
    }
    for (const deliver of world.pending.splice(0)) deliver()
    const numbers = Array.from({ length: 40 }, () => world.submit(long))
    expect(world.flushed[0]).to.equal(numbers[0])
    // What is written last is behind the middle of the burst: a task that ends within it finds its next.
    expect(world.flushed.at(-1)).to.be.greaterThan(numbers[4] as number)
    expect(world.flushed).to.have.length.within(4, 12)
  })

  const resting = (calls: number, runMicros: number, timeoutMs = 0): readonly boolean[] => {
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros, timeoutMs })
    for (let i = 0; i < 4; i++) world.submit(template)
    for (const request of [...world.requests].slice(0, 4)) world.grant(request, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    for (let i = 4; i < calls; i++) world.submit(template)
    return [...world.state.leases.values()].map(({ restMicros }) => restMicros > 0)
  }

  it('lets answers wait for each other from the first on where many long tasks wait at each worker', () => {
    expect(resting(64, 20_000)).to.deep.equal([true, true, true, true])
  })

  for (const { what, calls, runMicros, timeoutMs } of [
    { what: 'few tasks', calls: 24, runMicros: 20_000 },
    { what: 'short tasks', calls: 64, runMicros: 500 },
    { what: 'tasks with a timeout', calls: 64, runMicros: 20_000, timeoutMs: 1_000 },
  ])
    it(`is told of each answer of ${what} at once`, () => {
      expect(resting(calls, runMicros, timeoutMs)).to.deep.equal([false, false, false, false])
    })

  it('shares out what is left when all answers that were found together are told', () => {
    const world = new SubmitWorld(() => false)
    const template = world.template({ runMicros: 20_000 })
    for (let i = 0; i < 30; i++) world.submit(template)
    for (const request of [...world.requests].slice(0, 2)) world.grant(request, 0)
    for (const deliver of world.pending.splice(0)) deliver()
    expect(world.state.classAt(template.classIndex).queued).to.be.greaterThan(8)
    world.state.together(() => {
      for (const [index, worker] of world.workers)
        for (const { sequence } of worker.tasks.slice(0, 9)) world.state.done(index, sequence, 20_000)
    })
    expect([...world.state.leases.values()].map(({ count }) => count)).to.deep.equal([6, 6])
  })
})
