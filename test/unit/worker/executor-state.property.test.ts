import { expect } from 'chai'
import fc from 'fast-check'
import { ExecutorState, type QueuedTask } from '../../../runtime/worker/executor-state.ts'

type Fate = 'waiting' | 'started' | 'given back' | 'recalled' | 'refused'

const step = fc.record({
  what: fc.constantFrom(
    ...[
      'push',
      'push',
      'push',
      'finish',
      'finish',
      'block',
      'resume',
      'recall',
      'open',
      'close',
      'load',
      'load',
      'soon',
      'soon',
    ],
  ),
  which: fc.nat(),
})

/** A worker whose functions have to be loaded now and then, and a claim page that owners recall from. */
class Worker {
  readonly fates: Map<QueuedTask, Fate> = new Map<QueuedTask, Fate>()
  /** Running or blocked. */
  readonly live: QueuedTask[] = []
  readonly loading: Set<number> = new Set<number>()
  readonly sequences: Map<number, number> = new Map<number, number>()
  newest = 0
  /** Starts what has arrived, where that waits for more. */
  readonly starts: (() => void)[] = []
  readonly #byName = new Map<string, QueuedTask>()
  readonly #claimed = new Set<QueuedTask>()
  readonly #loaded = new Set<QueuedTask>()
  readonly executor: ExecutorState<QueuedTask> = new ExecutorState<QueuedTask>(
    {
      run: (task) => {
        this.#move(task, 'started')
        this.live.push(task)
        const unblocked = this.live.filter(({ state }) => state === 'running')
        expect(unblocked, 'tasks that run unblocked').to.deep.equal([task])
      },
      giveBack: (epoch, sequences) => {
        for (const sequence of sequences) this.#move(this.#at(epoch, sequence), 'given back')
      },
      isLoaded: (task) => task.sequence % 3 !== 0 || this.#loaded.has(task),
      load: (task) => {
        this.#loaded.add(task)
        this.loading.add(task.epoch)
      },
      rest: () => undefined,
      soon: (start) => {
        if (this.#gathers) this.starts.push(start)
        else start()
      },
    },
    (epoch, sequence) => this.#claim(this.#at(epoch, sequence)),
  )
  readonly #gathers: boolean

  /** `gathers`: what arrives in one moment starts together. */
  constructor(gathers: boolean) {
    this.#gathers = gathers
  }

  push(epoch: number): void {
    const sequence = this.sequences.get(epoch) ?? 0
    this.sequences.set(epoch, sequence + 1)
    const task: QueuedTask = { epoch, sequence, state: 'waiting' }
    this.#byName.set(`${epoch}.${sequence}`, task)
    this.fates.set(task, 'waiting')
    this.newest = Math.max(this.newest, epoch)
    if (!this.executor.push(task)) this.#move(task, 'refused')
  }

  recall(task: QueuedTask): void {
    if (this.#claim(task)) this.#move(task, 'recalled')
  }

  #claim(task: QueuedTask): boolean {
    if (this.#claimed.has(task)) return false
    this.#claimed.add(task)
    return true
  }

  /** What became of a task is decided once; those of a line start in their order. */
  #move(task: QueuedTask, fate: Fate): void {
    expect(this.fates.get(task), `${task.epoch}.${task.sequence} ${fate}`).to.equal('waiting')
    this.fates.set(task, fate)
    if (fate !== 'started') return
    for (const [other, its] of this.fates)
      if (its === 'waiting' && other.epoch === task.epoch) expect(other.sequence).to.be.greaterThan(task.sequence)
  }

  #at(epoch: number, sequence: number): QueuedTask {
    const task = this.#byName.get(`${epoch}.${sequence}`)
    if (task === undefined) throw new Error(`no task ${epoch}.${sequence}`)
    return task
  }
}

function apply(worker: Worker, what: string, which: number): void {
  const { executor, live } = worker
  const pick = <T>(from: Iterable<T>): T | undefined => [...from][which % Math.max(1, [...from].length)]
  const epoch = 1 + (which % 3)
  if (what === 'push') return worker.push(epoch)
  if (what === 'soon') return worker.starts.shift()?.()
  if (what === 'open') return executor.openLine(worker.newest + 1 <= 3 ? worker.newest + 1 : epoch)
  if (what === 'close') return executor.closeLine(epoch)
  if (what === 'load') {
    const loading = pick(worker.loading)
    if (loading === undefined || !worker.loading.delete(loading)) return
    return executor.loaded(loading)
  }
  if (what === 'recall') {
    const task = pick([...worker.fates].filter(([, fate]) => fate === 'waiting').map(([waiting]) => waiting))
    return task === undefined ? undefined : worker.recall(task)
  }
  const task = pick(live)
  if (task === undefined) return
  if (what === 'block') return executor.blocked(task)
  // A task that resumes goes on beside another one; this model keeps to one.
  if (what === 'resume') return live.some(({ state }) => state === 'running') ? undefined : executor.resumed(task)
  live.splice(live.indexOf(task), 1)
  executor.finished(task)
}

describe('executor-state, whatever happens', () => {
  it('starts a task, or gives it back, or leaves it to its owner: one of these, once, and in order', () => {
    const property = fc.property(fc.array(step, { maxLength: 120, size: 'max' }), fc.boolean(), (steps, gathers) => {
      const worker = new Worker(gathers)
      for (const { what, which } of steps) apply(worker, what, which)
      apply(worker, 'soon', 0)
      expect(worker.starts).to.deep.equal([])
      for (let round = 0; round < 1_000 && (worker.live.length > 0 || worker.loading.size > 0); round++) {
        apply(worker, 'load', 0)
        apply(worker, 'finish', 0)
      }
      expect([...worker.fates.values()].filter((fate) => fate === 'waiting')).to.deep.equal([])
      expect(worker.executor.sizes().busy).to.equal(0)
    })
    fc.assert(property, { numRuns: 300 })
  })
})
