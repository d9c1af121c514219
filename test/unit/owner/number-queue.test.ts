import { expect } from 'chai'
import fc from 'fast-check'
import { NumberQueue } from '../../../runtime/owner/number-queue.ts'

describe('number-queue', () => {
  it('does what an array does, at both ends, however it grows and wraps', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('push'), times: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ do: fc.constant('unshift'), times: fc.integer({ min: 1, max: 10 }) }),
      fc.record({ do: fc.constant('shift'), times: fc.integer({ min: 1, max: 60 }) }),
    )
    const property = fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const queue = new NumberQueue()
      const model: number[] = []
      let next = 0
      for (const { do: what, times } of steps) {
        for (let i = 0; i < times; i++) {
          if (what === 'push') model.push((queue.push(next), next++))
          else if (what === 'unshift') model.unshift((queue.unshift(next), next++))
          else expect(queue.shift()).to.equal(model.shift())
        }
        expect(queue.size).to.equal(model.length)
        expect(queue.peek()).to.equal(model[0])
        expect([...queue]).to.deep.equal(model)
      }
    })
    fc.assert(property, { numRuns: 100 })
  })

  it('keeps numbers exactly, up to 48 bits, and starts anew after it was very long', () => {
    const queue = new NumberQueue()
    for (let i = 0; i < 10_000; i++) queue.push(2 ** 48 - 1 - i)
    for (let i = 0; i < 10_000; i++) expect(queue.shift()).to.equal(2 ** 48 - 1 - i)
    expect(queue.shift()).to.equal(undefined)
    queue.unshift(7)
    expect([...queue]).to.deep.equal([7])
  })
})
