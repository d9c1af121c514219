/**
 * Everything around a `SubmitState` that a random run needs: nodes that grant, refuse and redirect, workers that start,
 * answer, give back and die, links that break, a clock. Messages that are under way wait in `pending`, and a run
 * delivers them in an order of its own, in order per worker.
 */
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { SubmitState } from '../../../runtime/owner/submit-state.ts'
import {
  defaultSubmitOptions,
  type Failure,
  type Grant,
  type SchedulingClass,
  type SubmitEffects,
  type TaskTemplate,
} from '../../../runtime/owner/submit-types.ts'
import { TaskTable } from '../../../runtime/owner/task-table.ts'
import { ManualClock } from '../manual-clock.ts'

const nodes = ['aa', 'bb'].map((digits) => digits.padStart(16, '0') as NodeId) as [NodeId, NodeId]

interface Pushed {
  readonly sequence: number
  readonly number: number
  state: 'waiting' | 'started' | 'over'
}

export interface SubmitWorker {
  readonly grant: Grant
  readonly tasks: Pushed[]
  /** Its claim page is not mapped by the owner: its node answers for it. */
  readonly remote: boolean
  alive: boolean
  returned: boolean
}

export class SubmitWorld {
  readonly clock: ManualClock
  readonly table: TaskTable = new TaskTable()
  readonly state: SubmitState
  readonly templates: TaskTemplate[] = []
  readonly workers: Map<number, SubmitWorker> = new Map<number, SubmitWorker>()
  /** The last task of a worker each time that what was pushed to it is written at once. */
  readonly flushed: number[] = []
  /** Leases whose next answers are to be told at once. */
  readonly woken: number[] = []
  readonly requests: Set<number> = new Set<number>()
  /** Deliveries under way. */
  readonly pending: (() => void)[] = []
  readonly starts: Map<number, number> = new Map<number, number>()
  readonly settled: Map<number, string> = new Map<number, string>()
  readonly cancelled: Set<number> = new Set<number>()
  /** Whether some tasks have large arguments, which lie on a node. */
  located = false
  #nextLease = 1

  constructor(remote: () => boolean, clock: ManualClock = new ManualClock()) {
    this.clock = clock
    this.state = new SubmitState(this.table, this.clock, this.#effects(remote), {
      ...defaultSubmitOptions,
      cancelGraceMs: 50,
    })
  }

  template(options: Partial<TaskTemplate>): TaskTemplate {
    const of: SchedulingClass = { kind: 'task', resources: [], strategy: null, priority: 0, environment: '' }
    const facts = { name: 'f', numReturns: 1, maxRetries: 0, retryExceptions: false, timeoutMs: 0 }
    const base = { ...facts, runMicros: -1, deviationMicros: 0 }
    const number = this.templates.length
    const template = { ...base, ...options, number, classIndex: this.state.defineClass(of) }
    this.templates.push(template)
    return template
  }

  submit(template: TaskTemplate): number {
    const number = this.table.allocate()
    this.state.submit(number, template, true)
    return number
  }

  settle(number: number, how: string): void {
    const before = this.settled.get(number)
    if (before !== undefined) throw new Error(`task ${number} settles twice: ${before}, then ${how}`)
    this.settled.set(number, how)
  }

  grant(requestId: number, node: 0 | 1): void {
    this.requests.delete(requestId)
    const leaseId = this.#nextLease++
    const worker = leaseId.toString(16).padStart(16, '0') as ProcessId
    this.state.granted(requestId, {
      ...{ leaseId, epoch: 1, node: nodes[node], worker, socketPath: '', pagePath: 'page', pid: leaseId },
    })
  }

  /** A queued task waits for an argument again, which comes back or does not. */
  loseArgument(number: number, comesBack: boolean): void {
    if (!this.state.unready(number)) return
    this.pending.push(() => {
      if (comesBack) this.state.ready(number)
      else if (this.state.drop(number)) this.settle(number, 'argument lost')
    })
  }

  refuseBusy(requestId: number): void {
    this.requests.delete(requestId)
    this.state.refused(requestId, 'busy', 'busy')
  }

  /** A worker starts its next task, if it can claim one. */
  start(worker: SubmitWorker): void {
    if (!worker.alive || worker.tasks.some(({ state }) => state === 'started')) return
    const next = worker.tasks.find(({ state }) => state === 'waiting')
    if (next === undefined) return
    next.state = 'started'
    this.starts.set(next.number, (this.starts.get(next.number) ?? 0) + 1)
  }

  /** What a worker has started ends, and its answer is under way. */
  finish(index: number, worker: SubmitWorker, throws: boolean, runMicros = 10): void {
    const running = worker.tasks.find(({ state }) => state === 'started')
    if (!worker.alive || running === undefined) return
    running.state = 'over'
    const { number, sequence } = running
    this.pending.push(() => {
      if (!throws) {
        if (this.state.done(index, sequence, runMicros) >= 0) this.settle(number, 'done')
      } else if (this.state.failed(index, sequence, runMicros, 'user')?.settle === true) this.settle(number, 'threw')
    })
  }

  crash(index: number, worker: SubmitWorker): void {
    if (!worker.alive) return
    worker.alive = false
    this.pending.push(() => this.state.broken(index, 'the link is gone'))
  }

  /** Everything is delivered and done, so that nothing is left but what would be left for ever. */
  async finishAll(): Promise<void> {
    for (let round = 0; round < 2_000; round++) {
      for (const deliver of this.pending.splice(0)) deliver()
      for (const request of [...this.requests]) this.grant(request, 0)
      for (const [index, worker] of this.workers) {
        this.start(worker)
        this.finish(index, worker, false)
      }
      if (this.pending.length > 0 || this.requests.size > 0) continue
      await this.clock.pass(200, () => Promise.resolve())
      if (this.pending.length === 0 && this.requests.size === 0 && this.clock.pending + this.state.unsettled === 0)
        return
    }
    throw new Error('it does not come to an end')
  }

  #effects(remote: () => boolean): SubmitEffects {
    return {
      requestLease: (requestId) => void this.requests.add(requestId),
      // Every third task has large arguments, on the one node or on the other.
      argumentBytes: (number) =>
        this.located && number % 3 === 0 ? [[nodes[number % 2 === 0 ? 0 : 1], 40_000_000]] : null,
      cancelRequest: (requestId) => void this.requests.delete(requestId),
      open: (index, grant) => {
        this.workers.set(index, { grant, tasks: [], remote: remote(), alive: true, returned: false })
        this.pending.push(() => this.state.opened(index))
      },
      push: (index, sequence, number) => {
        const worker = this.#worker(index)
        if (worker.returned) throw new Error('a task is pushed to a lease that was given back')
        worker.tasks.push({ sequence, number, state: 'waiting' })
      },
      flush: (index) => this.flushed.push(this.#worker(index).tasks.at(-1)?.number ?? 0),
      wake: (index) => this.woken.push(index),
      recall: (index, sequences) => {
        const worker = this.#worker(index)
        if (!worker.remote) return this.#take(worker, sequences)
        this.pending.push(() => {
          const taken = this.#take(worker, sequences)
          this.pending.push(() => this.state.recalled(index, sequences, taken))
        })
        return null
      },
      recallsAtOnce: (index) => !this.#worker(index).remote,
      abort: (index, sequence) => {
        const task = this.#worker(index).tasks.find((each) => each.sequence === sequence)
        // Every second task listens to its signal.
        if (task?.state !== 'started' || task.number % 2 === 0) return
        this.pending.push(() => {
          if (task.state !== 'started') return
          task.state = 'over'
          this.pending.push(() => void this.state.failed(index, sequence, 10, 'cancelled'))
        })
      },
      endWorker: (index) => {
        const worker = this.#worker(index)
        this.pending.push(() => {
          worker.alive = false
          const startedUpTo = worker.tasks.reduce((upTo, { state, sequence }) => {
            return state === 'waiting' ? upTo : Math.max(upTo, this.#recalledOnly(worker, sequence) ? -1 : sequence)
          }, -1)
          this.pending.push(() => this.state.workerEnded(index, [null, 'SIGKILL', 1, ''], startedUpTo))
        })
      },
      returnLease: (index, _grant, endWorker) => {
        const worker = this.#worker(index)
        worker.returned = true
        if (endWorker) worker.alive = false
        else if (worker.tasks.some(({ state }) => state === 'waiting' || state === 'started'))
          throw new Error('a lease is given back that still has tasks')
      },
      returnGrant: () => undefined,
      fail: (number, failure: Failure) => this.settle(number, failure.kind),
      classEnded: () => undefined,
      story: () => undefined,
    }
  }

  readonly #recalled = new Map<SubmitWorker, Set<number>>()

  #recalledOnly(worker: SubmitWorker, sequence: number): boolean {
    return this.#recalled.get(worker)?.has(sequence) === true
  }

  /** The claim page decides: what is waiting is taken, what was started is not. */
  #take(worker: SubmitWorker, sequences: readonly number[]): number[] {
    const taken = worker.tasks.filter(({ state, sequence }) => state === 'waiting' && sequences.includes(sequence))
    const recalled = this.#recalled.get(worker) ?? new Set()
    this.#recalled.set(worker, recalled)
    for (const task of taken) {
      task.state = 'over'
      recalled.add(task.sequence)
    }
    return taken.map(({ sequence }) => sequence)
  }

  #worker(index: number): SubmitWorker {
    const worker = this.workers.get(index)
    if (worker === undefined) throw new Error(`no lease ${index}`)
    return worker
  }
}
