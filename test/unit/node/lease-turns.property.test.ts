/** Programs that compete for one node, on virtual time: what each gets, how long it waits, how many processes that costs. */
import { expect } from 'chai'
import fc from 'fast-check'
import { defaultLeaseOptions, type Lease } from '../../../runtime/node/lease-types.ts'
import { defaultSubmitOptions } from '../../../runtime/owner/submit-types.ts'
import { LeaseFixture, nodeId } from './lease-fixture.ts'

const { reclaimAfterMs, reclaimForLightAfterMs } = defaultLeaseOptions
const { wantedLeaseMs } = defaultSubmitOptions
const bootMs = 100
const lastMs = 5_000
const requestsAtOnce = 3

interface Habit {
  readonly taskMs: number
  /** Tasks of one burst; it pauses between two of them. */
  readonly burst: number
  readonly pauseMs: number
}

interface Held {
  readonly lease: Lease
  endsAtMs: number
  idleSinceMs: number | undefined
  closing: boolean
}

/** A program as its owner behaves: asks while tasks wait, keeps a lease while it has work, gives it back when asked to. */
class Program {
  readonly owner: string
  readonly #habit: Habit
  readonly #node: LeaseFixture
  readonly #open = new Set<number>()
  readonly #held = new Map<number, Held>()
  #queued: number
  #running = 0
  #pauseEndsAtMs: number | undefined
  #waitsSinceMs: number | undefined = 0
  workMs = 0
  longestWaitMs = 0
  /** How long each task that was alone in the queue waited. */
  readonly waitsMs: number[] = []

  constructor(index: number, habit: Habit, node: LeaseFixture) {
    this.owner = `p${index}`
    this.#habit = habit
    this.#node = node
    this.#queued = habit.burst
  }

  granted(lease: Lease): void {
    this.#open.delete(lease.requestId)
    this.#held.set(lease.requestId, { lease, endsAtMs: 0, idleSinceMs: this.#node.clock.now(), closing: false })
  }

  reclaim(requestId: number): void {
    const held = this.#held.get(requestId)
    if (held !== undefined) held.closing = true
  }

  /** One millisecond of its life. */
  live(): void {
    const now = this.#node.clock.now()
    for (const held of this.#held.values()) this.#work(held, now)
    if (this.#queued === 0 && this.#running === 0) this.#pause(now)
    const waits = this.#queued > 0 && this.#running === 0
    if (!waits && this.#waitsSinceMs !== undefined) this.waitsMs.push(now - this.#waitsSinceMs)
    if (!waits) this.#waitsSinceMs = undefined
    else this.longestWaitMs = Math.max(this.longestWaitMs, now - (this.#waitsSinceMs ??= now))
    this.#ask()
  }

  #work(held: Held, now: number): void {
    if (held.idleSinceMs === undefined && now >= held.endsAtMs) {
      this.workMs += this.#habit.taskMs
      this.#running--
      held.idleSinceMs = now
    }
    if (held.idleSinceMs === undefined) return
    if (!held.closing && this.#queued > 0) {
      this.#queued--
      this.#running++
      held.idleSinceMs = undefined
      held.endsAtMs = now + this.#habit.taskMs
    } else if (held.closing || now - held.idleSinceMs >= wantedLeaseMs) {
      this.#held.delete(held.lease.requestId)
      this.#node.grants.return(this.owner, held.lease.id, false)
    }
  }

  #pause(now: number): void {
    this.#pauseEndsAtMs ??= now + this.#habit.pauseMs
    if (now < this.#pauseEndsAtMs) return
    this.#pauseEndsAtMs = undefined
    this.#queued = this.#habit.burst
  }

  #ask(): void {
    const wanted = Math.min(this.#queued, requestsAtOnce)
    while (this.#open.size < wanted)
      this.#open.add(this.#node.ask(this.owner, 1, { job: nodeId(0x100 + Number(this.owner.slice(1))) }))
    if (this.#queued > 0) return
    for (const requestId of this.#open) this.#node.grants.cancel(this.owner, requestId)
    this.#open.clear()
  }
}

interface Outcome {
  readonly programs: readonly Program[]
  readonly starts: number
  readonly mostWorkers: number
}

function compete(numCpus: number, habits: readonly Habit[]): Outcome {
  const node = new LeaseFixture({ numCpus })
  const programs = habits.map((habit, index) => new Program(index, habit, node))
  const starting: [worker: (typeof node.started)[number], readyMs: number][] = []
  const find = (owner: string): Program => programs.find((program) => program.owner === owner) as Program
  let [starts, mostWorkers, seen] = [0, 0, 0]
  for (; node.clock.nowMs < lastMs; node.clock.nowMs++) {
    if ((node.grants.nextTickAtMs() ?? Number.POSITIVE_INFINITY) <= node.clock.nowMs) node.grants.tick()
    for (const program of programs) program.live()
    node.bury()
    for (const worker of node.started.splice(0)) starting.push([worker, node.clock.nowMs + bootMs])
    while ((starting[0]?.[1] ?? Number.POSITIVE_INFINITY) <= node.clock.nowMs) {
      starts++
      node.grants.workerReady((starting.shift() as (typeof starting)[number])[0])
    }
    for (; seen < node.granted.length; seen++)
      find((node.granted[seen] as Lease).owner).granted(node.granted[seen] as Lease)
    for (const line of node.take()) {
      const [what, owner = '', request] = line.split(' ')
      if (what === 'reclaim') find(owner).reclaim(Number(request))
    }
    mostWorkers = Math.max(mostWorkers, node.grants.stats().workers)
  }
  return { programs, starts, mostWorkers }
}

const cpus = fc.integer({ min: 1, max: 4 })
const tasks = fc.integer({ min: 1, max: 20 })

/** Who is last in the queue waits for one turn of each before it, on all CPUs, and for the first worker of each. */
function mostWaitMs(numCpus: number, habits: readonly Habit[]): number {
  const rounds = Math.ceil(habits.length / numCpus) + 1
  return rounds * (reclaimAfterMs + bootMs + Math.max(...habits.map(({ taskMs }) => taskMs)))
}

const mostSettlingMs = 2 * reclaimAfterMs + bootMs

describe('programs that compete for the CPUs of a node', () => {
  it('wait for a running task and little else with short calls now and then, beside any flood', function () {
    this.timeout(60_000)
    const flood = tasks.map((taskMs): Habit => ({ taskMs, burst: Number.POSITIVE_INFINITY, pauseMs: 0 }))
    const calls = fc.record({
      taskMs: fc.integer({ min: 1, max: 3 }),
      burst: fc.constant(1),
      pauseMs: fc.integer({ min: 100, max: 300 }),
    })
    fc.assert(
      fc.property(cpus, fc.array(flood, { minLength: 1, maxLength: 4 }), calls, (numCpus, floods, light) => {
        const { programs } = compete(numCpus, [...floods, light])
        const waits = (programs.at(-1) as Program).waitsMs
        const mostTaskMs = Math.max(...floods.map(({ taskMs }) => taskMs))
        // A flood that has just begun fills the node before its turns do.
        const settled = waits.slice(Math.ceil(mostSettlingMs / light.pauseMs))
        expect(settled.length).to.be.at.least(5)
        const soonMs = reclaimForLightAfterMs + mostTaskMs + 2
        for (const waitMs of settled) expect(waitMs).to.be.at.most(soonMs)
      }),
      { numRuns: 20, seed: 1 },
    )
  })

  it('get equal shares of all that there is, when each has work for all of it', function () {
    this.timeout(60_000)
    const flood = tasks.map((taskMs): Habit => ({ taskMs, burst: Number.POSITIVE_INFINITY, pauseMs: 0 }))
    fc.assert(
      fc.property(cpus, fc.array(flood, { minLength: 5, maxLength: 9 }), (numCpus, habits) => {
        const { programs, starts } = compete(numCpus, habits)
        const total = programs.reduce((sum, { workMs }) => sum + workMs, 0)
        // One process for each, and those that the first had while it was alone.
        const mostStarts = programs.length + numCpus
        expect(starts).to.be.at.most(mostStarts)
        expect(total).to.be.at.least(0.9 * (numCpus * lastMs - mostStarts * bootMs))
        for (const { workMs, longestWaitMs } of programs) {
          expect(workMs).to.be.at.least(total / programs.length - 2 * reclaimAfterMs)
          expect(longestWaitMs).to.be.at.most(mostWaitMs(numCpus, habits))
        }
      }),
      { numRuns: 12, seed: 1 },
    )
  })

  it('never wait for long, whatever the others do, and have a bounded number of processes', function () {
    this.timeout(60_000)
    const habit = fc.record({
      taskMs: tasks,
      burst: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constant(Number.POSITIVE_INFINITY)),
      pauseMs: fc.integer({ min: 0, max: 300 }),
    })
    fc.assert(
      fc.property(cpus, fc.array(habit, { minLength: 2, maxLength: 9 }), (numCpus, habits) => {
        const { programs, mostWorkers } = compete(numCpus, habits)
        for (const { longestWaitMs } of programs) expect(longestWaitMs).to.be.at.most(mostWaitMs(numCpus, habits))
        expect(mostWorkers).to.be.at.most(2 * numCpus + programs.length)
      }),
      { numRuns: 12, seed: 1 },
    )
  })
})
