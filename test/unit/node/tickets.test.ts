import { join } from 'node:path'
import { expect } from 'chai'
import { longestTimerMs } from '../../../runtime/base/clock.ts'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { MessageType } from '../../../runtime/protocol/messages.ts'
import { callBack, dial } from '../../../runtime/transport/dial.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { failure } from '../transport/support.ts'
import { type Peer, startNode, type TestNode, token, until } from './node-fixture.ts'

describe('a driver that its home asks to call back', () => {
  let node: TestNode
  beforeEach(async () => (node = await startNode()))
  afterEach(() => node.stop())

  const address = (): { unix: string } => ({ unix: join(node.runFolder, 'node.sock') })
  /** For as long as it takes. */
  const reach = (driver: Peer): Promise<Link> => {
    const from = { kind: 'worker', node: node.id, process: newProcessId() } as const
    const to = { node: node.id, process: driver.process }
    return dial({ address: address(), to, from, token, helloTimeoutMs: longestTimerMs })
  }

  it('is asked again over its next link, though the one before ends later', async () => {
    const before = await node.driver()
    const reaching = reach(before)
    const [, ticket] = await before.take(MessageType.dialBack)
    const driver = await node.driver(before.process)
    expect(await driver.take(MessageType.dialBack)).to.deep.equal([MessageType.dialBack, ticket])
    before.link.close()
    await until(() => node.manager.stats().connections === 1)
    expect(node.manager.dialBacks.size).to.equal(1)
    const from = { kind: 'driver', node: node.id, process: driver.process } as const
    const called: Link[] = []
    const incoming = { self: from, token, onLink: (link: Link) => void called.push(link) }
    await callBack({ address: address(), ticket, from, token, incoming })
    const reached = await reaching
    expect(reached.peer.process).to.equal(driver.process)
    expect(node.manager.dialBacks.size).to.equal(0)
    // Once more with the same ticket: nobody gets that.
    await callBack({ address: address(), ticket, from, token, incoming })
    reached.close()
    await until(() => called.every((link) => link.closed))
    expect(called).to.have.length(1)
  })

  it('is waited for no longer when it has no link any more', async () => {
    const driver = await node.driver()
    const reaching = failure(reach(driver))
    await driver.take(MessageType.dialBack)
    driver.link.close()
    expect((await reaching).message).to.contain('it has lost its link to its home')
    expect(node.manager.dialBacks.size).to.equal(0)
  })
})
