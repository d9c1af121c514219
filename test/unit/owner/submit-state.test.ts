import { expect } from 'chai'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { SubmitState } from '../../../runtime/owner/submit-state.ts'
import {
  defaultSubmitOptions,
  type Failure,
  type Grant,
  type SubmitEffects,
  type TaskTemplate,
} from '../../../runtime/owner/submit-types.ts'
import { slotOf, TaskTable } from '../../../runtime/owner/task-table.ts'

const node = '00000000000000aa' as NodeId
const worker = '00000000000000bb' as ProcessId
const exit = [null, 'SIGKILL', 1, ''] as const

/** An owner whose instructions are written down; every lease is opened at once, and what is unstarted can be recalled. */
class Fixture {
  readonly log: string[] = []
  readonly failed: Map<number, Failure> = new Map<number, Failure>()
  readonly table: TaskTable = new TaskTable()
  readonly state: SubmitState
  readonly template: TaskTemplate
  /** Sequences that the worker has started. */
  readonly started: Set<number> = new Set<number>()
  /** Whether tasks have large arguments, which lie on the node. */
  located = false
  requests = 0
  nowMs = 0
  #timers: { atMs: number; action: () => void }[] = []

  constructor(options: Partial<TaskTemplate> = {}) {
    const clock = {
      now: () => this.nowMs,
      after: (delayMs: number, action: () => void) => {
        this.#timers.push({ atMs: this.nowMs + delayMs, action })
        return { cancel: () => undefined }
      },
    }
    this.state = new SubmitState(this.table, clock, this.#effects(), defaultSubmitOptions)
    const classIndex = this.state.defineClass({
      ...{ kind: 'task', resources: [['CPU', 10_000]], strategy: null, priority: 0, environment: '' },
    })
    const facts = {
      number: 0,
      name: 'f',
      classIndex,
      maxRetries: 0,
      retryExceptions: false,
      timeoutMs: 0,
      numReturns: 1,
    }
    this.template = { ...facts, deviationMicros: 0, runMicros: 1, ...options }
  }

  submit(count: number): number[] {
    const numbers = Array.from({ length: count }, () => this.table.allocate())
    for (const number of numbers) this.state.submit(number, this.template, true)
    return numbers
  }

  /** A lease for the newest request; returns its index. */
  grant(requestId: number = this.requests): number {
    const place = { node, worker, socketPath: '', pagePath: 'page', pid: 1 }
    const grant: Grant = { leaseId: requestId, epoch: requestId, ...place }
    this.state.granted(requestId, grant)
    const index = Math.max(...this.state.leases.keys())
    this.state.opened(index)
    return index
  }

  /** An idle lease that has served so many tasks. */
  grantAfter(count: number): number {
    this.submit(1)
    const index = this.grant(1)
    this.state.done(index, 0, 1)
    const lease = this.state.leases.get(index)
    if (lease !== undefined) lease.first = lease.next = lease.passed = count
    this.taken()
    return index
  }

  taken(): string[] {
    return this.log.splice(0)
  }

  pass(durationMs: number): void {
    const untilMs = this.nowMs + durationMs
    for (;;) {
      const next = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.#timers = this.#timers.filter((timer) => timer !== next)
      this.nowMs = next.atMs
      next.action()
    }
    this.nowMs = untilMs
  }

  #effects(): SubmitEffects {
    return {
      requestLease: (requestId) => {
        this.requests = Math.max(this.requests, requestId)
        this.log.push('request')
      },
      argumentBytes: () => (this.located ? [[node, 40_000_000]] : null),
      cancelRequest: () => this.log.push('cancel request'),
      open: () => undefined,
      push: (_index, sequence, number, _template, attempt) => this.log.push(`push ${number}/${attempt} as ${sequence}`),
      recall: (_index, sequences) => sequences.filter((sequence) => !this.started.has(sequence)),
      abort: (_index, sequence) => this.log.push(`abort ${sequence}`),
      endWorker: () => this.log.push('end worker'),
      returnLease: () => this.log.push('return'),
      returnGrant: () => this.log.push('return grant'),
      fail: (number, failure) => this.failed.set(number, failure),
      classEnded: () => this.log.push('class ended'),
      story: () => undefined,
    }
  }
}

describe('submit-state', () => {
  it('moves what a dead worker had not started and fails what it had, with no retries', () => {
    const fixture = new Fixture()
    const [first, second] = fixture.submit(2)
    const index = fixture.grant(1)
    fixture.state.workerEnded(index, exit, 0)
    expect([...fixture.failed.keys()]).to.deep.equal([first])
    fixture.taken()
    fixture.grant()
    expect(fixture.taken()).to.include(`push ${second}/0 as 0`)
  })

  it('knows what had started when a lease has lived for longer than the claim page can count', () => {
    const fixture = new Fixture()
    const index = fixture.grantAfter(300_000)
    const [running, waiting] = fixture.submit(2)
    fixture.state.workerEnded(index, exit, 300_000 & 0x3ffff)
    expect([...fixture.failed.keys()]).to.deep.equal([running])
    expect(fixture.state.classAt(0).queued).to.equal(1)
    expect(waiting).to.be.above(running as number)
  })

  it('asks for another lease when a task fails that is to run again, and its lease is on its way back', () => {
    const fixture = new Fixture({ maxRetries: 1, retryExceptions: true })
    fixture.submit(1)
    const index = fixture.grant(1)
    fixture.started.add(0)
    fixture.state.reclaim(node, 1, false)
    fixture.taken()
    fixture.state.failed(index, 0, 10, 'user')
    expect(fixture.taken()).to.deep.equal(['return', 'request'])
  })

  it('fails what is queued after a refusal when the only lease awaits, since it may await just that', () => {
    const fixture = new Fixture({ runMicros: -1 })
    const [, queued] = fixture.submit(2)
    const index = fixture.grant(1)
    fixture.state.blocked(index)
    fixture.state.refused(2, 'spawn-failed', 'no memory')
    expect(fixture.failed.get(queued as number)).to.deep.equal({ kind: 'setup', text: 'no memory' })
  })

  it('asks again for what is queued after a refusal, when the lease that served it starts to await', () => {
    const fixture = new Fixture({ runMicros: -1 })
    fixture.submit(2)
    const index = fixture.grant(1)
    fixture.state.refused(2, 'spawn-failed', 'no memory')
    fixture.taken()
    fixture.state.blocked(index)
    expect(fixture.taken()).to.deep.equal(['request'])
  })

  it('forgets where the arguments of a queued task lay that has to wait for them again', () => {
    const fixture = new Fixture()
    fixture.located = true
    const numbers = fixture.submit(2)
    for (const number of numbers) expect(fixture.state.unready(number)).to.equal(true)
    const [record] = fixture.state.classes
    expect([record?.queued, record?.located.size]).to.deep.equal([0, 0])
    // The argument of the one is lost for good; that of the other is there again.
    fixture.state.drop(numbers[0]!)
    fixture.state.ready(numbers[1]!)
    expect([record?.queued, record?.located.size]).to.deep.equal([1, 1])
  })

  it('raises the signal of a task without ending it, however long that takes, and of nothing that is at no worker', () => {
    const fixture = new Fixture({ runMicros: -1 })
    const [running, queued] = fixture.submit(2)
    expect(fixture.state.raise(running as number)).to.equal(false)
    const index = fixture.grant(1)
    fixture.started.add(0)
    fixture.taken()
    expect([fixture.state.raise(running as number), fixture.state.raise(queued as number)]).to.deep.equal([true, false])
    fixture.pass(60_000)
    expect(fixture.taken()).to.include('abort 0').and.not.include('end worker')
    expect(fixture.failed.has(running as number)).to.equal(false)
    expect(fixture.state.done(index, 0, 10)).to.equal(running)
    expect(fixture.state.raise(running as number)).to.equal(false)
  })

  it('uses a lease again whose aborted task was given back unstarted', () => {
    const fixture = new Fixture()
    const [, second] = fixture.submit(2)
    const index = fixture.grant(1)
    fixture.started.add(0).add(1)
    fixture.state.cancel(second as number, 'a whim', false, false)
    fixture.state.returned(index, [1])
    fixture.state.done(index, 0, 10)
    fixture.taken()
    const [third] = fixture.submit(1)
    expect(fixture.taken()).to.deep.equal([`push ${third}/0 as 2`])
  })

  it('gives a task to the worker that became idle last, and to another one while that is busy', () => {
    const fixture = new Fixture({ runMicros: -1 })
    fixture.submit(2)
    const [first, second] = [fixture.grant(1), fixture.grant(2)]
    fixture.state.done(second, 0, 1)
    fixture.state.done(first, 0, 1)
    const leaseOf = (number: number | undefined): number | undefined =>
      number === undefined ? undefined : fixture.table.at(number).lease[slotOf(number)]
    expect(leaseOf(fixture.submit(1)[0])).equal(first)
    expect(leaseOf(fixture.submit(1)[0])).equal(second)
    fixture.state.done(second, 1, 1)
    expect(leaseOf(fixture.submit(1)[0])).equal(second)
  })

  it('asks nobody a second time for a request that is redirected after it was held for unanswered', () => {
    const fixture = new Fixture()
    fixture.submit(1)
    expect(fixture.taken()).to.deep.equal(['request'])
    fixture.state.refused(1, 'busy', 'the link to the home broke')
    fixture.state.redirected(1, node)
    expect(fixture.taken()).to.deep.equal(['request'])
    fixture.pass(60_000)
    expect(fixture.taken()).to.deep.equal([])
  })

  it('settles a cancelled task once, whatever its worker says later', () => {
    const fixture = new Fixture()
    const [number] = fixture.submit(1)
    const index = fixture.grant(1)
    fixture.started.add(0)
    expect(fixture.state.cancel(number as number, 'a whim', false, false)).to.equal(true)
    expect(fixture.state.done(index, 0, 10)).to.equal(-1)
    expect(fixture.state.cancel(number as number, 'a whim', false, false)).to.equal(false)
    expect(fixture.state.unsettled).to.equal(0)
  })

  it('counts for the time limit of a generator what it runs, not what its consumer holds it up', () => {
    const fixture = new Fixture({ timeoutMs: 1_000 })
    const [number = 0] = fixture.submit(1)
    fixture.grant()
    fixture.started.add(0)
    fixture.pass(600)
    fixture.state.paused(number, true)
    fixture.pass(60_000)
    fixture.state.paused(number, true)
    expect(fixture.failed.size).to.equal(0)
    fixture.state.paused(number, false)
    fixture.state.paused(number, false)
    fixture.pass(399)
    expect(fixture.failed.size).to.equal(0)
    fixture.pass(2)
    expect(fixture.failed.get(number)).to.deep.equal({ kind: 'timeout', timeoutMs: 1_000 })
    // A task behind it has its own time.
    const other = new Fixture({ timeoutMs: 1_000 })
    const [first = 0] = other.submit(1)
    const index = other.grant()
    other.started.add(0)
    other.state.paused(first, true)
    other.pass(500)
    other.state.done(index, 0, 1)
    const [second = 0] = other.submit(1)
    other.started.add(1)
    other.pass(999)
    expect(other.failed.size).to.equal(0)
    other.pass(2)
    expect(other.failed.has(second)).to.equal(true)
  })

  it('ends the worker of a cancelled task that goes on after its grace period', () => {
    const fixture = new Fixture()
    const [number] = fixture.submit(1)
    fixture.grant(1)
    fixture.started.add(0)
    fixture.state.cancel(number as number, 'a whim', false, false)
    fixture.pass(defaultSubmitOptions.cancelGraceMs - 100)
    expect(fixture.taken()).not.to.include('end worker')
    fixture.pass(200)
    expect(fixture.taken()).to.include('end worker')
  })
})
