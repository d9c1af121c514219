import { expect } from 'chai'
import fc from 'fast-check'
import type { NodeId } from '../../../runtime/base/ids.ts'
import { ReplicaState } from '../../../runtime/owner/replica-state.ts'
import type { NodeRow } from '../../../runtime/protocol/messages.ts'

const id = (n: number): NodeId => n.toString(16).padStart(16, '0') as NodeId
const rowsOf = (...nodes: number[]): NodeRow[] =>
  nodes.map((n) => ({
    ...{ id: id(n), url: `ws://host${n}`, hostname: `host${n}`, pid: n, state: 'alive', total: [], available: [] },
    ...{ labels: {}, queued: 0, workers: 0, head: false },
  }))

/** What the state machine said, and what of it is still to be answered. */
class World {
  readonly asked: [number, NodeId][] = []
  readonly stands: number[] = []
  readonly failed: [number, readonly string[]][] = []
  readonly state = new ReplicaState({
    ask: (number, node) => void this.asked.push([number, node]),
    stands: (number) => void this.stands.push(number),
    failed: (number, reasons) => void this.failed.push([number, reasons]),
  })

  take(): [number, NodeId] {
    return this.asked.shift() as [number, NodeId]
  }
}

describe('runtime/owner/replica-state', () => {
  it('says that an object stands when every copy was taken, and not before', () => {
    const world = new World()
    world.state.add(7, 3, [id(1)], rowsOf(1, 2, 3, 4))
    expect(world.asked).to.have.length(2)
    expect(world.state.taken(...world.take())).to.equal(true)
    expect(world.stands).to.deep.equal([])
    expect(world.state.taken(...world.take())).to.equal(true)
    expect(world.stands).to.deep.equal([7])
  })

  it('asks another node instead of one that refuses, and fails by the reasons of all where nobody is left', () => {
    const world = new World()
    world.state.add(1, 2, [id(1)], rowsOf(1, 2, 3))
    const [number, node] = world.take()
    world.state.refused(number, node, 'it is full')
    const [, other] = world.take()
    expect(other).not.to.equal(node)
    world.state.refused(number, other, 'it is full too')
    expect(world.failed).to.deep.equal([[1, [`node ${node}: it is full`, `node ${other}: it is full too`]]])
    expect([world.stands, world.state.size]).to.deep.equal([[], 0])
  })

  it('stands with what there is where there are fewer nodes, and gets the rest when they come', () => {
    const world = new World()
    world.state.add(1, 3, [id(1)], rowsOf(1))
    expect([world.stands, world.asked]).to.deep.equal([[1], []])
    world.state.nodes(rowsOf(1, 2))
    world.state.taken(...world.take())
    world.state.nodes(rowsOf(1, 2, 3))
    expect(world.take()).to.deep.equal([1, id(3)])
    expect(world.stands).to.deep.equal([1])
  })

  it('makes a lost copy again from another, and none where the last one is lost', () => {
    const world = new World()
    world.state.add(1, 2, [id(1)], rowsOf(1, 2, 3))
    const [, second] = world.take()
    world.state.taken(1, second)
    world.state.nodeDead(id(1))
    const [, third] = world.take()
    expect(new Set([id(1), second, third]).size).to.equal(3)
    world.state.taken(1, third)
    world.state.nodeDead(second)
    world.state.nodeDead(third)
    world.state.nodes(rowsOf(4))
    expect(world.asked).to.deep.equal([])
  })

  it('goes on without a node that dies while it is asked', () => {
    const world = new World()
    world.state.add(1, 2, [id(1)], rowsOf(1, 2))
    world.state.nodeDead(world.take()[1])
    expect([world.stands, world.failed]).to.deep.equal([[1], []])
  })

  it('has no use for the answer about an object that was dropped', () => {
    const world = new World()
    world.state.add(1, 2, [id(1)], rowsOf(1, 2))
    world.state.drop(1)
    expect(world.state.taken(...world.take())).to.equal(false)
    expect([world.stands, world.state.size]).to.deep.equal([[], 0])
  })

  it('tells each object once, keeps to its count, and copies whatever nodes live, in any order of events', () => {
    const step = fc.record({
      what: fc.constantFrom('add', 'taken', 'taken', 'taken', 'refused', 'dead', 'join', 'drop'),
      which: fc.nat(1_000),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const world = new World()
        let alive = [1, 2, 3]
        let nodes = 3
        let objects = 0
        for (const { what, which } of steps) {
          const at = which % Math.max(1, world.asked.length)
          const question = world.asked[at]
          if (what === 'add') world.state.add(++objects, 1 + (which % 4), alive.slice(0, 1).map(id), rowsOf(...alive))
          else if (what === 'drop') world.state.drop(which % (objects + 1))
          else if (what === 'join') world.state.nodes(rowsOf(...(alive = [...alive, ++nodes])))
          else if (what === 'dead') {
            const dead = alive[which % Math.max(1, alive.length)]
            if (dead === undefined) continue
            alive = alive.filter((n) => n !== dead)
            for (let i = world.asked.length - 1; i >= 0; i--)
              if (world.asked[i]?.[1] === id(dead)) world.asked.splice(i, 1)
            world.state.nodeDead(id(dead))
          } else if (question !== undefined) {
            world.asked.splice(at, 1)
            if (what === 'taken') world.state.taken(...question)
            else world.state.refused(...question, 'it is full')
          }
          world.state.validate()
        }
        while (world.asked.length > 0) world.state.taken(...world.take())
        const told = [...world.stands, ...world.failed.map(([number]) => number)]
        expect(new Set(told).size).to.equal(told.length)
        world.state.validate()
      }),
      { numRuns: 300 },
    )
  })
})
