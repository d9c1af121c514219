import { expect } from 'chai'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { ObjectTable, type Outcome } from '../../../runtime/owner/object-table.ts'
import { slotOf, TaskState, TaskTable } from '../../../runtime/owner/task-table.ts'
import type { Holder } from '../../../runtime/protocol/messages.ts'

const id = (text: string): ProcessId => text.padStart(16, '0') as ProcessId
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('object-table', () => {
  let table: TaskTable
  let objects: ObjectTable
  let told: string[]
  beforeEach(() => {
    table = new TaskTable()
    objects = new ObjectTable(table)
    told = []
  })

  const waiter =
    (name: string) =>
    (outcome: Outcome): void =>
      void told.push(`${name} ${outcome[0]}`)

  it('tells everybody who waits, in their order, and later ones at once', () => {
    const number = objects.allocate(1)
    for (const name of ['a', 'b', 'c']) objects.await(number, waiter(name))
    expect(objects.isAwaited(number)).to.equal(true)
    objects.settle(number, ['inline', bytes('v')])
    objects.await(number, waiter('d'))
    expect(told).to.deep.equal(['a inline', 'b inline', 'c inline', 'd inline'])
    expect(objects.isAwaited(number)).to.equal(false)
    expect(objects.outcome(number)).to.deep.equal(['inline', bytes('v')])
  })

  for (const gone of ['a', 'b', 'c']) {
    it(`does not tell one who no longer waits: ${gone} of three`, () => {
      const number = objects.allocate(1)
      const waiters = new Map(['a', 'b', 'c'].map((name) => [name, waiter(name)]))
      for (const each of waiters.values()) objects.await(number, each)
      objects.unawait(number, waiters.get(gone) as (outcome: Outcome) => void)
      objects.settle(number, ['inline', bytes('v')])
      expect(told).to.deep.equal(['a inline', 'b inline', 'c inline'].filter((line) => !line.startsWith(gone)))
    })
  }

  it('forgets a lone waiter that is taken back, and ignores one that was never there', () => {
    const number = objects.allocate(1)
    const only = waiter('only')
    objects.await(number, only)
    objects.unawait(number, waiter('other'))
    expect(objects.isAwaited(number)).to.equal(true)
    objects.unawait(number, only)
    expect(objects.isAwaited(number)).to.equal(false)
    objects.unawait(987_654_321, only)
  })

  it('does not mistake an outcome for waiters, whoever is taken back after it', () => {
    const number = objects.allocate(1)
    objects.settle(number, ['stored', 5, []])
    objects.unawait(number, waiter('late'))
    expect(objects.outcome(number)).to.deep.equal(['stored', 5, []])
  })

  it('keeps an inline value that somebody may still ask for, as bytes of its own', () => {
    const frame = new Uint8Array(10_000)
    frame.set(bytes('value'), 100)
    const [kept, awaited] = [objects.allocate(1), objects.allocate(1)]
    objects.settleInline(kept, frame.subarray(100, 105), true)
    objects.await(awaited, waiter('w'))
    objects.settleInline(awaited, frame.subarray(100, 105), false)
    frame.fill(0)
    const outcome = objects.outcome(kept)
    expect(Buffer.from((outcome as ['inline', Uint8Array])[1]).toString()).to.equal('value')
    expect((outcome as ['inline', Uint8Array])[1].buffer.byteLength).to.be.lessThan(100)
    expect(told).to.deep.equal(['w inline'])
    expect(objects.outcome(awaited)).to.equal(undefined)
  })

  it('knows the task of each of its results', () => {
    const first = objects.allocate(3)
    const other = objects.allocate(1)
    expect([0, 1, 2].map((i) => objects.taskOf(first + i))).to.deep.equal([first, first, first])
    expect(objects.taskOf(other)).to.equal(other)
  })

  it('marks what is no task as settled, and leaves the state of a task alone', () => {
    const [value, task] = [objects.allocate(1), objects.allocate(1)]
    table.at(task).state[slotOf(task)] = TaskState.pushed
    objects.settle(value, ['inline', bytes('v')])
    objects.settle(task, ['inline', bytes('v')])
    const states = [value, task].map((number) => table.at(number).state[slotOf(number)])
    expect(states).to.deep.equal([TaskState.settled, TaskState.pushed])
  })

  it('adds a holder of a stored object once, and none to anything else', () => {
    const [stored, inline] = [objects.allocate(1), objects.allocate(1)]
    objects.settle(stored, ['stored', 5, [[id('1'), id('1')]]])
    objects.settle(inline, ['inline', bytes('v')])
    for (const number of [stored, inline]) {
      objects.addHolder(number, [id('2'), id('2')])
      objects.addHolder(number, [id('2'), id('2')])
    }
    expect(objects.outcome(stored)?.[2]).to.have.length(2)
    expect(objects.outcome(inline)).to.deep.equal(['inline', bytes('v')])
  })

  it('knows how copies were lost, also when another one is taken back that a node refused', () => {
    const number = objects.allocate(1)
    objects.settle(number, ['stored', 5, [[id('1'), id('1')]]])
    objects.keepHolders(number, () => false, 'node 1 is dead')
    objects.addHolder(number, [id('2'), id('2')])
    objects.removeHolder(number, id('2'))
    expect(objects.outcome(number)).to.have.property('lost', 'node 1 is dead')
  })

  it('tells each copy from what was in the same place before', () => {
    const task = objects.allocate(2)
    const copies = (number: number): readonly Holder[] => objects.outcome(number)?.[2] as readonly Holder[]
    const [one, two] = [id('1'), id('2')]
    for (const number of [task, task + 1]) objects.settle(number, ['stored', 5, [[one, one]]])
    expect(copies(task)).to.deep.equal([[one, one]])
    const known = copies(task).map(String)
    const expectNew = (copy: Holder | undefined): void => {
      expect(known).not.to.include(String(copy))
      known.push(String(copy))
    }
    for (const attempt of [1, 2]) {
      for (let times = 0; times < 2; times++) {
        objects.addHolder(task, [two, two])
        expectNew(copies(task).at(-1))
        objects.keepHolders(task, ([at]) => at !== two, 'gone')
      }
      table.at(task).attempt[slotOf(task)] = attempt
      for (const number of [task, task + 1]) {
        let woken: Outcome | undefined
        objects.reopen(number)
        objects.await(number, (outcome) => (woken = outcome))
        objects.settle(number, ['stored', 5, [[one, one]]])
        expectNew(copies(number)[0])
        expect(woken).to.deep.equal(objects.outcome(number))
      }
    }
  })

  describe('an error', () => {
    const settleBoth = (first: number): Outcome => {
      const outcome: Outcome = ['error', bytes('e')]
      objects.settle(first, outcome)
      objects.settle(first + 1, outcome)
      return outcome
    }

    it('is unread until somebody asks', () => {
      const number = objects.allocate(1)
      objects.settle(number, ['error', bytes('e')])
      expect(objects.outcome(number)?.unread).to.equal(true)
      objects.await(number, waiter('w'))
      expect(objects.outcome(number)?.unread).to.equal(false)
    })

    for (const reader of [0, 1]) {
      it(`of a task with two results is read when the one of result ${reader} is`, () => {
        const first = objects.allocate(2)
        objects.await(first + reader, waiter('w'))
        expect(settleBoth(first).unread).to.equal(false)
      })
    }

    it('that nobody has to be told of stays so', () => {
      const number = objects.allocate(1)
      objects.settle(number, Object.assign(['error', bytes('e')] as Outcome, { unread: false }))
      expect(objects.outcome(number)?.unread).to.equal(false)
    })
  })
})
