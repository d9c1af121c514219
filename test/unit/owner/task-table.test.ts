import { expect } from 'chai'
import fc from 'fast-check'
import { slotOf, TaskState, TaskTable } from '../../../runtime/owner/task-table.ts'

const pageSize = 4096

describe('task-table', () => {
  it('knows exactly the numbers in use, whatever comes and goes', () => {
    const step = fc.oneof(
      fc.record({ allocate: fc.integer({ min: 1, max: 700 }) }),
      fc.record({ release: fc.nat(), count: fc.integer({ min: 1, max: 900 }) }),
    )
    const property = fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const table = new TaskTable()
      const used: number[] = []
      let newest = 0
      for (const each of steps) {
        if ('allocate' in each) {
          const first = table.allocate(each.allocate)
          expect(first).to.be.greaterThan(newest)
          for (let i = 0; i < each.allocate; i++) used.push((newest = first + i))
          table.at(newest).slot[slotOf(newest)] = newest
        } else {
          for (const number of used.splice(used.length === 0 ? 0 : each.release % used.length, each.count))
            table.release(number)
        }
        expect(table.size).to.equal(used.length)
      }
      expect([...table.numbers()]).to.deep.equal(used)
      for (const number of used) expect(table.has(number)).to.equal(true)
      expect(table.has(newest + 1)).to.equal(false)
      for (const number of used) {
        const held = table.at(number).slot[slotOf(number)]
        expect(held === undefined || held === number).to.equal(true)
      }
    })
    fc.assert(property, { numRuns: 60 })
  })

  it('gives a task whose results lie on two pages one number after the other', () => {
    const table = new TaskTable()
    table.allocate(pageSize - 3)
    const first = table.allocate(10)
    for (let i = 0; i < 10; i++) table.at(first + i).sequence[slotOf(first + i)] = i
    expect(table.at(first)).to.not.equal(table.at(first + 9))
    for (let i = 0; i < 10; i++) expect(table.at(first + i).sequence[slotOf(first + i)]).to.equal(i)
  })

  it('clears what it gives back, and drops pages that nobody uses', () => {
    const table = new TaskTable()
    const numbers = Array.from({ length: 3 * pageSize }, () => table.allocate())
    const [first = 0] = numbers
    const page = table.at(first)
    page.state[slotOf(first)] = TaskState.pushed
    page.references[slotOf(first)] = 2
    page.slot[slotOf(first)] = 'held'
    table.release(first)
    expect([page.state[slotOf(first)], page.references[slotOf(first)], page.slot[slotOf(first)]]).to.deep.equal([
      ...[TaskState.none, 0, undefined],
    ])
    for (const number of numbers.slice(1)) table.release(number)
    expect(table.size).to.equal(0)
    expect([table.page(first), table.page(first + pageSize)]).to.deep.equal([undefined, undefined])
    expect(() => table.at(first)).to.throw(Error, /not in use/)
    expect([...table.numbers()]).to.deep.equal([])
  })

  it('refuses to release a number twice, or one that was never taken', () => {
    const table = new TaskTable()
    const number = table.allocate()
    table.release(number)
    expect(() => table.release(number)).to.throw(Error, /twice/)
    expect(() => table.release(99_999_999)).to.throw(Error, /twice/)
  })
})
