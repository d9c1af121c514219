import { expect } from 'chai'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { ObjectTable } from '../../../runtime/owner/object-table.ts'
import { TaskTable } from '../../../runtime/owner/task-table.ts'
import { UnreadFailures } from '../../../runtime/owner/unread-failures.ts'
import { ManualClock } from '../manual-clock.ts'

const error = (i: number): ['error', Uint8Array] => ['error', new Uint8Array([i])]

describe('UnreadFailures', () => {
  it('tells of five a minute, counts the others, and forgets none', () => {
    const clock = new ManualClock()
    const lines: string[] = []
    const objects = new ObjectTable(new TaskTable())
    const failures = new UnreadFailures({
      host: { clock, warn: (line) => void lines.push(line), self: { node: newProcessId(), process: newProcessId() } },
      objects,
      access: { textOf: (bytes) => `Error: ${bytes[0]}` },
    })
    const drop = (i: number): void => failures.dropped(Object.assign(error(i), { unread: true }))
    for (let i = 0; i < 8; i++) drop(i)
    expect(lines).to.deep.equal([0, 1, 2, 3, 4].map((i) => `a task failed and nobody read its result: Error: ${i}`))
    clock.advance(60_000)
    drop(8)
    failures.dropped(Object.assign(error(8), { unread: false }))
    failures.dropped(['inline', new Uint8Array(1)])
    expect(lines.splice(0).slice(5)).to.deep.equal([
      '3 more tasks failed and nobody asked for their results (get or wait of their refs tells)',
      'a task failed and nobody read its result: Error: 8',
    ])
    for (let i = 0; i < 5; i++) drop(9)
    lines.length = 0
    for (const i of [10, 11]) objects.settle(objects.allocate(1), error(i))
    failures.end()
    failures.end()
    expect(lines).to.deep.equal([
      'one more task failed and nobody asked for its result (get or wait of their refs tells)',
      '2 tasks failed and nobody asked for their results (get or wait of their refs tells); the first: Error: 10',
    ])
  })
})

describe('ObjectTable.takeUnread', () => {
  it('has the errors that nobody waited for, once each; not those that were asked for in vain or passed on', () => {
    const objects = new ObjectTable(new TaskTable())
    const bytes = (name: number): Uint8Array => new Uint8Array([name])
    const base = objects.allocate(7)
    const [unread, read, abandoned, passed] = [base, base + 1, base + 2, base + 3]
    const [passedLate, waited, fine] = [base + 4, base + 5, base + 6]
    const waiter = (): void => {}
    objects.await(abandoned, waiter)
    objects.unawait(abandoned, waiter)
    expect(objects.isAwaited(abandoned)).to.equal(false)
    objects.passedOn(passed)
    objects.await(waited, waiter)
    expect(objects.isAwaited(waited)).to.equal(true)
    const all = [unread, read, abandoned, passed, passedLate, waited]
    for (const [i, one] of all.entries()) objects.settle(one, ['error', bytes(i)])
    objects.settle(fine, ['inline', bytes(9)])
    objects.await(read, waiter)
    objects.passedOn(passedLate)
    // The results of one task share what became of it.
    const shared: ['error', Uint8Array] = ['error', bytes(7)]
    const first = objects.allocate(2)
    for (const one of [first, first + 1]) objects.settle(one, shared)
    expect(objects.takeUnread()).to.deep.equal([bytes(0), bytes(7)])
    expect(objects.takeUnread()).to.deep.equal([])
  })
})
