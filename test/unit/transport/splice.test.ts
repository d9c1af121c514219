import { expect } from 'chai'
import { longestTimerMs } from '../../../runtime/base/clock.ts'
import { AuthenticationError, ConnectionLostError } from '../../../runtime/base/errors.ts'
import type { ProcessAddress } from '../../../runtime/base/ids.ts'
import { Abandon } from '../../../runtime/transport/abandon.ts'
import { DialBackTable } from '../../../runtime/transport/dial-back.ts'
import { callBack, dial, openBulk } from '../../../runtime/transport/dial.ts'
import type { Address } from '../../../runtime/transport/dial.ts'
import type { LocalHello } from '../../../runtime/transport/hello.ts'
import { Incoming } from '../../../runtime/transport/incoming.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import type { SpliceTarget } from '../../../runtime/transport/splice.ts'
import { eventually } from '../../tools/eventually.ts'
import { Bench, Ear, failure, hello, token } from './support.ts'
import type { Site } from './support.ts'

const from = hello('driver')

/** A node manager with a unix socket and a port, which knows the way to what `ways` says. */
async function makeNode(bench: Bench, ways: Map<string, () => SpliceTarget | Promise<SpliceTarget>>) {
  const self = hello('node')
  const dialBack = new DialBackTable()
  const resolveTarget = (to: ProcessAddress): SpliceTarget | Promise<SpliceTarget> =>
    ways.get(to.process)?.() ?? { kind: 'refuse', code: 'gone', reason: `worker ${to.process} has ended` }
  const unix = await bench.unix({ resolveTarget, dialBack }, self)
  const port = await bench.port({ resolveTarget, dialBack }, self)
  const addresses: Record<'unix' | 'url', Address> = {
    unix: { unix: unix.listener.path },
    url: { url: port.listener.url },
  }
  return { self, dialBack, unix, port, addresses }
}

type Node = Awaited<ReturnType<typeof makeNode>>

function addressOf(self: LocalHello): ProcessAddress {
  return { node: self.node, process: self.process }
}

/** Messages and bytes both ways, back-pressure included, then an end that arrives. */
async function exchange(near: Link, far: Link): Promise<void> {
  const nearEar = new Ear(near)
  const farEar = new Ear(far)
  const bytes = new Uint8Array(100_000).fill(7)
  for (let i = 0; i < 200; i++) {
    near.send([1, i, bytes])
    await near.drained()
  }
  far.send([2, 'answer'])
  const got = await farEar.messages.has(200)
  expect(got.map((message) => message[1])).to.deep.equal([...Array(200).keys()])
  expect(Buffer.compare(got[199]?.[2] as Uint8Array, bytes)).to.equal(0)
  expect(await nearEar.messages.take()).to.deep.equal([2, 'answer'])
  near.send([3, 'last'])
  near.close()
  await farEar.closed.take()
  expect(farEar.messages.items.at(-1)).to.deep.equal([3, 'last'])
}

for (const entry of ['unix', 'url'] as const)
  describe(`a connection through a node manager (${entry})`, () => {
    let bench: Bench
    let ways: Map<string, () => SpliceTarget | Promise<SpliceTarget>>
    let node: Node
    let worker: Site & { listener: { path: string } }
    let to: ProcessAddress
    beforeEach(async () => {
      bench = new Bench()
      ways = new Map()
      node = await makeNode(bench, ways)
      worker = await bench.unix()
      to = addressOf(worker.self)
      ways.set(to.process, () => ({ kind: 'unix', path: worker.listener.path }))
    })
    afterEach(() => bench.close())

    it('reaches the socket of a process, end to end', async () => {
      const near = bench.keep(await dial({ address: node.addresses[entry], to, from, token }))
      expect(near.peer.process).to.equal(to.process)
      const far = await worker.links.take()
      expect(far.peer.process).to.equal(from.process)
      expect(far.kind).to.equal(entry === 'unix' ? 'unix' : 'websocket')
      await exchange(near, far)
      expect(node.unix.links.items.concat(node.port.links.items)).to.deep.equal([])
    })

    it('carries a bulk channel', async () => {
      const near = await openBulk({ address: node.addresses[entry], to, from, token })
      const far = await worker.bulks.take()
      let received = 0
      const over = new Promise<Error | null>((resolve) => (far.onClose = resolve))
      far.onChunk = (chunk) => void (received += chunk.length)
      const chunk = Buffer.alloc(1 << 20)
      for (let i = 0; i < 16; i++) await near.send(chunk)
      near.close()
      expect(await over).to.equal(null)
      expect(received).to.equal(16 << 20)
    })

    it('breaks on one side when the other breaks', async () => {
      const nearEar = new Ear(await dial({ address: node.addresses[entry], to, from, token }))
      const far = await worker.links.take()
      far.close(new Error('killed'))
      await nearEar.closed.take()
    })

    it('ends when the node manager stops', async () => {
      const nearEar = new Ear(await dial({ address: node.addresses[entry], to, from, token }))
      const farEar = new Ear(await worker.links.take())
      await node.unix.listener.close()
      await node.port.listener.close()
      await nearEar.closed.take()
      await farEar.closed.take()
    })

    it('is refused with the reason, when the process has ended', async () => {
      const error = await failure(dial({ address: node.addresses[entry], to: hello(), from, token }))
      expect(error).to.be.instanceOf(ConnectionLostError)
      expect(error.message).to.include('has ended')
    })

    it('is refused with the reason, when its socket is gone', async () => {
      ways.set(to.process, () => ({ kind: 'unix', path: `${bench.folder}/gone.sock` }))
      const error = await failure(dial({ address: node.addresses[entry], to, from, token }))
      expect(error).to.be.instanceOf(ConnectionLostError)
      expect(error.message).to.include('cannot be reached')
    })

    it('is judged by the process itself, not by the node manager alone', async () => {
      const strict = await bench.unix({ token: 'another token' })
      ways.set(strict.self.process, () => ({ kind: 'unix', path: strict.listener.path }))
      const strictTo = addressOf(strict.self)
      const error = await failure(dial({ address: node.addresses[entry], to: strictTo, from, token }))
      expect(error).to.be.instanceOf(AuthenticationError)
      expect((await strict.refusals.take()).code).to.equal('authentication')
    })

    it('reaches a process of another node through that one', async () => {
      const home = await makeNode(
        bench,
        new Map([[to.process, () => ({ kind: 'relay' as const, url: node.port.listener.url })]]),
      )
      const near = bench.keep(await dial({ address: home.addresses[entry], to, from, token }))
      expect(near.peer.process).to.equal(to.process)
      await exchange(near, await worker.links.take())
    })

    it('is refused, when two nodes send it to each other', async () => {
      const lost = hello()
      const relayTo = (url: () => string) => () => ({ kind: 'relay' as const, url: url() })
      const a: Node = await makeNode(bench, new Map([[lost.process, relayTo(() => b.port.listener.url)]]))
      const b: Node = await makeNode(bench, new Map([[lost.process, relayTo(() => a.port.listener.url)]]))
      const error = await failure(dial({ address: a.addresses[entry], to: addressOf(lost), from, token }))
      expect(error.message).to.include('too often')
    })

    for (const back of ['unix', 'url'] as const)
      it(`reaches a driver that opens no port and calls back (${back})`, async () => {
        const driver = bench.site(hello('driver'))
        const incoming = new Incoming(driver.options)
        bench.later(() => incoming.close())
        ways.set(driver.self.process, async () => {
          const { ticket, socket } = node.dialBack.issue('driver')
          await callBack({ address: node.addresses[back], ticket, from: driver.self, token, incoming })
          return { kind: 'socket', socket: await socket }
        })
        const near = bench.keep(
          await dial({ address: node.addresses[entry], to: addressOf(driver.self), from: hello(), token }),
        )
        expect(near.peer.process).to.equal(driver.self.process)
        await exchange(near, await driver.links.take())
        expect(node.dialBack.size).to.equal(0)
      })

    it('waits for a driver that computes, as long as somebody waits for it', async () => {
      const driver = bench.site(hello('driver'))
      const incoming = new Incoming(driver.options)
      bench.later(() => incoming.close())
      const tickets: string[] = []
      ways.set(driver.self.process, () => {
        const { ticket, socket } = node.dialBack.issue('driver')
        tickets.push(ticket)
        return Promise.resolve({ kind: 'socket', socket, cancel: (why) => node.dialBack.cancel(ticket, why) })
      })
      const abandon = new Abandon()
      const call = { address: node.addresses[entry], to: addressOf(driver.self), token, helloTimeoutMs: longestTimerMs }
      const [given, kept] = [dial({ ...call, from: hello(), abandon }), dial({ ...call, from: hello() })]
      await eventually(() => tickets.length === 2 || undefined)
      abandon.now(new Error('no longer wanted'))
      expect((await failure(given)).message).to.equal('no longer wanted')
      await eventually(() => node.dialBack.size === 1 || undefined)
      for (const ticket of tickets)
        await callBack({ address: node.addresses.unix, ticket, from: driver.self, token, incoming }).catch(() => {})
      await exchange(bench.keep(await kept), await driver.links.take())
      expect(node.dialBack.size).to.equal(0)
    })
  })
