import { expect } from 'chai'
import fc from 'fast-check'
import { PoolState, type PoolEvent, type PoolInstruction, type WorkerId } from '../../../compat/shared/pool-state.ts'

/** Instructions as words, in the order in which they were given. */
function words(instructions: readonly PoolInstruction[]): string[] {
  return instructions.map((i) =>
    [i.type, 'worker' in i ? `w${i.worker}` : '', 'chunk' in i ? `c${i.chunk}` : ''].filter(Boolean).join(' '),
  )
}

function poolOf(
  processes: number,
  options: ConstructorParameters<typeof PoolState>[0] = {},
): { state: PoolState; tell: (event: PoolEvent) => string[] } {
  const state = new PoolState(options)
  const tell = (event: PoolEvent): string[] => {
    const said = words(state.handle(event))
    state.validate()
    return said
  }
  tell({ type: 'resize', processes })
  for (let worker = 1; worker <= processes; worker++) tell({ type: 'ready', worker })
  return { state, tell }
}

describe('PoolState', () => {
  it('starts its workers as soon as it knows how many', () => {
    const state = new PoolState()
    expect(words(state.handle({ type: 'resize', processes: 3 }))).to.deep.equal(['start w1', 'start w2', 'start w3'])
  })

  it('gives chunks to idle workers in the order in which they came, and the rest when one is done', () => {
    const { tell } = poolOf(2)
    expect(tell({ type: 'submit', chunk: 1 })).to.deep.equal(['run w2 c1'])
    expect(tell({ type: 'submit', chunk: 2 })).to.deep.equal(['run w1 c2'])
    expect(tell({ type: 'submit', chunk: 3 })).to.deep.equal([])
    expect(tell({ type: 'submit', chunk: 4 })).to.deep.equal([])
    expect(tell({ type: 'done', worker: 1 })).to.deep.equal(['run w1 c3'])
    expect(tell({ type: 'done', worker: 1 })).to.deep.equal(['run w1 c4'])
  })

  it('holds chunks that come before a worker is ready', () => {
    const state = new PoolState()
    expect(words(state.handle({ type: 'submit', chunk: 1 }))).to.deep.equal([])
    expect(words(state.handle({ type: 'resize', processes: 1 }))).to.deep.equal(['start w1'])
    expect(words(state.handle({ type: 'ready', worker: 1 }))).to.deep.equal(['run w1 c1'])
  })

  it('runs the chunk of a lost worker again, before all others, and replaces the worker', () => {
    const { state, tell } = poolOf(1)
    tell({ type: 'submit', chunk: 1 })
    tell({ type: 'submit', chunk: 2 })
    expect(tell({ type: 'lost', worker: 1, error: 'gone' })).to.deep.equal(['start w2'])
    expect(tell({ type: 'ready', worker: 2 })).to.deep.equal(['run w2 c1'])
    expect(state.reruns).to.equal(1)
  })

  it('fails a chunk whose worker was lost once more than maxReruns', () => {
    const { tell } = poolOf(1, { maxReruns: 2 })
    tell({ type: 'submit', chunk: 1 })
    for (const worker of [1, 2]) {
      tell({ type: 'lost', worker, error: 'gone' })
      tell({ type: 'ready', worker: worker + 1 })
    }
    expect(tell({ type: 'lost', worker: 3, error: 'gone' })).to.deep.equal(['fail c1', 'start w4'])
  })

  it('replaces a worker that has done maxTasksPerWorker chunks', () => {
    const { tell } = poolOf(1, { maxTasksPerWorker: 2 })
    tell({ type: 'submit', chunk: 1 })
    tell({ type: 'submit', chunk: 2 })
    tell({ type: 'submit', chunk: 3 })
    expect(tell({ type: 'done', worker: 1 })).to.deep.equal(['run w1 c2'])
    expect(tell({ type: 'done', worker: 1 })).to.deep.equal(['release w1', 'start w2'])
    expect(tell({ type: 'gone', worker: 1 })).to.deep.equal([])
    expect(tell({ type: 'ready', worker: 2 })).to.deep.equal(['run w2 c3'])
  })

  it('fails what waits when no worker can start, and does not start others without end', () => {
    const state = new PoolState()
    state.handle({ type: 'resize', processes: 2 })
    state.handle({ type: 'submit', chunk: 1 })
    expect(words(state.handle({ type: 'startFailed', worker: 1, retryable: false, error: 'no' }))).to.deep.equal([])
    expect(words(state.handle({ type: 'startFailed', worker: 2, retryable: false, error: 'no' }))).to.deep.equal([
      'fail c1',
    ])
    // A new call is a new chance.
    expect(words(state.handle({ type: 'submit', chunk: 2 }))).to.deep.equal(['start w3', 'start w4'])
  })

  it('starts another when a worker died at its start, three times at most', () => {
    const state = new PoolState()
    state.handle({ type: 'resize', processes: 1 })
    state.handle({ type: 'submit', chunk: 1 })
    for (const worker of [1, 2, 3]) {
      expect(words(state.handle({ type: 'startFailed', worker, retryable: true, error: 'no' }))).to.deep.equal([
        `start w${worker + 1}`,
      ])
    }
    expect(words(state.handle({ type: 'startFailed', worker: 4, retryable: true, error: 'no' }))).to.deep.equal([
      'fail c1',
    ])
  })

  it('grows at once and shrinks by what is idle', () => {
    const { tell } = poolOf(2)
    tell({ type: 'submit', chunk: 1 })
    expect(tell({ type: 'resize', processes: 3 })).to.deep.equal(['start w3'])
    tell({ type: 'ready', worker: 3 })
    expect(tell({ type: 'resize', processes: 1 })).to.deep.equal(['release w1', 'release w3'])
    expect(tell({ type: 'done', worker: 2 })).to.deep.equal([])
  })

  it('drops workers that are still starting before one that stands', () => {
    const { tell } = poolOf(1)
    expect(tell({ type: 'resize', processes: 3 })).to.deep.equal(['start w2', 'start w3'])
    expect(tell({ type: 'resize', processes: 2 })).to.deep.equal(['release w3'])
    expect(tell({ type: 'resize', processes: 1 })).to.deep.equal(['release w2'])
  })

  it('ends its workers after close when the last chunk is done, and says so once', () => {
    const { tell } = poolOf(2)
    tell({ type: 'submit', chunk: 1 })
    expect(tell({ type: 'close' })).to.deep.equal(['release w1'])
    expect(tell({ type: 'done', worker: 2 })).to.deep.equal(['release w2'])
    expect(tell({ type: 'gone', worker: 1 })).to.deep.equal([])
    expect(tell({ type: 'gone', worker: 2 })).to.deep.equal(['finished'])
    expect(tell({ type: 'close' })).to.deep.equal([])
  })

  it('replaces a worker that is lost after close while its chunk is still to be done', () => {
    const { tell } = poolOf(1)
    tell({ type: 'submit', chunk: 1 })
    tell({ type: 'close' })
    expect(tell({ type: 'lost', worker: 1, error: 'gone' })).to.deep.equal(['start w2'])
    expect(tell({ type: 'ready', worker: 2 })).to.deep.equal(['run w2 c1'])
  })

  it('ends everything at terminate, and ignores what comes late', () => {
    const { tell } = poolOf(2)
    tell({ type: 'submit', chunk: 1 })
    expect(tell({ type: 'terminate' })).to.deep.equal(['fail c1', 'kill w1', 'kill w2'])
    expect(tell({ type: 'done', worker: 2 })).to.deep.equal([])
    expect(tell({ type: 'gone', worker: 2 })).to.deep.equal([])
    expect(tell({ type: 'gone', worker: 1 })).to.deep.equal(['finished'])
  })

  it('starts no worker after its program has left before there is work again', () => {
    const { state, tell } = poolOf(2)
    tell({ type: 'submit', chunk: 1 })
    expect(tell({ type: 'left', error: 'shut down' })).to.deep.equal(['fail c1'])
    expect(tell({ type: 'left', error: 'shut down' })).to.deep.equal([])
    for (const worker of [1, 2]) expect(tell({ type: 'lost', worker, error: 'gone' })).to.deep.equal([])
    expect(tell({ type: 'resize', processes: 2 })).to.deep.equal([])
    expect(tell({ type: 'submit', chunk: 2 })).to.deep.equal(['start w3', 'start w4'])
    expect(tell({ type: 'ready', worker: 3 })).to.deep.equal(['run w3 c2'])
    expect(state.pending).to.equal(1)
  })

  it('is finished at once when it is closed after its program has left', () => {
    const { tell } = poolOf(2)
    tell({ type: 'left', error: 'shut down' })
    expect(tell({ type: 'close' })).to.deep.equal(['finished'])
  })

  it('does not run an abandoned chunk that waits', () => {
    const { tell } = poolOf(1)
    tell({ type: 'submit', chunk: 1 })
    tell({ type: 'submit', chunk: 2 })
    tell({ type: 'abandon', chunk: 2 })
    expect(tell({ type: 'done', worker: 1 })).to.deep.equal([])
  })

  it('fails what no worker is left for when none can be started, also where the last one dies or is worn', () => {
    for (const maxTasksPerWorker of [undefined, 1]) {
      const { state, tell } = poolOf(2, { maxTasksPerWorker })
      for (const chunk of [1, 2]) tell({ type: 'submit', chunk })
      expect(tell({ type: 'lost', worker: 2, error: 'died' })).to.deep.equal(['start w3'])
      expect(tell({ type: 'startFailed', worker: 3, retryable: false, error: 'no' })).to.deep.equal([])
      expect(state.pending).to.equal(2)
      tell(maxTasksPerWorker === 1 ? { type: 'done', worker: 1 } : { type: 'lost', worker: 1, error: 'died' })
      expect(state.pending).to.equal(0)
    }
  })

  it('settles each chunk once, whatever dies, and finishes', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 0, max: 12 }),
        fc.infiniteStream(fc.nat()),
        fc.option(fc.integer({ min: 1, max: 3 })),
        simulate,
      ),
      { numRuns: 300 },
    )
  })
})

/** Plays a pool against workers that start, answer, die and go as the stream of numbers says. */
function simulate(processes: number, chunks: number, choices: Stream, maxTasks: number | null): void {
  const state = new PoolState({ maxTasksPerWorker: maxTasks ?? undefined })
  const starting = new Set<WorkerId>()
  const busy = new Map<WorkerId, number>()
  const going = new Set<WorkerId>()
  const settled = new Map<number, number>()
  const runs = new Map<number, number>()
  let finished = 0
  const settle = (chunk: number): void => void settled.set(chunk, (settled.get(chunk) ?? 0) + 1)
  const follow = (instruction: PoolInstruction): void => {
    switch (instruction.type) {
      case 'start':
        return void starting.add(instruction.worker)
      case 'run':
        expect(busy.has(instruction.worker), 'a busy worker got a chunk').to.equal(false)
        runs.set(instruction.chunk, (runs.get(instruction.chunk) ?? 0) + 1)
        return void busy.set(instruction.worker, instruction.chunk)
      case 'release':
      case 'kill':
        starting.delete(instruction.worker)
        busy.delete(instruction.worker)
        return void going.add(instruction.worker)
      case 'fail':
        return settle(instruction.chunk)
      case 'finished':
        finished++
    }
  }
  const tell = (event: PoolEvent): void => {
    for (const instruction of state.handle(event)) follow(instruction)
    state.validate()
    expect(starting.size + busy.size, 'more workers than processes').to.be.at.most(processes)
  }
  const pick = <V>(values: Iterable<V>): V => {
    const list = [...values]
    return list[choice(choices) % list.length] as V
  }
  tell({ type: 'resize', processes })
  for (let chunk = 1; chunk <= chunks; chunk++) tell({ type: 'submit', chunk })
  tell({ type: choice(choices) % 5 === 0 ? 'terminate' : 'close' })
  for (let step = 0; step < 1000 && finished === 0; step++) {
    const moves: (() => void)[] = []
    if (starting.size > 0) moves.push(() => begin(pick(starting)))
    if (busy.size > 0) moves.push(() => answer(pick(busy.keys())))
    if (going.size > 0) moves.push(() => leave(pick(going)))
    if (moves.length === 0) break
    pick(moves)()
  }
  function begin(worker: WorkerId): void {
    starting.delete(worker)
    if (choice(choices) % 6 === 0) tell({ type: 'startFailed', worker, retryable: true, error: 'died' })
    else tell({ type: 'ready', worker })
  }
  function answer(worker: WorkerId): void {
    const chunk = busy.get(worker) as number
    busy.delete(worker)
    if (choice(choices) % 4 === 0) return tell({ type: 'lost', worker, error: 'died' })
    settle(chunk)
    tell({ type: 'done', worker })
  }
  function leave(worker: WorkerId): void {
    going.delete(worker)
    tell({ type: 'gone', worker })
  }
  expect(finished).to.equal(1)
  for (let chunk = 1; chunk <= chunks; chunk++) {
    expect(settled.get(chunk), `chunk ${chunk} settled`).to.equal(1)
    expect(runs.get(chunk) ?? 0, `runs of chunk ${chunk}`).to.be.at.most(4)
  }
}

type Stream = { next(): IteratorResult<number> }

function choice(choices: Stream): number {
  return choices.next().value as number
}
