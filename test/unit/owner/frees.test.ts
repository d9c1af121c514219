import { expect } from 'chai'
import { NodeDiedError } from '../../../runtime/base/errors.ts'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { Frees, type FreesParts } from '../../../runtime/owner/frees.ts'
import { ObjectTable } from '../../../runtime/owner/object-table.ts'
import { TaskTable } from '../../../runtime/owner/task-table.ts'
import type { Message } from '../../../runtime/protocol/messages.ts'
import { VirtualClock } from '../../simulation/virtual-clock.ts'

const own = '00000000000000aa' as ProcessId
const near = '0000000000000001' as NodeId
const far = '0000000000000002' as NodeId

function world() {
  const clock = new VirtualClock()
  const table = new TaskTable()
  const objects = new ObjectTable(table)
  const sent: string[] = []
  const away = new Map<NodeId, Error>()
  const nodes = {
    send(node: NodeId, message: Message, failed: (reason: Error) => void): void {
      const reason = away.get(node)
      if (reason !== undefined) return failed(reason)
      const numbers = (message[1] as string[]).map((key) => Number.parseInt(key.split(':')[1] as string, 16))
      sent.push(`${Number(node)}: ${numbers.join(' ')}`)
    },
  }
  const deleted: string[] = []
  const store = { delete: async (key: string): Promise<void> => void deleted.push(key) }
  const host = { self: { node: near, process: own }, storeHolder: [near, near], clock, store }
  const frees = new Frees({ host, nodes, objects, table } as unknown as FreesParts)
  const stored = (...holders: NodeId[]): number => {
    const number = objects.allocate(1)
    const at = holders.map((node) => [node, node] as const)
    objects.settle(number, ['stored', 200_000, at])
    return number
  }
  const take = (): string[] => sent.splice(0)
  return { clock, table, objects, frees, away, deleted, stored, take }
}

describe('what nodes are told of objects that are gone', () => {
  it('is told to every holder, and done at once where this process holds it itself', () => {
    const { frees, deleted, take } = world()
    frees.free(7, [
      [near, near],
      [far, far],
      [near, own],
    ])
    expect(take()).to.deep.equal(['1: 7', '2: 7'])
    expect(deleted).to.deep.equal([`${own}:7`])
  })

  it('is told again when the link breaks that may have lost it, and no more once the node is dead', () => {
    const { frees, take } = world()
    for (const number of [7, 8]) frees.tell(far, number)
    frees.tell(near, 9)
    take()
    frees.linkGone(far)
    expect(take()).to.deep.equal(['2: 7 8'])
    frees.nodeDead(far)
    frees.linkGone(far)
    expect(take()).to.deep.equal([])
  })

  it('is not told again of what was made again there meanwhile', () => {
    const { frees, stored, take } = world()
    const [here, there] = [stored(near), stored(far)]
    frees.tell(far, here)
    frees.tell(far, there)
    take()
    frees.linkGone(far)
    expect(take()).to.deep.equal([`2: ${here}`])
  })

  it('waits for a node that cannot be reached, until it is dead', () => {
    const { frees, away, clock, take } = world()
    away.set(far, new Error('cut off'))
    frees.tell(far, 7)
    frees.tell(far, 8)
    expect(frees.size).to.equal(1)
    clock.step()
    expect(take()).to.deep.equal([])
    away.delete(far)
    clock.step()
    expect(take()).to.deep.equal(['2: 7 8'])
    expect(frees.size).to.equal(0)
    away.set(far, new NodeDiedError('it is dead'))
    frees.tell(far, 9)
    expect([clock.step(), frees.size]).to.deep.equal([false, 0])
  })

  it('reaches copies nobody told of when the object goes: of an attempt that was lost, and of a read that failed', () => {
    const { frees, table, stored, take } = world()
    const number = stored(near)
    frees.leftBehind(number, 1, far)
    frees.mayComeHere([own, number, near])
    frees.mayComeHere(['00000000000000bb' as ProcessId, 1, far])
    expect(take()).to.deep.equal([])
    frees.dropped(number)
    expect(take()).to.have.members([`1: ${number}`, `2: ${number}`])
    expect(frees.size).to.equal(0)
    table.release(number)
    frees.leftBehind(number, 1, far)
    expect(take()).to.deep.equal([`2: ${number}`])
    expect(frees.size).to.equal(0)
  })

  it('reaches every result of an attempt that was lost, also those whose refs went before others', () => {
    const { frees, table, objects, take } = world()
    const task = objects.allocate(3)
    for (const number of [task, task + 1, task + 2]) objects.settle(number, ['stored', 200_000, [[near, near]]])
    // The next task is none of its results.
    const next = objects.allocate(1)
    const release = (number: number): void => {
      frees.dropped(number)
      table.release(number)
    }
    release(task + 1)
    frees.leftBehind(task, 3, far)
    expect(take()).to.deep.equal([`2: ${task + 1}`])
    for (const number of [next, task, task + 2]) release(number)
    expect(take()).to.deep.equal([`2: ${task}`, `2: ${task + 2}`])
    // All of them were let go of before its worker ended.
    frees.leftBehind(task, 3, far)
    expect(take()).to.deep.equal([0, 1, 2].map((i) => `2: ${task + i}`))
    expect(frees.size).to.equal(0)
  })

  it('remembers no more than a link may lose', () => {
    const { frees, take } = world()
    for (let number = 1; number <= 50_000; number++) frees.tell(far, number)
    take()
    frees.linkGone(far)
    const [again = ''] = take()
    expect(again.split(' ')).to.have.length.below(10_000)
    expect(again).to.match(/ 50000$/)
  })
})
