import { expect } from 'chai'
import { collectGarbage } from '../../../runtime/base/garbage.ts'
import { IdleCollection } from '../../../runtime/worker/idle-collection.ts'
import { ManualClock } from '../manual-clock.ts'

describe('runtime/worker/idle-collection', () => {
  const clockOf = (costMs = 0) => {
    const clock = new ManualClock()
    const state = { idle: true, held: 1, collections: [] as number[] }
    const collection = new IdleCollection({
      clock,
      isIdle: () => state.idle,
      holds: () => state.held > 0,
      collect: () => {
        clock.advance(costMs)
        state.collections.push(clock.now())
      },
    })
    return { clock, state, collection }
  }

  it('collects once the worker has been idle for a while, and not again when that freed everything', () => {
    const { clock, state, collection } = clockOf()
    collection.idle()
    clock.advance(299)
    expect(state.collections).to.deep.equal([])
    clock.advance(1)
    state.held = 0
    clock.advance(1_000_000)
    expect(state.collections).to.deep.equal([300])
    expect(clock.pending).to.equal(0)
  })

  it('does nothing for a worker that holds nothing', () => {
    const { clock, state, collection } = clockOf()
    state.held = 0
    collection.idle()
    expect(clock.pending).to.equal(0)
  })

  it('leaves a worker alone that has work, until that is over', () => {
    const { clock, state, collection } = clockOf()
    collection.idle()
    state.idle = false
    clock.advance(1_000)
    expect(state.collections).to.deep.equal([])
    state.idle = true
    collection.idle()
    clock.advance(300)
    expect(state.collections).to.deep.equal([1_300])
  })

  it('waits twice as long each time for what stays, and starts anew after a task', () => {
    const { clock, state, collection } = clockOf()
    collection.idle()
    clock.advance(2_100)
    expect(state.collections).to.deep.equal([300, 900, 2_100])
    collection.idle()
    clock.advance(300)
    expect(state.collections).to.deep.equal([300, 900, 2_100, 2_400])
    clock.advance(10 * 60_000)
    expect(state.collections).to.have.length.below(25)
  })

  it('takes one part in twenty of the time of a large worker at the most', () => {
    const { clock, state, collection } = clockOf(50)
    collection.idle()
    clock.advance(60_000)
    expect(state.collections.length * 50).to.be.at.most(3_000)
  })

  it('lets nobody wait for longer than five seconds after a task, however large it is', () => {
    const { clock, state, collection } = clockOf(1_000)
    collection.idle()
    clock.advance(5_000)
    collection.idle()
    const before = state.collections.length
    clock.advance(6_000)
    expect(state.collections.length).to.be.above(before)
  })

  it('lets finalizers of dropped objects run', async () => {
    const dropped: string[] = []
    const registry = new FinalizationRegistry<string>((name) => void dropped.push(name))
    ;(() => registry.register({}, 'a'))()
    for (let i = 0; i < 50 && dropped.length === 0; i++) {
      collectGarbage()
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(dropped).to.deep.equal(['a'])
  })
})
