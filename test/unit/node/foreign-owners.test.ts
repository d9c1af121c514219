import { expect } from 'chai'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { ForeignOwners } from '../../../runtime/node/foreign-owners.ts'
import type { ProcessStatus } from '../../../runtime/protocol/messages.ts'
import { ManualClock } from '../manual-clock.ts'

const id = (number: number): ProcessId => number.toString(16).padStart(16, '0') as ProcessId
const [self, one, other] = [id(100), id(101), id(102)] as [NodeId, NodeId, NodeId]

/** Answers that the test gives, by node: at once, or when it resolves them. */
type Answer = readonly ProcessStatus[2][] | Promise<readonly ProcessStatus[2][]>

class World {
  readonly clock: ManualClock = new ManualClock()
  readonly linked: Set<ProcessId> = new Set()
  /** `seconds: node of owners` of each question. */
  readonly asked: string[] = []
  readonly dead: number[] = []
  answer: (owners: readonly ProcessId[]) => Answer = (owners) => owners.map(() => 'alive')
  readonly owners: ForeignOwners = new ForeignOwners({
    ...{ clock: this.clock, self, isLinked: (owner) => this.linked.has(owner) },
    ask: async (node, owners) => {
      const seconds = Math.round(this.clock.now() / 1_000)
      this.asked.push(`${seconds}: ${Number(`0x${node}`)} of ${owners.map((owner) => Number(`0x${owner}`)).join(' ')}`)
      return this.answer(owners)
    },
    onDead: (owner) => void this.dead.push(Number(`0x${owner}`)),
  })

  pass(seconds: number): Promise<void> {
    return this.clock.pass(seconds * 1_000, () => new Promise((resolve) => setImmediate(resolve)))
  }
}

describe('owners from other nodes', () => {
  it('are asked for at their nodes while they have no link here, in one question each', async () => {
    const world = new World()
    world.owners.note(id(1), one)
    world.owners.note(id(2), other)
    world.owners.note(id(3), one)
    world.owners.note(id(4), self)
    world.linked.add(id(1))
    await world.pass(6)
    expect(world.asked).to.deep.equal(['5: 102 of 2', '5: 101 of 3'])
    world.linked.clear()
    await world.pass(5)
    expect(world.asked.slice(2)).to.deep.equal(['10: 101 of 1 3', '10: 102 of 2'])
  })

  it('are told of once when they are dead, and forgotten', async () => {
    const world = new World()
    for (const owner of [1, 2, 3]) world.owners.note(id(owner), one)
    world.answer = (owners) => owners.map((owner) => (owner === id(2) ? 'alive' : 'dead'))
    await world.pass(30)
    expect(world.dead).to.deep.equal([1, 3])
    expect(world.owners.size).to.equal(1)
    expect(world.asked.slice(1).every((question) => question.endsWith(' of 2'))).to.equal(true)
    world.owners.forget(id(2))
    expect([world.owners.size, world.clock.pending]).to.deep.equal([0, 0])
  })

  it('are asked for less and less often while they live, or nobody knows', async () => {
    const world = new World()
    world.owners.note(id(1), one)
    let round = 0
    world.answer = () => (round++ % 2 === 0 ? ['unknown'] : Promise.reject(new Error('the node cannot be reached')))
    await world.pass(200)
    expect(world.asked.map((question) => Number.parseInt(question, 10))).to.deep.equal([5, 10, 20, 40, 80, 140, 200])
    expect(world.dead).to.deep.equal([])
  })

  it('are not asked for again while their node owes an answer, nor told of when they were forgotten meanwhile', async () => {
    const world = new World()
    let settle: (states: ProcessStatus[2][]) => void = () => {}
    world.answer = () => new Promise((resolve) => (settle = resolve))
    world.owners.note(id(1), one)
    world.owners.note(id(2), one)
    await world.pass(60)
    expect(world.asked).to.deep.equal(['5: 101 of 1 2'])
    world.owners.forget(id(1))
    settle(['dead', 'dead'])
    await world.pass(1)
    expect(world.dead).to.deep.equal([2])
  })

  it('leave no timer when the node closes', async () => {
    const world = new World()
    world.owners.note(id(1), one)
    world.owners.close()
    world.owners.note(id(2), one)
    await world.pass(60)
    expect([world.asked.length, world.owners.size, world.clock.pending]).to.deep.equal([0, 0, 0])
  })
})
