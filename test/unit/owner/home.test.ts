import { expect } from 'chai'
import { RequestTimeoutError } from '../../../runtime/base/errors.ts'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { openHome, type Home } from '../../../runtime/owner/home.ts'
import { MessageType, type Message } from '../../../runtime/protocol/messages.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'

/** The home of a driver whose node manager answers what begins a job, and keeps what it is told. */
async function openFixture(): Promise<{ home: Home; node: Link; told: Message[] }> {
  const ids = { node: newProcessId(), process: newProcessId() }
  const [ours, node] = memoryPair(
    peerHello({ kind: 'node', node: ids.node, process: ids.node, info: {} }),
    peerHello({ kind: 'driver', ...ids, info: {} }),
  )
  const told: Message[] = []
  node.onMessage = (message) => {
    told.push(message as unknown as Message)
    if (message[0] === MessageType.jobStart) node.send([MessageType.jobStarted, message[1]])
  }
  const home = await openHome({
    ...{ kind: 'driver', ...ids, token: 'a token', address: { unix: '/nowhere' }, reconnectMs: 0 },
    connect: () => Promise.resolve(ours),
    onMessage: () => {},
    onLink: () => {},
  })
  return { home, node, told }
}

const closed = (link: Link): Promise<unknown> => new Promise((resolve) => (link.onClose = resolve))

describe('runtime/owner/home', () => {
  it('ends its job in order when it leaves, once', async () => {
    const { home, node, told } = await openFixture()
    await home.startJob({ pid: 1 })
    home.endJob('it left')
    home.endJob('it left')
    home.close()
    await closed(node)
    expect(told.map(([type]) => type)).to.deep.equal([MessageType.jobStart, MessageType.jobEnd])
    expect(told[1]).to.deep.equal([MessageType.jobEnd, home.self.process, 'it left'])
  })

  it('begins its job over the next link, when the first one breaks before that was answered', async () => {
    const ids = { node: newProcessId(), process: newProcessId() }
    const heard: string[] = []
    let links = 0
    const connect = (): Promise<Link> => {
      const [ours, node] = memoryPair(
        peerHello({ kind: 'node', node: ids.node, process: ids.node, info: {} }),
        peerHello({ kind: 'driver', ...ids, info: {} }),
      )
      const isFirst = links++ === 0
      node.onMessage = (message) => {
        if (message[0] !== MessageType.jobStart) return
        heard.push(isFirst ? 'first' : 'next')
        if (isFirst) node.close()
        else node.send([MessageType.jobStarted, message[1]])
      }
      return Promise.resolve(ours)
    }
    const home = await openHome({
      ...{ kind: 'driver', ...ids, token: 'a token', address: { unix: '/nowhere' }, reconnectMs: 10_000, connect },
      onMessage: () => {},
      onLink: () => {},
    })
    await home.startJob({ pid: 1 })
    expect([heard, home.mode]).to.deep.equal([['first', 'next'], 'connected'])
    home.close()
  })

  it('says what was asked and why nobody answered, when the head was away for too long', async () => {
    const { home, node } = await openFixture()
    node.onMessage = (message) => node.send([MessageType.headAway, message[1], 'the head was away'])
    const failures = [home.startJob({}), home.table('kv', ['list', 'a/'])].map((asked) =>
      asked.catch((error: unknown) => error),
    )
    for (const [asked, what] of [
      [failures[0], 'the start of the job, of which the head must know,'],
      [failures[1], 'list in the table kv of the head'],
    ] as const)
      expect(await asked)
        .to.be.instanceOf(RequestTimeoutError)
        .with.property('message', `${what} was not answered: the head was away`)
    home.close()
  })

  it('ends no job that it has not begun', async () => {
    const { home, node, told } = await openFixture()
    home.endJob('it left')
    home.close()
    await closed(node)
    expect(told).to.deep.equal([])
  })
})
