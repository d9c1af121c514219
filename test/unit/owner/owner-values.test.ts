import { expect } from 'chai'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { ObjectTable } from '../../../runtime/owner/object-table.ts'
import { OwnerValues, type ValueParts } from '../../../runtime/owner/owner-values.ts'
import { TaskTable } from '../../../runtime/owner/task-table.ts'
import { watchNear } from '../../../runtime/owner/watch-near.ts'
import { type Message, MessageType, type RefTuple } from '../../../runtime/protocol/messages.ts'
import type { Link } from '../../../runtime/transport/link.ts'

const own = '00000000000000aa' as ProcessId
const other = '00000000000000bb' as ProcessId
const near = '0000000000000001' as NodeId
const far = '0000000000000002' as NodeId
const third = '0000000000000003' as NodeId

/** The values of a process, with what it says of copies to whom it borrows from. */
function world() {
  const table = new TaskTable()
  const objects = new ObjectTable(table)
  const done: string[] = []
  const host = {
    self: { process: own, node: near },
    home: { sameMachine: true },
    enterWait: () => () => {},
    store: { contains: () => Promise.resolve(false) },
    pull: (key: string) => Promise.resolve(void done.push(`pulls ${key}`)),
  }
  const access = {
    ask: (_ref: RefTuple, then: (outcome: unknown) => void) => {
      then(['stored', 1_000, [[far, far]]])
      return () => {}
    },
    tellCopy: ([owner, number]: RefTuple) => done.push(`tells ${owner} of a copy of ${number}`),
  }
  const values = new OwnerValues({ host, table, objects, access, nodes: {}, replication: {} } as unknown as ValueParts)
  const borrowing = { state: { isHeld: () => true, retain: () => {}, release: () => {} }, released: () => {} }
  values.serve(borrowing as never, {} as never)
  return { values, objects, host, done }
}

describe('who asks for an object of another process', () => {
  it('is not taken for somebody who has a copy of it: it may want to know only where that lies', () => {
    const { values, objects } = world()
    const number = objects.allocate(1)
    objects.settle(number, ['stored', 1_000, [[near, near]]])
    const told: unknown[] = []
    const asker = (node: NodeId): Link =>
      ({ peer: { node, process: other }, send: (message: Message) => told.push(message[2]) }) as unknown as Link
    for (const node of [far, third, far]) values.asked(asker(node), [MessageType.objectGet, 1, number])
    const at = ([, , holders]: ['stored', number, [NodeId][]]): NodeId[] => holders.map(([node]) => node)
    expect(told.map((outcome) => at(outcome as ['stored', number, [NodeId][]]))).to.deep.equal([[near], [near], [near]])
  })

  it('says so before it has a copy brought here without reading it', async () => {
    const { values, host, done } = world()
    await new Promise<void>((resolve) => watchNear({ host, values } as never, [other, 7, far], resolve))
    expect(done).to.deep.equal([`tells ${other} of a copy of 7`, `pulls ${other}:7`])
  })
})
