import { expect } from 'chai'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { LatePins } from '../../../runtime/owner/late-pins.ts'
import { LeaseRecord } from '../../../runtime/owner/lease-record.ts'
import { leftBehind, type LeftParts } from '../../../runtime/owner/left-behind.ts'
import type { Grant } from '../../../runtime/owner/submit-types.ts'
import { type Message, MessageType, type RefTuple } from '../../../runtime/protocol/messages.ts'

const own = '00000000000000aa' as ProcessId
const other = '00000000000000bb' as ProcessId
const near = '0000000000000001' as NodeId
const far = '0000000000000002' as NodeId

describe('runtime/owner/left-behind', () => {
  it('knows of the results of every task that was there, and of what they could read, settled or not', async () => {
    const said: string[] = []
    const lease = new LeaseRecord(3, 0, {} as Grant)
    for (const [number, results] of [
      [10, 1],
      [20, 2],
      [30, 1],
    ] as const)
      lease.add(number, 0, 0, results)
    lease.remove(2, 0)
    const latePins = new LatePins(() => {})
    const refs = (...numbers: number[]): RefTuple[] => numbers.map((number) => [own, number, near])
    // Task 10 was cancelled, and ran on; the last one was answered; another lease goes on.
    latePins.keep(3, 0, [...refs(1), [other, 2, far]])
    latePins.keep(4, 0, refs(5))
    const parts = {
      host: { self: { process: own, node: near } },
      peers: {
        reach: () =>
          Promise.resolve({
            send: ([type, number, node]: Message) =>
              said.push(
                `${type === MessageType.objectCopied ? 'tells of' : type} ${number as number} at ${Number(node)}`,
              ),
          }),
      },
      frees: {
        leftBehind: (task: number, results: number, node: NodeId) =>
          said.push(`${results} of ${task} at ${Number(node)}`),
        stray: (node: NodeId, number: number) => said.push(`${number} at ${Number(node)}`),
      },
      latePins,
      pins: new Map([
        [20, refs(3, 4)],
        [30, refs(6)],
      ]),
    }
    leftBehind(parts as unknown as LeftParts, lease, far)
    await new Promise((resolve) => setImmediate(resolve))
    expect(said).to.deep.equal([
      ...['1 of 10 at 2', '2 of 20 at 2'],
      ...['1 at 2', '3 at 2', '4 at 2', 'tells of 2 at 2'],
    ])
  })
})
