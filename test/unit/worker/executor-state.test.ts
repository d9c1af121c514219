import { expect } from 'chai'
import { ExecutorState, type QueuedTask } from '../../../runtime/worker/executor-state.ts'

interface Recorded {
  readonly executor: ExecutorState<QueuedTask>
  readonly running: QueuedTask[]
  readonly given: string[]
  readonly recalled: Set<string>
  readonly push: (epoch: number, sequence: number) => boolean
  /** Ends the running task of that epoch. */
  readonly finish: (epoch: number) => void
}

function recorded(loaded: () => boolean = () => true): Recorded {
  const running: QueuedTask[] = []
  const given: string[] = []
  const recalled = new Set<string>()
  const effects = {
    run: (task: QueuedTask) => void running.push(task),
    giveBack: (epoch: number, sequences: readonly number[]) => void given.push(`${epoch}: ${sequences.join()}`),
    isLoaded: loaded,
    load: () => undefined,
    rest: () => undefined,
  }
  const executor = new ExecutorState(effects, (epoch, sequence) => !recalled.has(`${epoch}.${sequence}`))
  const push = (epoch: number, sequence: number): boolean => executor.push({ epoch, sequence, state: 'waiting' })
  const finish = (epoch: number): void => {
    const [task] = running.splice(
      running.findIndex((candidate) => candidate.epoch === epoch),
      1,
    )
    if (task !== undefined) executor.finished(task)
  }
  return { executor, running, given, recalled, push, finish }
}

const names = (tasks: readonly QueuedTask[]): string[] => tasks.map(({ epoch, sequence }) => `${epoch}.${sequence}`)

describe('executor-state', () => {
  it('starts together, and in their order, what arrives in one moment', () => {
    const soon: (() => void)[] = []
    const happened: string[] = []
    const executor: ExecutorState<QueuedTask> = new ExecutorState<QueuedTask>(
      {
        run: (task) => {
          happened.push(`runs ${task.sequence}`)
          executor.finished(task)
        },
        giveBack: () => undefined,
        isLoaded: () => true,
        load: () => undefined,
        rest: () => happened.push('rests'),
        soon: (start) => soon.push(start),
      },
      () => true,
    )
    for (const sequence of [0, 1, 2]) executor.push({ epoch: 1, sequence, state: 'waiting' })
    expect(happened).to.deep.equal([])
    for (const start of soon.splice(0)) start()
    expect(happened).to.deep.equal(['runs 0', 'runs 1', 'runs 2', 'rests'])
    executor.push({ epoch: 1, sequence: 3, state: 'waiting' })
    for (const start of soon.splice(0)) start()
    expect(happened.slice(4)).to.deep.equal(['runs 3', 'rests'])
  })

  it('rests when nothing is left that could start, not between two tasks that end as they are started', () => {
    const rests: string[] = []
    const ran: number[] = []
    const executor: ExecutorState<QueuedTask> = new ExecutorState<QueuedTask>(
      {
        run: (task) => {
          ran.push(task.sequence)
          // What a frame brings behind it is pushed meanwhile.
          if (task.sequence < 3) executor.push({ epoch: 1, sequence: task.sequence + 1, state: 'waiting' })
          executor.finished(task)
        },
        giveBack: () => undefined,
        isLoaded: () => true,
        load: () => undefined,
        rest: () => void rests.push(ran.join()),
      },
      () => true,
    )
    executor.push({ epoch: 1, sequence: 0, state: 'waiting' })
    expect(rests).to.deep.equal(['0,1,2,3'])
  })

  it('runs the tasks of a line one after the other, without those that were recalled', () => {
    const { running, recalled, push, finish } = recorded()
    recalled.add('1.1')
    for (const sequence of [0, 1, 2]) push(1, sequence)
    expect(names(running)).to.deep.equal(['1.0'])
    finish(1)
    expect(names(running)).to.deep.equal(['1.2'])
  })

  it('tells how far it has come where it passes over many that were recalled', () => {
    const told: string[] = []
    const ran: number[] = []
    const executor: ExecutorState<QueuedTask> = new ExecutorState<QueuedTask>(
      {
        run: (task) => {
          ran.push(task.sequence)
          executor.finished(task)
        },
        giveBack: () => undefined,
        passedOver: (epoch, sequence) => void told.push(`${epoch}.${sequence}`),
        isLoaded: () => true,
        load: () => undefined,
        rest: () => undefined,
      },
      (_epoch, sequence) => sequence % 700 === 0,
    )
    for (let sequence = 0; sequence < 1000; sequence++) executor.push({ epoch: 3, sequence, state: 'waiting' })
    expect(ran).to.deep.equal([0, 700])
    expect(told).to.deep.equal(['3.256', '3.512', '3.956'])
  })

  it('gives back what waits behind a task that awaits, and takes no more until it resumes', () => {
    const { executor, running, given, push, finish } = recorded()
    push(1, 0)
    push(1, 1)
    executor.blocked(running[0] as QueuedTask)
    push(1, 2)
    expect(given).to.deep.equal(['1: 1', '1: 2'])
    executor.resumed(running[0] as QueuedTask)
    push(1, 3)
    finish(1)
    expect(names(running)).to.deep.equal(['1.3'])
  })

  it('serves another lease while a task awaits, and one task at a time', () => {
    const { executor, running, push, finish } = recorded()
    push(1, 0)
    executor.blocked(running[0] as QueuedTask)
    executor.openLine(2, [1])
    push(2, 0)
    push(2, 1)
    executor.resumed(running[0] as QueuedTask)
    expect(names(running)).to.deep.equal(['1.0', '2.0'])
    finish(2)
    expect(names(running)).to.deep.equal(['1.0'])
    finish(1)
    expect(names(running)).to.deep.equal(['2.1'])
  })

  it('keeps the line of a lease that goes on beside a new one, even when nothing runs there', () => {
    const { executor, running, push, finish } = recorded()
    push(1, 0)
    finish(1)
    executor.openLine(2, [1])
    expect(push(1, 1)).to.equal(true)
    expect(names(running)).to.deep.equal(['1.1'])
  })

  it('closes the lines of leases that are over, and refuses what comes for them', () => {
    const { executor, running, push, finish } = recorded()
    push(1, 0)
    finish(1)
    executor.openLine(2, [])
    expect(push(1, 1)).to.equal(false)
    expect(running).to.deep.equal([])
  })

  it('waits for the function of a task, and lets other lines pass', () => {
    let here = false
    const { executor, running, push } = recorded(() => here)
    push(1, 0)
    expect(running).to.deep.equal([])
    here = true
    executor.loaded(1)
    expect(names(running)).to.deep.equal(['1.0'])
  })

  it('starts what waits behind a task that ends the turn in a later one, and rests only where nothing does', () => {
    const ran: number[] = []
    let rests = 0
    const executor: ExecutorState<QueuedTask> = new ExecutorState<QueuedTask>(
      {
        run: (task) => {
          ran.push(task.sequence)
          executor.finished(task)
        },
        giveBack: () => undefined,
        isLoaded: () => true,
        load: () => undefined,
        rest: () => void rests++,
        endsTurn: () => true,
      },
      () => true,
    )
    executor.push({ epoch: 1, sequence: 0, state: 'waiting' })
    expect([ran.length, rests]).to.deep.equal([1, 1])
    executor.push({ epoch: 1, sequence: 1, state: 'waiting' })
    executor.push({ epoch: 1, sequence: 2, state: 'waiting' })
    expect([ran.length, rests]).to.deep.equal([1, 1])
    executor.turned(1)
    expect(ran).to.deep.equal([0, 1])
    expect(rests).to.equal(1)
    executor.turned(1)
    executor.turned(1)
    expect(ran).to.deep.equal([0, 1, 2])
    expect(rests).to.equal(2)
  })
})
