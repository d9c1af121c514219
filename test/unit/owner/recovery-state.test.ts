import { expect } from 'chai'
import fc from 'fast-check'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { type LossReason, RecoveryState } from '../../../runtime/owner/recovery-state.ts'
import type { Holder } from '../../../runtime/protocol/messages.ts'
import { RecoveryWorld } from './recovery-world.ts'

function holder(letter: string): Holder {
  const id = letter.repeat(16) as NodeId
  return [id, id]
}

const nothingToDo = {
  makerOf: () => undefined,
  judge: () => undefined,
  reopen: () => {},
  rerun: () => {},
  fail: () => {},
}

describe('runtime/owner/recovery-state', () => {
  it('runs a task once for everybody who needs a result of it, and again when that is lost again', () => {
    const world = new RecoveryWorld()
    const [task] = world.tasks(1, { results: 2 })
    world.lose([task, task + 1])
    for (let i = 0; i < 3; i++) world.need(task)
    world.need(task + 1)
    expect(world.reruns).to.deep.equal([task])
    world.finish(task)
    expect([world.isThere(task), world.isThere(task + 1)]).to.deep.equal([true, true])
    world.lose([task])
    world.need(task)
    expect(world.reruns).to.deep.equal([task, task])
  })

  it('runs nothing before somebody needs it', () => {
    const world = new RecoveryWorld()
    world.lose(world.tasks(5))
    expect(world.reruns).to.deep.equal([])
  })

  it('makes the arguments first, and those of their tasks, through a chain of five thousand', () => {
    const world = new RecoveryWorld()
    const chain = world.chain(5_000)
    world.lose(chain)
    world.need(chain.at(-1) as number)
    expect(world.reruns).to.have.length(chain.length)
    world.finishAll()
    expect(chain.every((number) => world.isThere(number))).to.equal(true)
  })

  it('makes no argument again that is there', () => {
    const world = new RecoveryWorld()
    const chain = world.chain(10)
    world.lose(chain.slice(6))
    world.need(chain.at(-1) as number)
    world.finishAll()
    expect(world.reruns.toSorted((a, b) => a - b)).to.deep.equal(chain.slice(6))
  })

  for (const reason of ['put', 'retries disabled', 'attempts exceeded', 'lineage evicted', 'pinned worker'] as const) {
    it(`fails an object by the name of why it cannot be made again: ${reason}`, () => {
      const world = new RecoveryWorld()
      const [task] = world.tasks(1)
      world.refuse(task, reason)
      world.lose([task])
      world.need(task)
      expect(world.reruns).to.deep.equal([])
      expect(world.failed.get(task)).to.equal(reason)
    })
  }

  it('fails what needs an argument that cannot be made again', () => {
    const world = new RecoveryWorld()
    const chain = world.chain(5)
    world.refuse(chain[1] as number, 'attempts exceeded')
    world.lose(chain.slice(1))
    world.need(chain.at(-1) as number)
    world.finishAll()
    for (const number of chain.slice(1)) expect(world.failed.get(number)).to.equal('attempts exceeded')
    expect(world.state.size).to.equal(0)
  })

  describe('what a reader reports', () => {
    const [a, b, c] = ['a', 'b', 'c'].map(holder) as [Holder, Holder, Holder]
    const cases: readonly {
      readonly when: string
      readonly holders: Holder[]
      readonly absent?: Holder[]
      readonly unreached?: Holder[]
      readonly dead?: Holder[]
      readonly left: Holder[]
      readonly answer: 'now' | 'later'
    }[] = [
      { when: 'the only holder does not have it', holders: [a], absent: [a], left: [], answer: 'now' },
      { when: 'the only holder is dead', holders: [a], unreached: [a], dead: [a], left: [], answer: 'now' },
      { when: 'the only holder does not answer', holders: [a], unreached: [a], left: [a], answer: 'later' },
      {
        when: 'one does not have it and one is dead',
        holders: [a, b],
        absent: [a],
        dead: [b],
        left: [],
        answer: 'now',
      },
      { when: 'it did not know of the other', holders: [a, b], absent: [a], left: [b], answer: 'now' },
      {
        when: 'one does not answer, and it knew of no other',
        holders: [a, b],
        unreached: [a],
        left: [a, b],
        answer: 'now',
      },
      { when: 'nobody answers', holders: [a, b], unreached: [a, b], left: [a, b], answer: 'later' },
      {
        when: 'one does not have it, one does not answer',
        holders: [a, b],
        absent: [a],
        unreached: [b],
        left: [b],
        answer: 'later',
      },
      { when: 'it knew of nobody', holders: [a], left: [a], answer: 'later' },
      { when: 'it was told of one that is no holder any more', holders: [b], unreached: [c], left: [b], answer: 'now' },
    ]
    for (const { when, holders, absent = [], unreached = [], dead = [], left, answer } of cases) {
      it(`is answered ${answer} with ${left.length} of ${holders.length} holders, when ${when}`, () => {
        const state = new RecoveryState(nothingToDo, { now: () => 0 })
        const isDead = (node: NodeId): boolean => dead.some(([at]) => at === node)
        expect(state.reported(1, holders, { absent, unreached }, isDead)).to.deep.equal({ holders: left, answer })
      })
    }

    it('is believed after 30 s, where the cluster still takes a silent holder for alive', () => {
      let nowMs = 0
      const state = new RecoveryState(nothingToDo, { now: () => nowMs })
      const report = { absent: [], unreached: [a] }
      let verdict = state.reported(1, [a], report, () => false)
      while (verdict.answer === 'later') {
        nowMs += 200
        verdict = state.reported(1, [a], report, () => false)
      }
      expect(verdict).to.deep.equal({ holders: [], answer: 'now' })
      expect(nowMs).to.equal(30_200)
      expect(state.size).to.equal(0)
    })

    it('counts from the beginning where somebody could read it in between', () => {
      let nowMs = 0
      const state = new RecoveryState(nothingToDo, { now: () => nowMs })
      const report = { absent: [], unreached: [a] }
      for (let i = 0; i < 10; i++) {
        expect(state.reported(1, [a], report, () => false).answer).to.equal('later')
        nowMs += 20_000
      }
      state.drop(1)
      expect(state.size).to.equal(0)
    })
  })

  it('ends every need in a value or the reason, with no run too many, for any history', () => {
    const reasons: LossReason[] = ['put', 'retries disabled', 'lineage evicted']
    const step = fc.oneof(
      {
        weight: 2,
        arbitrary: fc.tuple(
          fc.constant('task'),
          fc.array(fc.nat(40), { maxLength: 3 }),
          fc.integer({ min: 1, max: 3 }),
        ),
      },
      { weight: 4, arbitrary: fc.tuple(fc.constant('lose'), fc.array(fc.nat(60), { maxLength: 8 }), fc.constant(0)) },
      { weight: 4, arbitrary: fc.tuple(fc.constant('need'), fc.array(fc.nat(60), { maxLength: 4 }), fc.constant(0)) },
      { weight: 3, arbitrary: fc.tuple(fc.constant('finish'), fc.array(fc.nat(9), { maxLength: 3 }), fc.constant(0)) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('refuse'), fc.array(fc.nat(40), { maxLength: 1 }), fc.nat(2)) },
      { weight: 1, arbitrary: fc.tuple(fc.constant('break'), fc.array(fc.nat(9), { maxLength: 1 }), fc.constant(0)) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const world = new RecoveryWorld()
        world.tasks(3)
        for (const [what, of, count] of steps) {
          const objects = of.map((at) => 1 + (at % world.size))
          if (what === 'task') world.task(objects, count)
          else if (what === 'lose') world.lose(objects)
          else if (what === 'need') for (const number of objects) world.need(number)
          else if (what === 'finish') for (const at of of) world.finishOne(at, true)
          else if (what === 'break') for (const at of of) world.finishOne(at, false)
          else for (const number of objects) world.refuse(world.makerOf(number), reasons[count] as LossReason)
          world.check()
        }
        world.finishAll()
        world.check()
        world.checkNobodyWaits()
      }),
      { numRuns: 300 },
    )
  })
})
