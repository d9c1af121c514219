import { expect } from 'chai'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { generatorItems } from '../../../runtime/base/limits.ts'
import { type GeneratorParts, type GeneratorPlace, Generators } from '../../../runtime/owner/generators.ts'
import { ObjectTable } from '../../../runtime/owner/object-table.ts'
import { TaskTable } from '../../../runtime/owner/task-table.ts'
import { type Message, MessageType, type RefTuple } from '../../../runtime/protocol/messages.ts'
import type { Link } from '../../../runtime/transport/link.ts'

const own = '00000000000000aa' as ProcessId
const home = '0000000000000001' as NodeId

/** A generator that was submitted, at an owner whose other parts write down what they are asked. */
function world({ runsOn = false } = {}) {
  const table = new TaskTable()
  const objects = new ObjectTable(table)
  /** Items and the nodes on which they may lie; of those, which were let go of. */
  const strays = new Map<number, NodeId>()
  const released: string[] = []
  const late: RefTuple[] = []
  const release = (_owner: ProcessId, number: number): void => {
    released.push(`${number} at ${Number(strays.get(number))}`)
    table.release(number)
  }
  const values = {
    frees: { stray: (node: NodeId, number: number) => strays.set(number, node), tell: () => {} },
    isHeld: () => true,
    release,
  }
  const parts = {
    ...{ host: { self: { process: own, node: home } }, table, objects, values },
    references: () => ({ retainOwned: () => {} }),
    lost: () => ({ recovery: { wantsItem: () => false } }),
    standing: () => -1,
    cancel: () => {},
    paused: () => {},
    keepLate: (_number: number, refs: readonly RefTuple[]) => runsOn && late.push(...refs) > 0,
  }
  const generators = new Generators(parts as unknown as GeneratorParts)
  const task = objects.allocate(1)
  generators.open(task, false)
  const allowed: number[] = []
  const push = (attempt: number, node: string): void => {
    const send = (message: Message): void => {
      if (message[0] !== MessageType.generatorAllow) return
      const [, , , , number, count] = message
      for (let i = 0; i < count; i++) allowed.push(number + i)
    }
    const link = { peer: { node: node.padStart(16, '0') }, send } as unknown as Link
    const place: GeneratorPlace = { link, epoch: 1, sequence: 0 }
    generators.pushed(task, attempt, place)
  }
  const take = (): string[] => released.splice(0)
  return { table, generators, task, late, push, take, allowed: () => allowed.splice(0) }
}

describe('items of a generator that have not arrived', () => {
  it('go from the node of the attempt before, when the next one begins on another', () => {
    const { push, take, allowed } = world()
    push(0, '2')
    const first = allowed()
    expect(first).to.have.length(generatorItems)
    push(1, '3')
    expect(take()).to.deep.equal(first.map((number) => `${number} at 2`))
    const second = allowed()
    expect(
      second.some((number) => first.includes(number)),
      'the same numbers again',
    ).to.equal(false)
    push(2, '4')
    expect(take()).to.deep.equal(second.map((number) => `${number} at 3`))
  })

  it('go at once when it settles without a worker', () => {
    const { generators, task, push, take, allowed } = world()
    push(0, '2')
    generators.settled(task, false)
    expect(take()).to.deep.equal(allowed().map((number) => `${number} at 2`))
  })

  it('are kept until its worker is done with it, where that runs on after it was cancelled', () => {
    const { generators, table, task, late, push, take, allowed } = world({ runsOn: true })
    push(0, '2')
    generators.settled(task, false)
    expect(take()).to.deep.equal([])
    const numbers = allowed()
    expect(late).to.deep.equal(numbers.map((number) => [own, number, home]))
    expect(numbers.every((number) => table.has(number))).to.equal(true)
  })

  it('are nowhere, when its worker says that it is done', () => {
    const { generators, table, task, late, push, take, allowed } = world({ runsOn: true })
    push(0, '2')
    generators.settled(task, true)
    expect([take(), late]).to.deep.equal([[], []])
    expect(allowed().some((number) => table.has(number))).to.equal(false)
  })
})
