import { expect } from 'chai'
import fc from 'fast-check'
import { LineageState } from '../../../runtime/owner/lineage-state.ts'

/** A state and what it let go of, in order. */
function lineage(maxBytes = Number.POSITIVE_INFINITY): { state: LineageState; forgotten: number[] } {
  const forgotten: number[] = []
  const state = new LineageState(maxBytes, { forget: (task) => void forgotten.push(task) })
  return { state, forgotten }
}

describe('runtime/owner/lineage-state', () => {
  it('keeps a spec while one of its stored results is held', () => {
    const { state, forgotten } = lineage()
    state.keep(1, [1, 2], [], 10)
    state.unheld(1)
    expect(forgotten).to.deep.equal([])
    expect(state.makerOf(1)).to.equal(1)
    state.unheld(2)
    expect(forgotten).to.deep.equal([1])
    expect([state.makerOf(1), state.has(1), state.heldBytes, state.size]).to.deep.equal([undefined, false, 0, 0])
  })

  it('keeps a spec whose result nobody holds, as long as a kept spec has that as an argument', () => {
    const { state, forgotten } = lineage()
    state.keep(1, [1], [], 10)
    state.keep(2, [2], [1], 10)
    state.unheld(1)
    state.validate()
    expect(forgotten).to.deep.equal([])
    state.unheld(2)
    expect(forgotten).to.deep.equal([2, 1])
  })

  it('lets go of a chain of a hundred thousand without recursion', () => {
    const { state, forgotten } = lineage()
    const depth = 100_000
    for (let i = 1; i <= depth; i++) state.keep(i, [i], i === 1 ? [] : [i - 1], 1)
    for (let i = 1; i < depth; i++) state.unheld(i)
    expect(forgotten).to.have.length(0)
    state.unheld(depth)
    expect(forgotten).to.have.length(depth)
    expect([forgotten[0], forgotten.at(-1)]).to.deep.equal([depth, 1])
  })

  it('lets go of the oldest first where there is no room, and of what only they needed', () => {
    const { state, forgotten } = lineage(100)
    for (let task = 1; task <= 3; task++) state.keep(task, [task], [], 30)
    state.keep(4, [4], [1], 60)
    // 1 and 2 went for want of room; 3 and 4 have 90 bytes.
    expect(forgotten).to.deep.equal([1, 2])
    expect([state.evicted, state.heldBytes, state.makerOf(1)]).to.deep.equal([2, 90, undefined])
    state.validate()
    state.unheld(4)
    state.unheld(3)
    expect(state.size).to.equal(0)
  })

  it('lets go of a spec that alone is larger than the room', () => {
    const { state, forgotten } = lineage(100)
    state.keep(1, [1], [], 101)
    expect(forgotten).to.deep.equal([1])
  })

  it('keeps a spec that runs again, whoever drops its results or needs its room', () => {
    const { state, forgotten } = lineage(100)
    state.keep(1, [1], [], 60)
    state.runs(1)
    state.keep(2, [2], [], 60)
    expect(forgotten).to.deep.equal([2])
    state.unheld(1)
    expect(forgotten).to.deep.equal([2])
    state.ran(1, () => false)
    expect(forgotten).to.deep.equal([2, 1])
  })

  it('knows after a task has run again who of its results is held', () => {
    const { state, forgotten } = lineage()
    state.keep(1, [1, 2], [], 1)
    state.unheld(1)
    state.runs(1)
    state.ran(1, (number) => number === 1)
    state.unheld(1)
    expect(forgotten).to.deep.equal([1])
  })

  it('counts an argument that is passed twice twice', () => {
    const { state, forgotten } = lineage()
    state.keep(1, [1], [], 1)
    state.keep(2, [2], [1, 1], 1)
    state.unheld(1)
    state.validate()
    state.unheld(2)
    expect(forgotten).to.deep.equal([2, 1])
  })

  it('bears that what an instruction lets go of leads to more, at once', () => {
    const forgotten: number[] = []
    const state: LineageState = new LineageState(Number.POSITIVE_INFINITY, {
      forget(task) {
        forgotten.push(task)
        // It had held the result of another task for itself.
        if (task === 2) state.unheld(3)
      },
    })
    state.keep(3, [3], [], 1)
    state.keep(1, [1], [], 1)
    state.keep(2, [2], [1], 1)
    state.unheld(1)
    state.unheld(2)
    expect(forgotten).to.have.members([1, 2, 3])
    expect(state.size).to.equal(0)
  })

  it('keeps just what can be reached from a held object, for any history', () => {
    const task = fc.record({
      uses: fc.array(fc.nat(30), { maxLength: 3 }),
      results: fc.integer({ min: 1, max: 3 }),
      bytes: fc.nat(20),
    })
    const step = fc.oneof(
      { weight: 3, arbitrary: task.map((of) => ['keep', of] as const) },
      { weight: 4, arbitrary: fc.nat(60).map((at) => ['drop', at] as const) },
      { weight: 1, arbitrary: fc.nat(30).map((at) => ['run', at] as const) },
      { weight: 2, arbitrary: fc.nat(30).map((at) => ['ran', at] as const) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), fc.option(fc.integer({ min: 10, max: 200 })), (steps, room) => {
        const model = new Model(room ?? Number.POSITIVE_INFINITY)
        for (const [what, of] of steps) {
          if (what === 'keep') model.keep(of)
          else if (what === 'drop') model.drop(of)
          else model.rerun(what === 'run', of)
          model.check()
        }
        model.end()
      }),
      { numRuns: 300 },
    )
  })
})

interface Kept {
  readonly results: readonly number[]
  readonly uses: readonly number[]
  readonly bytes: number
}

/** Says by reachability what must be kept; what was evicted is taken from the state. */
class Model {
  readonly #state: LineageState
  readonly #kept = new Map<number, Kept>()
  readonly #held = new Set<number>()
  readonly #running = new Set<number>()
  readonly #maxBytes: number
  #next = 1

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#state = new LineageState(maxBytes, {
      forget: (task) => {
        expect(this.#kept.delete(task), `${task} is let go of once`).to.equal(true)
        expect(this.#running.has(task), `${task} runs`).to.equal(false)
      },
    })
  }

  keep({ uses, results, bytes }: { uses: readonly number[]; results: number; bytes: number }): void {
    const task = this.#next
    this.#next += results
    const numbers = Array.from({ length: results }, (_, i) => task + i)
    const known = uses.map((at) => 1 + (at % this.#next)).filter((number) => this.#state.makerOf(number) !== undefined)
    this.#kept.set(task, { results: numbers, uses: known, bytes })
    for (const number of numbers) this.#held.add(number)
    this.#state.keep(task, numbers, known, bytes)
  }

  drop(at: number): void {
    const held = [...this.#held]
    const number = held[at % held.length]
    if (number === undefined) return
    this.#held.delete(number)
    this.#state.unheld(number)
  }

  rerun(begin: boolean, at: number): void {
    const some = begin ? [...this.#kept.keys()].filter((task) => !this.#running.has(task)) : [...this.#running]
    const task = some[at % some.length]
    if (task === undefined) return
    if (begin) {
      this.#running.add(task)
      this.#state.runs(task)
    } else {
      this.#running.delete(task)
      this.#state.ran(task, (number) => this.#held.has(number))
    }
  }

  check(): void {
    this.#state.validate()
    const needed = new Set<number>()
    for (const task of this.#kept.keys()) if (this.#isRoot(task)) this.#reach(task, needed)
    expect([...this.#kept.keys()]).to.have.members([...needed])
    const bytes = [...this.#kept.values()].reduce((sum, spec) => sum + spec.bytes, 0)
    expect(this.#state.heldBytes).to.equal(bytes)
    const running = [...this.#running].reduce((sum, task) => sum + (this.#kept.get(task) as Kept).bytes, 0)
    expect(bytes).to.be.at.most(Math.max(this.#maxBytes, running))
  }

  end(): void {
    for (const task of this.#running) {
      this.#running.delete(task)
      this.#state.ran(task, (number) => this.#held.has(number))
    }
    for (const number of this.#held) {
      this.#held.delete(number)
      this.#state.unheld(number)
    }
    expect(this.#state.size).to.equal(0)
    expect(this.#state.heldBytes).to.equal(0)
  }

  #isRoot(task: number): boolean {
    return this.#running.has(task) || (this.#kept.get(task) as Kept).results.some((number) => this.#held.has(number))
  }

  #reach(task: number, into: Set<number>): void {
    if (into.has(task)) return
    into.add(task)
    for (const number of (this.#kept.get(task) as Kept).uses)
      for (const [maker, { results }] of this.#kept) if (results.includes(number)) this.#reach(maker, into)
  }
}
