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

/** Another copy in the same place, later. */
const again = ([node, process]: Holder): Holder => [node, process, 1]

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
      { when: 'it speaks of a copy from before', holders: [again(a)], absent: [a], left: [again(a)], answer: 'now' },
      {
        when: 'it speaks of copies from before, and one was made again where there was one',
        holders: [again(b)],
        absent: [b],
        unreached: [a],
        left: [again(b)],
        answer: 'now',
      },
      {
        when: 'it could not reach the one from before',
        holders: [again(a)],
        unreached: [a],
        left: [again(a)],
        answer: 'now',
      },
      {
        when: 'the one that was made again is not there',
        holders: [again(a)],
        absent: [again(a)],
        left: [],
        answer: 'now',
      },
      {
        when: 'the one that was made again is dead',
        holders: [again(a)],
        absent: [a],
        dead: [a],
        left: [],
        answer: 'now',
      },
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

    it('is believed as well where each pull hears nothing for a minute, not before the third', () => {
      let nowMs = 0
      const state = new RecoveryState(nothingToDo, { now: () => nowMs })
      const report = { absent: [], unreached: [a] }
      for (const answer of ['later', 'later', 'now']) {
        expect(state.reported(1, [a], report, () => false).answer).to.equal(answer)
        nowMs += 60_200
      }
      expect(state.size).to.equal(0)
    })

    it('counts from the beginning where somebody could read it in between', () => {
      let nowMs = 0
      const state = new RecoveryState(nothingToDo, { now: () => nowMs })
      const report = { absent: [], unreached: [a] }
      for (let i = 0; i < 10; i++) {
        expect(state.reported(1, [a], report, () => false).answer).to.equal('later')
        nowMs += 200_000
      }
      state.drop(1)
      expect(state.size).to.equal(0)
    })
  })

  it('takes no copy for lost that is there, however old the reports are, and every one that is not', () => {
    const ids = ['a', 'b', 'c'].map((letter) => letter.repeat(16) as NodeId)
    const [first] = ids as [NodeId]
    const what = fc.constantFrom('comes', 'gone', 'looks', 'looks', 'reports', 'reports')
    const step = fc.record({ what, node: fc.constantFrom(...ids), which: fc.nat(20) })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const state = new RecoveryState(nothingToDo, { now: () => 0 })
        let copies = 0
        // What the owner knows of, where there is something, and what readers have missed and not told yet.
        let holders: readonly Holder[] = [[first, first]]
        const there = new Set<NodeId>([first])
        const missed: (readonly Holder[])[] = []
        const add = (at: NodeId): void => {
          there.add(at)
          holders = [...holders, [at, at, ++copies]]
        }
        const report = (absent: readonly Holder[]): void => {
          ;({ holders } = state.reported(1, holders, { absent, unreached: [] }, () => false))
          for (const at of there) expect(holders.map(([known]) => known)).to.include(at)
          // It is made again, on a node that lacked it.
          if (holders.length === 0) add((absent[0] as Holder)[0])
        }
        const missing = (): readonly Holder[] => holders.filter(([at]) => !there.has(at))
        for (const { what, node, which } of steps) {
          if (what === 'gone') there.delete(node)
          else if (what === 'looks') missed.push(missing())
          else if (what === 'comes' && there.size > 0 && holders.every(([at]) => at !== node)) add(node)
          else if (what === 'reports' && missed.length > 0) {
            const [absent = []] = missed.splice(which % missed.length, 1)
            if (absent.length > 0) report(absent)
          }
        }
        // Whoever looks now, and tells at once, brings out all that is lost.
        if (missing().length > 0) report(missing())
        expect(holders.every(([at]) => there.has(at))).to.equal(true)
      }),
      { numRuns: 500 },
    )
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
