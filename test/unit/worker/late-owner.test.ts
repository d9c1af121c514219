import { expect } from 'chai'
import { systemClock } from '../../../runtime/base/clock.ts'
import { newProcessId } from '../../../runtime/base/ids.ts'
import { MemoryObjectStore } from '../../../runtime/objects/memory-store.ts'
import type { OwnerHost } from '../../../runtime/owner/host.ts'
import { objectRefCodec } from '../../../runtime/owner/object-ref.ts'
import { type Message, MessageType } from '../../../runtime/protocol/messages.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'
import { LateOwner } from '../../../runtime/worker/late-owner.ts'
import { eventually } from '../../tools/eventually.ts'

const [node, away] = [newProcessId(), newProcessId()]
const self = { node, process: newProcessId() }
const aborted: Message = [MessageType.abort, 1, 2, false]
const asked = (requestId: number): Message => [MessageType.objectGet, requestId, 5]

function worker(): {
  owner: LateOwner
  calls: number[]
  link: (from?: typeof node) => { link: Link; driver: Link; answers: number[]; over: (reason: Error) => void }
} {
  const calls: number[] = []
  const host = {
    ...{ self, job: self.process, clock: systemClock, refCodec: objectRefCodec, store: new MemoryObjectStore() },
    home: { mode: 'connected', sameMachine: true },
    storeHolder: [node, node],
    enterWait: () => () => {},
  } as unknown as OwnerHost
  const owner = new LateOwner(host, (_link, message) => {
    if (message[0] !== MessageType.abort) return false
    calls.push(message[0])
    return true
  })
  const link = (from = node): ReturnType<ReturnType<typeof worker>['link']> => {
    const hello = peerHello({ kind: 'driver', node: from, process: newProcessId() })
    const [theirs, ours] = memoryPair(hello, peerHello({ kind: 'worker', ...self }))
    const [driver, mine] = theirs.peer.kind === 'worker' ? [theirs, ours] : [ours, theirs]
    const answers: number[] = []
    driver.onMessage = (message) => void answers.push((message as unknown as Message)[1] as number)
    return { link: mine, driver, answers, over: owner.adopt(mine) }
  }
  return { owner, calls, link }
}

describe('LateOwner', () => {
  it('is none while nothing comes but calls', async () => {
    const { owner, calls, link } = worker()
    const { driver, link: mine } = link()
    driver.send(aborted)
    await eventually(() => calls.length === 1 || undefined)
    expect(owner.known).to.equal(undefined)
    expect(owner.links).to.deep.equal([mine])
  })

  it('is one from the first message that is no call, which it answers, and takes calls as before', async () => {
    const { owner, calls, link } = worker()
    const { driver, answers } = link()
    driver.send(asked(7))
    await eventually(() => answers.length === 1 || undefined)
    expect(answers).to.deep.equal([7])
    expect(owner.known).to.not.equal(undefined)
    driver.send(aborted)
    driver.send(asked(8))
    await eventually(() => answers.length === 2 || undefined)
    expect({ answers, calls }).to.deep.equal({ answers: [7, 8], calls: [MessageType.abort] })
  })

  it('has the links that stood before, and those that came later, without those that are over', () => {
    const { owner, link } = worker()
    const [first, second] = [link(), link()]
    first.over(new Error('gone'))
    expect(owner.links).to.deep.equal([second.link])
    expect(owner.now.peers.all()).to.deep.equal([second.link])
    const third = link()
    expect(owner.links).to.deep.equal([second.link, third.link])
    second.over(new Error('gone'))
    third.over(new Error('gone'))
    expect(owner.now.peers.all()).to.deep.equal([])
  })

  for (const when of ['before', 'after'] as const)
    it(`does not hear nodes that died ${when} it became one`, async () => {
      const { owner, calls, link } = worker()
      const [theirs, ours] = [link(away), link()]
      if (when === 'after') expect(owner.now.peers.isDead(away)).to.equal(false)
      owner.nodeDead(away, 'it is silent')
      for (const message of [aborted, asked(1)]) theirs.driver.send(message)
      ours.driver.send(asked(2))
      await eventually(() => ours.answers.length === 1 || undefined)
      expect({ answers: theirs.answers, calls }).to.deep.equal({ answers: [], calls: [] })
      expect(owner.now.peers.isDead(away)).to.equal(true)
    })
})
