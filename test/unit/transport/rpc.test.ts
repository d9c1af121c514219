import { expect } from 'chai'
import { ConnectionLostError, ProtocolError, RequestTimeoutError } from '../../../runtime/base/errors.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'
import { Requests } from '../../../runtime/transport/rpc.ts'
import { Ear, failure, hello } from './support.ts'
import { ManualClock } from '../manual-clock.ts'

describe('Requests', () => {
  let clock: ManualClock
  let requests: Requests
  let near: Link
  let far: Link
  beforeEach(() => {
    clock = new ManualClock()
    requests = new Requests(clock)
    ;[near, far] = memoryPair(peerHello(hello('driver')), peerHello(hello('node')))
  })
  afterEach(() => {
    near.close()
    expect([requests.size, clock.pending]).to.deep.equal([0, 0])
  })

  it('settle each with its own answer, in whatever order the answers come', async () => {
    const ear = new Ear(far)
    near.onMessage = ([, id, ...fields]) => void requests.settle(id as number, fields)
    const answers = Promise.all(
      ['a', 'b', 'c'].map((text) => requests.request(near, (id) => [10, id, text], { timeoutMs: 1000 })),
    )
    const asked = [...(await ear.messages.has(3))]
    for (const [, id, text] of asked.reverse()) far.send([11, id, `answer to ${String(text)}`])
    expect(await answers).to.deep.equal([['answer to a'], ['answer to b'], ['answer to c']])
  })

  it('fail with the error of the answer', async () => {
    let asked = 0
    const answer = requests.request(near, (id) => [10, (asked = id)], { timeoutMs: 1000 })
    const error = new Error('no')
    expect(requests.fail(asked, error)).to.equal(true)
    expect(await failure(answer)).to.equal(error)
  })

  it('time out, naming what was asked and of whom, and ignore a late answer', async () => {
    let asked = 0
    const build = (id: number): [number, number] => [10, (asked = id)]
    const answer = requests.request(near, build, { timeoutMs: 500, what: 'a lease for {CPU: 1}' })
    clock.advance(499)
    expect(requests.size).to.equal(1)
    clock.advance(1)
    const error = await failure(answer)
    expect(error).to.be.instanceOf(RequestTimeoutError)
    expect(error.message).to.equal(`a lease for {CPU: 1} was not answered by node ${near.peer.process} within 500 ms`)
    expect(requests.settle(asked, [])).to.equal(false)
  })

  it('wait for ever, when they are told to', async () => {
    let asked = 0
    const answer = requests.request(near, (id) => [10, (asked = id)], { timeoutMs: Infinity })
    expect(clock.pending).to.equal(0)
    requests.settle(asked, ['at last'])
    expect(await answer).to.deep.equal(['at last'])
  })

  it('fail with ConnectionLostError, when their link closes, and leave those of others', async () => {
    const [other] = memoryPair(peerHello(hello()), peerHello(hello()))
    near.onClose = (reason) => requests.closeAll(near, reason)
    const lost = failure(requests.request(near, (id) => [10, id], { timeoutMs: 1000, what: 'the time' }))
    let kept = 0
    const going = requests.request(other, (id) => [10, (kept = id)], { timeoutMs: 1000 })
    far.close()
    const error = await lost
    expect(error).to.be.instanceOf(ConnectionLostError)
    expect(error.message).to.match(
      /^the time was not answered: the link to node \S+ is lost: the other side closed it$/,
    )
    requests.settle(kept, [])
    await going
    other.close()
  })

  it('fail at once on a closed link', async () => {
    near.close()
    const error = await failure(requests.request(near, (id) => [10, id], { timeoutMs: 1000 }))
    expect(error).to.be.instanceOf(ConnectionLostError)
  })

  it('fail at once, when the message cannot be sent', async () => {
    const refusing = {
      ...near,
      closed: false,
      peer: near.peer,
      send: () => {
        throw new ProtocolError('too large')
      },
    } as unknown as Link
    const error = await failure(requests.request(refusing, (id) => [10, id], { timeoutMs: 1000 }))
    expect(error).to.be.instanceOf(ProtocolError)
  })
})
