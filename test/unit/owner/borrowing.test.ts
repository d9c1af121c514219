import { expect } from 'chai'
import type { NodeId, ProcessId } from '../../../runtime/base/ids.ts'
import { Borrowing } from '../../../runtime/owner/borrowing.ts'
import type { Peers } from '../../../runtime/owner/peers.ts'
import { MapCountStore } from '../../../runtime/owner/reference-types.ts'
import { type Message, MessageType } from '../../../runtime/protocol/messages.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { VirtualClock } from '../../simulation/virtual-clock.ts'

const self = { process: '00000000000000aa' as ProcessId, node: '0000000000000001' as NodeId }
const near = { process: '00000000000000bb' as ProcessId, node: '0000000000000001' as NodeId }
const far = { process: '00000000000000cc' as ProcessId, node: '0000000000000002' as NodeId }

describe('runtime/owner/borrowing', () => {
  it('tells which objects a process could read that is gone, before any of them is freed', () => {
    const said: string[] = []
    const link = (peer: typeof self): Link => ({ peer, send: () => {} }) as unknown as Link
    const peers = { get: () => link(self), sessions: { isCurrent: () => true, endedSessions: () => 0 } }
    const events = {
      free: (number: number) => said.push(`free ${number}`),
      readerGone: (number: number, node: NodeId) => said.push(`${number} at ${Number(node)}`),
      ownerDied: () => {},
    }
    const borrowing = new Borrowing(self, peers as unknown as Peers, new MapCountStore(), events, new VirtualClock())
    const borrows = ({ process, node }: typeof self, numbers: number[]): void => {
      const message: Message = [MessageType.refAdd, 1, numbers, process, node, 0]
      borrowing.received(link({ process, node }), message)
    }
    for (const number of [1, 2, 3]) borrowing.state.retainOwned(number)
    borrows(near, [1, 2])
    borrows(far, [2, 3])
    for (const number of [1, 2, 3]) borrowing.state.releaseOwned(number)
    borrowing.gone(far.process)
    expect(said.splice(0)).to.deep.equal(['2 at 2', '3 at 2', 'free 3'])
    borrowing.gone(far.process)
    borrowing.gone(near.process)
    expect(said).to.deep.equal(['1 at 1', '2 at 1', 'free 1', 'free 2'])
  })
})
