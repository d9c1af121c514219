import { expect } from 'chai'
import * as fc from 'fast-check'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { randomInteger, seededRandom } from '../../../runtime/base/random.ts'
import { ReferenceState } from '../../../runtime/owner/reference-state.ts'
import { MapCountStore, type Peer, type ReferenceEffects } from '../../../runtime/owner/reference-types.ts'
import type { RefTuple } from '../../../runtime/protocol/messages.ts'
import { type Process, World } from './reference-world.ts'

const node = '000000000000000f' as NodeId
const peer = (name: string): Peer => ({ process: name as ProcessId, node })
const [self, worker, other, third] = [peer('self'), peer('worker'), peer('other'), peer('third')]
const own = (number: number): RefTuple => [self.process, number, node]
const others = (number: number): RefTuple => [other.process, number, node]

interface Recorded {
  state: ReferenceState
  counts: MapCountStore
  log: string[]
  /** What happened since it was asked last. */
  readonly taken: () => string[]
}

function recorded(): Recorded {
  const log: string[] = []
  const counts = new MapCountStore()
  const effects: ReferenceEffects = {
    free: (number) => log.push(`free ${number}`),
    sendAdd: (owner, id, numbers, borrower) =>
      log.push(`add#${id} ${owner.process}:${numbers.join()} ${borrower.process}`),
    sendAck: (to, requestId) => log.push(`ack#${requestId} ${to}`),
    sendRemove: (owner, numbers, adder) => log.push(`remove ${owner.process}:${numbers.join()} by ${adder}`),
    sendReplyAck: (to, ackId) => log.push(`replyAck#${ackId} ${to}`),
    ownerDied: (owner, number) => log.push(`ownerDied ${owner}:${number}`),
    watch: (of) => log.push(`watch ${of.process}`),
    unwatch: (process) => log.push(`unwatch ${process}`),
  }
  const state = new ReferenceState(self, effects, counts)
  const taken = (): string[] => {
    state.flush()
    state.validate()
    return log.splice(0)
  }
  return { state, counts, log, taken }
}

const replyOf = (pins: RefTuple[], borrowed: RefTuple[]) =>
  ({ worker, pins, settled: true, borrowed, results: [], ackId: 0 }) as const

describe('reference-state', () => {
  describe('an owned object', () => {
    it('is freed once, when its last handle or pin goes', () => {
      const { state, taken, counts } = recorded()
      state.retainOwned(7)
      state.retain(own(7))
      state.release(self.process, 7)
      expect(taken()).to.deep.equal([])
      state.release(self.process, 7)
      expect(taken()).to.deep.equal(['free 7'])
      expect([counts.counts.size, state.size()]).to.deep.equal([0, 0])
    })

    it('outlives its last handle while somebody borrows it', () => {
      const { state, taken } = recorded()
      state.retainOwned(1)
      state.refAdd(other.process, 5, [1], worker)
      state.releaseOwned(1)
      expect(taken()).to.deep.equal(['watch worker', 'ack#5 other'])
      state.refRemove([1], worker.process, other.process)
      expect(taken()).to.deep.equal(['unwatch worker', 'free 1'])
    })

    it('takes a removal that overtook its announcement', () => {
      const { state, taken } = recorded()
      state.retainOwned(1)
      state.refRemove([1], worker.process, other.process)
      state.refAdd(other.process, 1, [1], worker)
      expect(taken()).to.deep.equal(['ack#1 other'])
      state.releaseOwned(1)
      expect(taken()).to.deep.equal(['free 1'])
      expect(state.size()).to.equal(0)
    })

    it('does not take a removal out of the announcement of somebody else', () => {
      const { state, taken } = recorded()
      state.retainOwned(1)
      state.refRemove([1], worker.process, other.process)
      state.processDead(other.process)
      state.refAdd(third.process, 1, [1], worker)
      state.releaseOwned(1)
      expect(taken()).to.deep.equal(['watch worker', 'ack#1 third'])
    })

    it('is freed when its borrower ends, however often that is told', () => {
      const { state, taken } = recorded()
      state.retainOwned(1)
      state.refAdd(other.process, 1, [1], worker)
      state.releaseOwned(1)
      state.processDead(worker.process)
      state.processDead(worker.process)
      expect(taken()).to.deep.equal(['watch worker', 'ack#1 other', 'unwatch worker', 'free 1'])
    })

    it('ignores what comes for it after it is freed', () => {
      const { state, taken } = recorded()
      state.refAdd(other.process, 1, [1], worker)
      state.refRemove([2], worker.process, other.process)
      expect(taken()).to.deep.equal(['ack#1 other'])
      expect(state.size()).to.equal(0)
    })

    it('holds what its value contains until it is freed, in chains of any length', () => {
      const { state, taken } = recorded()
      for (let number = 0; number < 50_000; number++) {
        state.retainOwned(number)
        if (number === 0) continue
        state.contain(number, [own(number - 1)])
        state.releaseOwned(number - 1)
      }
      expect(taken()).to.deep.equal([])
      state.releaseOwned(49_999)
      expect(taken()).to.have.length(50_000)
      expect(state.size()).to.equal(0)
    })

    // Seed 66836 of the simulation: an old copy was still being read when the task had run again.
    it('holds what each of its values contained, where it was made again with other refs inside', () => {
      const { state, taken } = recorded()
      for (const number of [1, 2, 3]) state.retainOwned(number)
      state.contain(3, [own(1)])
      state.releaseOwned(1)
      state.contain(3, [own(2)])
      state.releaseOwned(2)
      expect(taken()).to.deep.equal([])
      state.releaseOwned(3)
      expect(taken()).to.have.length(3)
      expect(state.size()).to.equal(0)
    })

    it('stays free when a ref to it comes back after all', () => {
      const { state, taken } = recorded()
      state.decodeInTask(own(1), 1)
      state.retain(own(1))
      state.release(self.process, 1)
      state.release(self.process, 1)
      expect(taken()).to.deep.equal([])
      expect(state.size()).to.equal(0)
    })

    it('is not alive by a handle that came after it was freed, unless it is made again', () => {
      const { state, taken } = recorded()
      state.retainOwned(1)
      state.releaseOwned(1)
      state.decodeInTask(own(1), 1)
      expect([state.isHeld(self.process, 1), state.isLive(1)]).to.deep.equal([true, false])
      state.retainOwned(1)
      expect(state.isLive(1)).to.equal(true)
      state.releaseOwned(1)
      expect(state.isLive(1)).to.equal(true)
      expect(taken()).to.deep.equal(['free 1'])
      state.release(self.process, 1)
      expect(state.isLive(1)).to.equal(false)
      expect(taken()).to.deep.equal(['free 1'])
    })

    it('watches a borrower again that was told dead while something else of it was held', () => {
      const { state, taken } = recorded()
      state.retainOwned(1)
      state.decodeInTask(others(4), 1)
      state.processDead(other.process)
      state.refAdd(third.process, 1, [1], other)
      expect(taken()).to.deep.equal(['watch other', 'ownerDied other:4', 'watch other', 'ack#1 third'])
      state.processDead(other.process)
      state.releaseOwned(1)
      expect(taken()).to.deep.equal(['free 1'])
    })

    it('is never released more often than it is held', () => {
      const { state } = recorded()
      expect(() => state.releaseOwned(3)).to.throw('owned object 3 is released more often')
    })
  })

  describe('a worker', () => {
    it('says nothing about a ref that it dropped before the reply', () => {
      const { state, taken } = recorded()
      state.decodeInTask(others(4), 1)
      state.release(other.process, 4)
      expect(state.reply(1, third, [])).to.deep.equal({ borrowed: [], ackId: 0 })
      expect(taken()).to.deep.equal(['watch other', 'unwatch other'])
    })

    it('lists a ref that it still holds, once per submitter, and removes each announcement', () => {
      const { state, taken } = recorded()
      for (const [task, submitter] of [third, third, worker].entries()) {
        state.decodeInTask(others(4), task)
        const { borrowed } = state.reply(task, submitter, [])
        expect(borrowed).to.deep.equal(task === 1 ? [] : [others(4)])
      }
      for (let handle = 0; handle < 3; handle++) state.release(other.process, 4)
      expect(taken()).to.deep.equal([
        'watch other',
        'unwatch other',
        'remove other:4 by third',
        'remove other:4 by worker',
      ])
    })

    it('pins the refs in its results until the reply is acknowledged, or nobody is left to do so', () => {
      for (const end of ['ack', 'death']) {
        const { state, taken } = recorded()
        state.decodeInTask(others(4), 1)
        const { ackId } = state.reply(1, third, [others(4)])
        state.release(other.process, 4)
        expect(taken()).to.deep.equal(['watch other', 'watch third'])
        if (end === 'ack') state.replyAcked(ackId)
        else state.processDead(third.process)
        expect(taken()).to.deep.equal(['unwatch third', 'unwatch other', 'remove other:4 by third'])
        expect(state.size()).to.equal(0)
      }
    })

    it('announces the submitter itself for what it owns', () => {
      const { state, taken } = recorded()
      state.retainOwned(1)
      expect(state.reply(1, third, [own(1)])).to.deep.equal({ borrowed: [], ackId: 0 })
      state.releaseOwned(1)
      expect(taken()).to.deep.equal(['watch third'])
      state.refRemove([1], third.process, self.process)
      expect(taken()).to.deep.equal(['unwatch third', 'free 1'])
    })
  })

  it('borrows nothing from itself, when it submits to itself', () => {
    const { state, taken } = recorded()
    state.retainOwned(1)
    state.retainOwned(2)
    const { borrowed, ackId } = state.reply(1, self, [own(2)])
    state.releaseOwned(2)
    expect(taken()).to.deep.equal(['watch self'])
    state.replied({ worker: self, pins: [], settled: true, borrowed, results: [{ number: 1, refs: [own(2)] }], ackId })
    state.replyAcked(ackId)
    expect(taken()).to.deep.equal(['replyAck#1 self', 'unwatch self'])
    state.releaseOwned(1)
    expect(taken()).to.deep.equal(['free 1', 'free 2'])
    expect(state.size()).to.equal(0)
  })

  describe('a submitter', () => {
    it('adds the worker directly to what it owns', () => {
      const { state, taken } = recorded()
      state.retainOwned(1)
      state.replied(replyOf([own(1)], [own(1)]))
      expect(taken()).to.deep.equal(['watch worker'])
      state.refRemove([1], worker.process, self.process)
      expect(taken()).to.deep.equal(['unwatch worker', 'free 1'])
    })

    it('keeps the pins of a task until the owner knows the borrowing worker', () => {
      const { state, taken } = recorded()
      state.decodeInTask(others(4), 9)
      state.replied(replyOf([others(4)], [others(4)]))
      expect(taken()).to.deep.equal(['watch other', 'add#1 other:4 worker'])
      state.refAcked(1)
      state.reply(9, third, [])
      expect(taken()).to.deep.equal(['unwatch other'])
    })

    it('acknowledges a reply when it is registered for every ref in the results', () => {
      const { state, taken } = recorded()
      state.retainOwned(1)
      const refs: RefTuple[] = [others(4), others(5), [third.process, 6, node], [worker.process, 8, node], own(1)]
      state.replied({ ...replyOf([], []), results: [{ number: 1, refs: refs.slice(0, 4) }], ackId: 3 })
      expect(taken()).to.include.members(['add#1 other:4,5 self', 'add#2 third:6 self'])
      state.refAcked(1)
      expect(taken()).to.deep.equal([])
      state.refAcked(2)
      expect(taken()).to.deep.equal(['replyAck#3 worker'])
      state.releaseOwned(1)
      const last = taken()
      expect(last).to.include.members(['free 1', 'remove other:4,5 by self', 'remove third:6 by self'])
      expect(last).to.include('remove worker:8 by worker')
      expect(state.size()).to.equal(0)
    })

    it('lets go of the refs in a result that nobody wants any more', () => {
      const { state, taken } = recorded()
      state.replied({ ...replyOf([], []), results: [{ number: 1, refs: [others(4)] }], ackId: 3 })
      state.refAcked(1)
      expect(taken()).to.include.members(['remove other:4 by self', 'replyAck#3 worker'])
      expect(state.size()).to.equal(0)
    })

    it('keeps its own pins when the task runs again', () => {
      const { state, taken } = recorded()
      state.retainOwned(1)
      state.replied({ ...replyOf([own(1)], []), settled: false })
      expect(taken()).to.deep.equal([])
      state.replied(replyOf([own(1)], []))
      expect(taken()).to.deep.equal(['free 1'])
    })

    it('keeps an object whose value it decoded until it is registered for what is inside', () => {
      const { state, taken } = recorded()
      state.decodeInTask(others(1), 1)
      state.decodeWithin(others(1), [[third.process, 2, node]])
      state.release(other.process, 1)
      expect(taken()).to.include('add#1 third:2 self')
      expect(state.isHeld(other.process, 1)).to.equal(true)
      state.refAcked(1)
      expect(state.isHeld(other.process, 1)).to.equal(false)
    })
  })

  it('tells each ref of an owner that died, those that come later too, and asks nothing of it', () => {
    const { state, taken } = recorded()
    state.decodeInTask(others(1), 1)
    state.replied({ ...replyOf([], [others(1)]), ackId: 2 })
    expect(taken()).to.include('add#1 other:1 worker')
    state.processDead(other.process)
    expect(taken()).to.deep.equal(['ownerDied other:1', 'replyAck#2 worker'])
    state.decodeInTask(others(2), 1)
    expect(taken()).to.deep.equal(['watch other'])
    state.processDead(other.process)
    expect(state.reply(1, third, [])).to.deep.equal({ borrowed: [], ackId: 0 })
    expect(taken()).to.deep.equal(['ownerDied other:2'])
    state.release(other.process, 1)
    state.release(other.process, 2)
    expect(taken()).to.deep.equal(['unwatch other'])
    expect(state.size()).to.equal(0)
  })

  it('takes a ref for alive again that comes from its owner after all, and gives it back', () => {
    const { state, taken } = recorded()
    state.retainOwned(1)
    state.decodeInTask(others(4), 1)
    state.replied({ ...replyOf([], []), results: [{ number: 1, refs: [others(4)] }], ackId: 1 })
    state.processDead(other.process)
    expect(taken()).to.include('ownerDied other:4')
    state.replied({ ...replyOf([], []), worker: other, results: [{ number: 1, refs: [others(4)] }] })
    state.release(other.process, 4)
    state.leaveTask(1)
    state.releaseOwned(1)
    expect(taken()).to.deep.equal(['free 1', 'unwatch other', 'remove other:4 by other'])
    expect(state.size()).to.equal(0)
  })

  describe('between processes, in any order of messages', () => {
    it('frees nothing that is held and leaves nothing, when nobody dies', () => {
      fc.assert(
        fc.property(fc.integer(), fc.integer({ min: 20, max: 300 }), (seed, moves) => play(seed, moves, 0)),
        { numRuns: 500 },
      )
    })

    it('frees nothing that is held and leaves nothing, when processes die', () => {
      fc.assert(
        fc.property(fc.integer(), fc.integer({ min: 20, max: 300 }), (seed, moves) => play(seed, moves, 3)),
        { numRuns: 500 },
      )
    })
  })
})

/** Plays one world by a seed, then lets all work end, all handles go and all messages arrive. */
function play(seed: number, steps: number, deaths: number): void {
  const random = seededRandom(seed)
  const roll = (below: number): number => randomInteger(random, below)
  const world = new World(3 + roll(3))
  let left = deaths
  const anyOf = <T>(items: readonly T[]): T => items[roll(items.length)] as T
  const some = (refs: readonly RefTuple[]): RefTuple[] =>
    refs.length === 0 ? [] : [anyOf(refs), anyOf(refs)].slice(roll(3))
  const alive = (): Process[] => world.processes.filter((process) => process.alive)
  const moves: ((process: Process) => void)[] = [
    (process) => process.put(some(process.handles)),
    (process) => process.drop(roll(process.handles.length)),
    (process) => process.drop(roll(process.handles.length)),
    (process) => {
      while (process.handles.length > 0) process.drop(0)
      process.refs.flush()
    },
    (process) => process.submit(anyOf(alive()), some(process.handles)),
    (process) => {
      if (process.handles.length > 0) process.get(anyOf(process.handles))
    },
    (process) => {
      const task = [...process.running][0]
      if (task === undefined) return
      const retry = roll(4) === 0 ? anyOf(alive()) : undefined
      process.end(task, retry === undefined ? some(process.handles) : [], retry)
    },
    (process) => process.refs.flush(),
    () => {
      if (left === 0 || roll(5) > 0 || alive().length < 3) return
      left--
      world.kill(anyOf(alive()))
    },
    () => {
      const dead = world.processes.find((process) => !process.alive)
      if (dead !== undefined) world.tell(anyOf(alive()), dead.id)
    },
  ]
  for (let step = 0; step < steps; step++) {
    if (roll(2) === 0) world.deliver(roll(world.letters.length))
    else anyOf(moves)(anyOf(alive()))
    world.check()
  }
  settle(world, alive)
}

function settle(world: World, alive: () => Process[]): void {
  for (const process of alive()) process.refs.flush()
  const busy = (): boolean =>
    world.letters.length > 0 || alive().some(({ running, handles }) => running.size > 0 || handles.length > 0)
  for (let round = 0; busy(); round++) {
    if (round > 10_000) throw new Error('the world does not come to rest')
    while (world.letters.length > 0) world.deliver(0)
    for (const process of alive()) {
      for (const task of process.running) process.end(task, [], undefined)
      while (process.handles.length > 0) process.drop(0)
      process.refs.flush()
    }
    world.check()
  }
  for (const { id, refs, counts, watched, created, freed } of alive()) {
    expect([refs.size(), counts.counts.size, watched.size], `tables of ${id}`).to.deep.equal([0, 0, 0])
    expect(freed.size, `freed by ${id}`).to.equal(created)
  }
}
