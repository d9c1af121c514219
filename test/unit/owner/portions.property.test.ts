/**
 * Portions of a queue that are sent to workers ahead of their answers: a model of workers of any speed, which run what is
 * sent to them in its order, and tell what they answer late where it may wait (`rest`), but at once when they have
 * nothing more to do.
 */
import { expect } from 'chai'
import fc from 'fast-check'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { SubmitState } from '../../../runtime/owner/submit-state.ts'
import { defaultSubmitOptions, type SubmitEffects, type TaskTemplate } from '../../../runtime/owner/submit-types.ts'
import { TaskTable } from '../../../runtime/owner/task-table.ts'
import { VirtualClock } from '../../simulation/virtual-clock.ts'

/** From the owner to a worker, or back, in milliseconds. */
const latencyMs = 0.1
/** Of sums of such times. */
const roundingMs = 1e-6
/** What an answer may wait where the worker has work until then; see `answerLookMicros`. */
const lookMs = 16

interface Task {
  readonly sequence: number
  readonly number: number
}

class ModelWorker {
  readonly index: number
  readonly speed: number
  /** Sent here, and perhaps still on the way. */
  readonly waiting: Task[] = []
  readonly untold: (() => void)[] = []
  running: Task | undefined
  restsUntilMs = 0
  /** Since when it has had nothing to do. */
  idleSinceMs = 0

  constructor(index: number, speed: number) {
    this.index = index
    this.speed = speed
  }
}

class Model implements SubmitEffects {
  readonly clock: VirtualClock = new VirtualClock()
  readonly table: TaskTable = new TaskTable()
  readonly state: SubmitState
  readonly workers: ModelWorker[] = []
  readonly settled: Set<number> = new Set<number>()
  recalls = 0
  isOver = false
  /** The longest that a worker had nothing while calls were queued, and while others had several that waited. */
  worstQueuedMs = 0
  worstAheadMs = 0
  /** Since when calls are queued, or wait behind another one at a worker that is far behind. */
  #queuedSinceMs = Infinity
  #aheadSinceMs = Infinity
  readonly #durationMs: (number: number) => number
  readonly #speeds: readonly number[]
  readonly #started = new Set<number>()

  constructor(speeds: readonly number[], durationMs: (number: number) => number) {
    this.#speeds = speeds
    this.#durationMs = durationMs
    this.state = new SubmitState(this.table, this.clock, this, { ...defaultSubmitOptions, idleLeaseMs: 10_000_000 })
  }

  template(): TaskTemplate {
    const of = { kind: 'task', resources: [], strategy: null, priority: 0, environment: '' } as const
    const facts = { name: 'f', numReturns: 1, maxRetries: 0, retryExceptions: false, timeoutMs: 0 }
    return { ...facts, number: 0, classIndex: this.state.defineClass(of), runMicros: -1, deviationMicros: 0 }
  }

  call(template: TaskTemplate): void {
    this.state.submit(this.table.allocate(), template, true)
    this.look()
  }

  run(untilMs: number): void {
    while (this.clock.step(untilMs)) this.look()
  }

  /** Whether somebody idles who need not. */
  look(): void {
    const now = this.clock.now()
    const { queued } = this.state.classAt(0)
    if (queued === 0) this.#queuedSinceMs = Infinity
    else if (this.#queuedSinceMs === Infinity) this.#queuedSinceMs = now
    // Of work that waits, as much as makes it worth while to move half of it.
    const isAhead = this.workers.some(({ waiting }) => this.#sumMs(waiting) > 4)
    if (!isAhead) this.#aheadSinceMs = Infinity
    else if (this.#aheadSinceMs === Infinity) this.#aheadSinceMs = now
    for (const { running, waiting, idleSinceMs } of this.workers) {
      if (running !== undefined || waiting.length > 0) continue
      if (queued > 0)
        this.worstQueuedMs = Math.max(this.worstQueuedMs, now - Math.max(idleSinceMs, this.#queuedSinceMs))
      if (isAhead) this.worstAheadMs = Math.max(this.worstAheadMs, now - Math.max(idleSinceMs, this.#aheadSinceMs))
    }
  }

  requestLease(requestId: number): void {
    const speed = this.#speeds[this.workers.length]
    if (speed === undefined) return
    const worker = new ModelWorker(this.workers.length + 1, speed)
    this.workers.push(worker)
    const name = worker.index.toString(16).padStart(16, '0')
    this.clock.after(latencyMs, () =>
      this.state.granted(requestId, {
        ...{ leaseId: worker.index, epoch: 1, node: name as NodeId, worker: name as ProcessId },
        ...{ socketPath: '', pagePath: 'page', pid: 1 },
      }),
    )
  }

  open(index: number): void {
    this.#at(index).idleSinceMs = this.clock.now()
    this.clock.after(0, () => this.state.opened(index))
  }

  push(index: number, sequence: number, number: number): void {
    const worker = this.#at(index)
    worker.waiting.push({ sequence, number })
    this.clock.after(latencyMs, () => this.#next(worker))
  }

  rest(index: number, micros: number): void {
    const worker = this.#at(index)
    worker.restsUntilMs = Infinity
    this.clock.after(Math.min(lookMs, micros / 1000), () => this.#tell(worker))
  }

  wake(index: number): void {
    this.#at(index).restsUntilMs = 0
    this.#tell(this.#at(index))
  }

  recall(index: number, sequences: readonly number[]): readonly number[] {
    const { waiting } = this.#at(index)
    const taken = sequences.filter((sequence) => waiting.some((task) => task.sequence === sequence))
    this.recalls += taken.length
    waiting.splice(0, Infinity, ...waiting.filter(({ sequence }) => !taken.includes(sequence)))
    return taken
  }

  cancelRequest(): void {}
  abort(): void {}
  endWorker(): void {}
  returnLease(): void {}
  /** A lease that came too late; this model has no other use for its worker. */
  returnGrant(): void {
    this.isOver = true
  }
  classEnded(): void {}
  story(): void {}
  fail(number: number): void {
    throw new Error(`call ${number} fails`)
  }

  #at(index: number): ModelWorker {
    return this.workers[index - 1] as ModelWorker
  }

  #next(worker: ModelWorker): void {
    if (worker.running !== undefined) return
    const task = worker.waiting.shift()
    if (task === undefined) return
    if (this.#started.has(task.number)) throw new Error(`call ${task.number} is started twice`)
    this.#started.add(task.number)
    worker.running = task
    const durationMs = this.#durationMs(task.number) / worker.speed
    this.clock.after(durationMs, () => {
      worker.running = undefined
      worker.untold.push(() => this.#done(worker, task, durationMs))
      this.#next(worker)
      if (worker.running === undefined) worker.idleSinceMs = this.clock.now()
      if (worker.running === undefined || worker.restsUntilMs < this.clock.now())
        this.clock.after(latencyMs, () => this.#tell(worker))
    })
  }

  #tell(worker: ModelWorker): void {
    for (const tell of worker.untold.splice(0)) tell()
  }

  #done({ index }: ModelWorker, { sequence, number }: Task, durationMs: number): void {
    if (this.state.done(index, sequence, Math.round(durationMs * 1000)) < 0) return
    if (this.settled.has(number)) throw new Error(`call ${number} settles twice`)
    this.settled.add(number)
  }

  #sumMs(tasks: readonly Task[]): number {
    return tasks.reduce((sum, { number }) => sum + this.#durationMs(number), 0)
  }
}

const speeds = fc.array(fc.double({ min: 0.3, max: 3, noNaN: true }), { minLength: 1, maxLength: 4 })

describe('portions of a queue', () => {
  it('leave no worker without work while calls are queued, lose no call and run none twice', () => {
    let recalls = 0
    const durations = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.double({ min: 0.001, max: 1, noNaN: true }) },
        { weight: 4, arbitrary: fc.double({ min: 0.001, max: 8, noNaN: true }) },
        { weight: 1, arbitrary: fc.double({ min: 8, max: 300, noNaN: true }) },
      ),
      { minLength: 1, maxLength: 300, size: 'max' },
    )
    const gaps = fc.array(fc.tuple(fc.nat(300), fc.double({ min: 0, max: 40, noNaN: true })), { maxLength: 4 })
    fc.assert(
      fc.property(speeds, durations, gaps, (of, durationsMs, gapsMs) => {
        const model = new Model(of, (number) => durationsMs[(number - 1) % durationsMs.length] as number)
        const template = model.template()
        for (let i = 0; i < durationsMs.length; i++) {
          model.call(template)
          for (const [at, ms] of gapsMs) if (at === i) model.run(model.clock.now() + ms)
        }
        while (model.settled.size < durationsMs.length && model.clock.step()) model.look()
        fc.pre(!model.isOver)
        expect(model.settled.size).to.equal(durationsMs.length)
        // Its answer goes to the owner, and its next task comes from there; where that is taken back meanwhile, once more.
        expect(model.worstQueuedMs).to.be.at.most(4 * latencyMs + roundingMs)
        recalls += model.recalls
      }),
      { numRuns: 150 },
    )
    expect(recalls).to.be.greaterThan(100)
  })

  it('of calls that take about the same leave no worker without work for long while another is far behind', () => {
    fc.assert(
      fc.property(
        speeds,
        fc.double({ min: 0.02, max: 10, noNaN: true }),
        fc.array(fc.double({ min: 0.7, max: 1.3, noNaN: true }), { minLength: 1, maxLength: 300, size: 'max' }),
        (of, usualMs, parts) => {
          const model = new Model(of, (number) => usualMs * (parts[(number - 1) % parts.length] as number))
          const template = model.template()
          for (let i = 0; i < parts.length; i++) model.call(template)
          while (model.settled.size < parts.length && model.clock.step()) model.look()
          expect(model.settled.size).to.equal(parts.length)
          expect(model.worstAheadMs).to.be.at.most(lookMs + (2 * (usualMs * 1.3)) / Math.min(...of) + 5)
        },
      ),
      { numRuns: 150 },
    )
  })
})
