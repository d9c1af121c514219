import { expect } from 'chai'
import fc from 'fast-check'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { LeaseRecord } from '../../../runtime/owner/lease-record.ts'
import type { Grant } from '../../../runtime/owner/submit-types.ts'

const place = { node: '00000000000000aa' as NodeId, worker: '00000000000000bb' as ProcessId, pid: 1 }
const grant: Grant = { leaseId: 1, epoch: 1, socketPath: '', pagePath: 'page', ...place }

describe('lease-record', () => {
  it('knows which task has which sequence, whatever is answered or taken back in whatever order', () => {
    const step = fc.oneof(
      fc.record({ add: fc.integer({ min: 1, max: 300 }) }),
      fc.record({ remove: fc.nat(), count: fc.integer({ min: 1, max: 300 }) }),
    )
    const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const lease = new LeaseRecord(1, 0, grant)
      const model = new Map<number, number>()
      let number = 100
      let nowMs = 0
      for (const each of steps) {
        nowMs++
        if ('add' in each) {
          for (let i = 0; i < each.add && !lease.full; i++) {
            const empty = model.size === 0
            const sequence = lease.add(number, 10, nowMs)
            expect(model.has(sequence)).to.equal(false)
            model.set(sequence, number++)
            if (empty) expect(lease.headSinceMs).to.equal(nowMs)
          }
        } else {
          const sequences = [...model.keys()]
          const from = sequences.length === 0 ? 0 : each.remove % sequences.length
          for (const sequence of sequences.slice(from, from + each.count)) {
            expect(lease.remove(sequence, nowMs)).to.equal(model.get(sequence))
            expect(lease.remove(sequence, nowMs)).to.equal(-1)
            model.delete(sequence)
          }
        }
        expect(lease.count).to.equal(model.size)
        expect(lease.all()).to.deep.equal([...model.keys()])
        expect(lease.behind()).to.deep.equal([...model.keys()].slice(1))
        expect(lease.expectedMicros).to.equal(model.size * 10)
        for (const [sequence, task] of model) expect(lease.task(sequence)).to.equal(task)
      }
    })
    fc.assert(property, { numRuns: 60 })
  })

  it('tells since when its first task can have been running, and since when it has none', () => {
    const lease = new LeaseRecord(1, 0, grant)
    const [first, second, third] = [lease.add(1, 1, 10), lease.add(2, 1, 20), lease.add(3, 1, 30)]
    lease.remove(second, 40)
    expect([lease.first, lease.headSinceMs]).to.deep.equal([first, 10])
    lease.remove(first, 50)
    expect([lease.first, lease.headSinceMs]).to.deep.equal([third, 50])
    lease.remove(third, 60)
    expect([lease.count, lease.idleSinceMs, lease.expectedMicros]).to.deep.equal([0, 60, 0])
    lease.add(4, 1, 70)
    expect(lease.headSinceMs).to.equal(70)
  })

  it('holds 1024 tasks from its first one on, no more', () => {
    const lease = new LeaseRecord(1, 0, grant)
    for (let i = 0; i < 1024; i++) lease.add(i, 1, 0)
    expect(() => lease.add(1024, 1, 0)).to.throw(Error, /full/)
    for (let i = 1; i < 1024; i++) lease.remove(i, 0)
    // The window still begins at its first task.
    expect(lease.full).to.equal(true)
    lease.remove(0, 0)
    // All were taken back, as it may be: their worker has not come to them, and would find later ones in their places.
    expect([lease.count, lease.full]).to.deep.equal([0, true])
    lease.pass(255)
    expect([lease.full, lease.add(2000, 1, 0)]).to.deep.equal([false, 1024])
    lease.pass(100)
    lease.pass(5000)
    for (let i = 0; i < 255; i++) lease.add(i, 1, 0)
    expect(lease.full).to.equal(true)
  })
})
