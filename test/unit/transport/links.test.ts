import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ConnectionLostError, ProtocolError } from '../../../runtime/base/errors.ts'
import { frameMessages, linkHighWaterBytes } from '../../../runtime/base/limits.ts'
import { protocolVersion } from '../../../runtime/protocol/version.ts'
import { dial } from '../../../runtime/transport/dial.ts'
import { StreamLink } from '../../../runtime/transport/framed-link.ts'
import { peerHello } from '../../../runtime/transport/hello.ts'
import type { Link } from '../../../runtime/transport/link.ts'
import { memoryPair } from '../../../runtime/transport/memory.ts'
import { Bench, Ear, hello, token } from './support.ts'

interface Pair {
  /** The dialler, and the one that was dialled. */
  readonly near: Link
  readonly far: Link
}

async function connect(bench: Bench, kind: Link['kind']): Promise<Pair> {
  const from = hello('driver')
  if (kind === 'memory') {
    const [near, far] = memoryPair(peerHello(from), peerHello(hello()))
    return { near: bench.keep(near), far: bench.keep(far) }
  }
  const site = kind === 'unix' ? await bench.unix() : await bench.port()
  const address = 'path' in site.listener ? { unix: site.listener.path } : { url: site.listener.url }
  const near = bench.keep(await dial({ address, to: 'any', from, token }))
  return { near, far: await site.links.take() }
}

for (const kind of ['memory', 'unix', 'websocket'] as const)
  describe(`a ${kind} link`, () => {
    let bench: Bench
    let near: Link
    let far: Link
    beforeEach(async () => {
      bench = new Bench()
      const pair = await connect(bench, kind)
      near = pair.near
      far = pair.far
    })
    afterEach(() => bench.close())

    it('knows of both sides what they said of themselves', () => {
      expect(near.kind).to.equal(kind)
      expect(far.peer).to.include({ kind: 'driver', protocol: protocolVersion })
      expect(near.peer.info).to.deep.equal({ test: true })
      expect(near.peer.nodeMajor).to.equal(Number.parseInt(process.versions.node, 10))
    })

    it('carries messages both ways, in order, with their bytes', async () => {
      const farEar = new Ear(far)
      const nearEar = new Ear(near)
      for (let i = 0; i < 1000; i++) near.send([3, i, new Uint8Array(i).fill(i), ['x', null]])
      far.send([4, 'back'])
      const got = await farEar.messages.has(1000)
      got.forEach((message, i) => expect(message).to.deep.equal([3, i, new Uint8Array(i).fill(i), ['x', null]]))
      expect(await nearEar.messages.take()).to.deep.equal([4, 'back'])
    })

    it('keeps what came before onMessage was set, ahead of what comes after', async () => {
      for (let i = 0; i < 10; i++) near.send([1, i])
      near.flush()
      await new Promise((resolve) => setTimeout(resolve, 30))
      const ear = new Ear(far)
      near.send([1, 10])
      expect((await ear.messages.has(11)).map((message) => message[1])).to.deep.equal([...Array(11).keys()])
    })

    it('delivers everything that was kept, however much, when nobody listened for long', async () => {
      const count = 50_000
      for (let i = 0; i < count; i++) near.send([1, i])
      await new Promise((resolve) => setTimeout(resolve, 50))
      const ear = new Ear(far)
      const got = await ear.messages.has(count)
      expect(got.every((message, i) => message[1] === i)).to.equal(true)
    })

    it('never delivers inside send', async () => {
      const ear = new Ear(far)
      near.send([1])
      near.flush()
      expect(ear.messages.items).to.deep.equal([])
      await ear.messages.take()
    })

    it('delivers a large message', async () => {
      const ear = new Ear(far)
      const bytes = new Uint8Array(10 << 20).fill(5)
      near.send([9, bytes])
      const [, got] = (await ear.messages.take()) as unknown as [number, Uint8Array]
      expect(Buffer.compare(got, bytes)).to.equal(0)
    })

    it('delivers what was sent before an end in order, then tells both sides once', async () => {
      const farEar = new Ear(far)
      const nearEar = new Ear(near)
      for (let i = 0; i < 300; i++) near.send([1, i, new Uint8Array(2000)])
      near.close()
      near.close()
      expect(near.closed).to.equal(true)
      near.send([2])
      await farEar.closed.has(1)
      expect(farEar.messages.items).to.have.length(300)
      expect(await nearEar.closed.take()).to.be.instanceOf(ConnectionLostError)
      expect(farEar.closed.items[0]).to.be.instanceOf(ConnectionLostError)
      await new Promise((resolve) => setTimeout(resolve, 20))
      expect([nearEar.closed.items.length, farEar.closed.items.length]).to.deep.equal([0, 1])
    })

    it('delivers the last messages of a peer that closed before anybody listened, and then the end', async () => {
      for (let i = 0; i < 5; i++) near.send([1, i])
      near.close()
      await new Promise((resolve) => setTimeout(resolve, 50))
      const order: unknown[] = []
      const over = new Promise<void>((resolve) => {
        far.onClose = () => {
          order.push('end')
          resolve()
        }
      })
      far.onMessage = (message) => void order.push(message[1])
      await over
      expect(order).to.deep.equal([0, 1, 2, 3, 4, 'end'])
    })

    it('gives the reason of a close to its own side', async () => {
      const ear = new Ear(near)
      const reason = new Error('enough')
      near.close(reason)
      expect(await ear.closed.take()).to.equal(reason)
    })

    it('closes with the cause, when a handler throws', async () => {
      const ear = new Ear(far)
      const nearEar = new Ear(near)
      const bug = new Error('a bug')
      let calls = 0
      far.onMessage = () => {
        calls++
        throw bug
      }
      near.send([77])
      near.send([78])
      const reason = await ear.closed.take()
      expect(reason.cause).to.equal(bug)
      expect(reason.message).to.match(/message 77 .*a bug/)
      expect(calls).to.equal(1)
      await nearEar.closed.take()
    })

    it('makes a producer wait, when the other side does not read', async () => {
      let sent = 0
      const chunk = new Uint8Array(kind === 'memory' ? 10 : 64 * 1024)
      while (near.bufferedBytes <= linkHighWaterBytes) {
        near.send([1, sent++, chunk])
        if (sent > 1e6) throw new Error('nothing is ever buffered')
      }
      const ear = new Ear(far)
      await near.drained()
      expect(near.bufferedBytes).to.be.at.most(linkHighWaterBytes)
      await ear.messages.has(sent)
      await near.drained()
    })

    it('releases a producer that waits, when the link closes', async () => {
      const bytes = new Uint8Array(64 * 1024)
      while (near.bufferedBytes <= linkHighWaterBytes) near.send([1, bytes])
      const waiting = near.drained()
      near.close(new Error('over'))
      await waiting
    })
  })

for (const kind of ['unix', 'websocket'] as const)
  describe(`frames on a ${kind} link`, () => {
    let bench: Bench
    let near: Link
    let far: Link
    beforeEach(async () => {
      bench = new Bench()
      const pair = await connect(bench, kind)
      near = pair.near
      far = pair.far
    })
    afterEach(() => bench.close())

    it('are written inside a synchronous loop of sends', async () => {
      const ear = new Ear(far)
      const waiting: number[] = []
      for (let i = 0; i < frameMessages * 4; i++) {
        near.send([1, i])
        waiting.push(near.bufferedBytes)
      }
      expect(near.bufferedBytes).to.equal(0)
      expect(Math.max(...waiting)).to.be.within(1, frameMessages * 8)
      await ear.messages.has(frameMessages * 4)
    })

    it('are written at once by flush', () => {
      near.send([1, 'a'])
      expect(near.bufferedBytes).to.be.above(0)
      near.flush()
      expect(near.bufferedBytes).to.equal(0)
    })

    it('take what the caller had at the time of the call', async () => {
      const ear = new Ear(far)
      const bytes = new Uint8Array(500).fill(1)
      near.send([1, bytes])
      bytes.fill(2)
      expect((await ear.messages.take())[1]).to.deep.equal(new Uint8Array(500).fill(1))
    })

    it('refuse what cannot travel where it is sent, and the link goes on', async () => {
      const ear = new Ear(far)
      near.send([1, 'before'])
      expect(() => near.send([2, () => 1])).to.throw(ProtocolError)
      near.send([3, 'after'])
      expect(await ear.messages.has(2)).to.deep.equal([
        [1, 'before'],
        [3, 'after'],
      ])
    })
  })

describe('what a peer said before its process ended', () => {
  let folder: string
  let server: Server
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'links-'))
    server = createServer().listen(join(folder, 's'))
    await once(server, 'listening')
  })
  afterEach(() => {
    server.close()
    rmSync(folder, { recursive: true })
  })

  it('arrives, also where the first that is heard of its end is a write that fails', async () => {
    const socket = connectTo(join(folder, 's'))
    const [[far]] = await Promise.all([once(server, 'connection') as Promise<[Socket]>, once(socket, 'connect')])
    const said = new StreamLink(far, peerHello(hello()))
    const near = new StreamLink(socket, peerHello(hello('driver')))
    const ear = new Ear(near)
    for (let i = 0; i < 200; i++) said.send([1, i, new Uint8Array(500)])
    said.flush()
    // Closed by the system at once, as that of a killed process; nobody has read anything meanwhile.
    far.destroy()
    near.send([2])
    near.flush()
    expect(await ear.closed.take()).to.be.instanceOf(ConnectionLostError)
    expect(ear.messages.items.map((message) => message[1])).to.deep.equal([...Array(200).keys()])
  })
})
