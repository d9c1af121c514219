import { expect } from 'chai'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { Copies } from '../../../runtime/owner/copies.ts'
import { ObjectTable, type Outcome } from '../../../runtime/owner/object-table.ts'
import { TaskTable } from '../../../runtime/owner/task-table.ts'
import { type Holder, type Message, MessageType } from '../../../runtime/protocol/messages.ts'
import type { Link } from '../../../runtime/transport/link.ts'

const own = '00000000000000aa' as ProcessId
const other = '00000000000000bb' as ProcessId
const job = '00000000000000dd' as ProcessId
const near = '0000000000000001' as NodeId
const far = '0000000000000002' as NodeId
const third = '0000000000000003' as NodeId
const at = (node: NodeId): Holder => [node, node]
const from = { peer: { node: far, process: other } } as Link

function world() {
  const said: unknown[] = []
  const objects = new ObjectTable(new TaskTable())
  const held = new Set<number>()
  const parts = {
    host: { self: { node: near, process: own }, job },
    nodes: { send: (node: NodeId, message: Message) => said.push([node, ...message]) },
    objects,
    frees: {
      free: (number: number, holders: readonly Holder[]) =>
        said.push(['free', number, ...holders.map(([node]) => node)]),
      stray: (node: NodeId, number: number) => said.push(['stray', number, node]),
      isStray: () => true,
    },
    isHeld: (number: number) => held.has(number),
  }
  const copies = new Copies(parts)
  const made = (outcome?: Outcome): number => {
    const number = objects.allocate(1)
    held.add(number)
    if (outcome !== undefined) objects.settle(number, outcome)
    return number
  }
  const holders = (number: number): NodeId[] => {
    const outcome = objects.outcome(number)
    return outcome?.[0] === 'stored' ? outcome[2].map(([node]) => node) : []
  }
  const hear = (...message: Message): unknown[] => {
    expect(copies.received(from, message)).to.equal(true)
    return said.splice(0)
  }
  return { copies, held, made, holders, hear }
}

const stored = (...nodes: NodeId[]): Outcome => ['stored', 1_000, nodes.map(at)]

describe('an object that a task of another process needs on some node', () => {
  it('is brought there by this process, which frees that copy with the others, whatever becomes of who asked', () => {
    const { made, hear } = world()
    const number = made(stored(near))
    expect(hear(MessageType.objectBring, number, third)).to.deep.equal([
      ['stray', number, third],
      [third, MessageType.prefetch, job, `${own}:${number}`, 1_000, [at(near)]],
    ])
  })

  it('is not brought there when it is there, or nowhere, or not made yet, or freed', () => {
    const { made, held, hear } = world()
    const freed = made(stored(near))
    held.delete(freed)
    for (const number of [
      made(stored(near, third)),
      made(stored()),
      made(['inline', new Uint8Array(3)]),
      made(),
      freed,
    ])
      expect(hear(MessageType.objectBring, number, third)).to.deep.equal([])
  })
})

describe('a copy that another process has brought to its node', () => {
  it('is one of those that are told to others, and freed with them', () => {
    const { made, hear, holders } = world()
    const number = made(stored(near))
    expect(hear(MessageType.objectCopied, number)).to.deep.equal([])
    expect(holders(number)).to.deep.equal([near, far])
  })

  it('goes with the object, when that has no value at the time', () => {
    const { made, hear } = world()
    for (const number of [made(), made(['error', new Uint8Array(3)])])
      expect(hear(MessageType.objectCopied, number)).to.deep.equal([['stray', number, far]])
  })

  it('goes at once, when the object was freed meanwhile', () => {
    const { made, held, hear } = world()
    const number = made(stored(near))
    held.delete(number)
    expect(hear(MessageType.objectCopied, number)).to.deep.equal([['free', number, far]])
  })
})

describe('a copy that a process which is gone may have had brought to its node', () => {
  it('goes with the object, which is not said to be there', () => {
    const { made, hear, holders } = world()
    const number = made(stored(near))
    expect(hear(MessageType.objectCopied, number, third)).to.deep.equal([['stray', number, third]])
    expect(holders(number)).to.deep.equal([near])
  })

  it('goes at once, when the object was freed meanwhile', () => {
    const { made, held, hear } = world()
    const number = made(stored(near))
    held.delete(number)
    expect(hear(MessageType.objectCopied, number, third)).to.deep.equal([['free', number, third]])
  })
})

describe('whatever else another process says', () => {
  it('is left to others', () => {
    expect(world().copies.received(from, [MessageType.objectGet, 1, 2])).to.equal(false)
  })
})
