import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { expect } from 'chai'
import { ConnectionLostError, ProtocolError } from '../../../runtime/base/errors.ts'
import { chunkBytes } from '../../../runtime/base/limits.ts'
import { maxBulkFrameBytes } from '../../../runtime/transport/bulk.ts'
import type { BulkChannel } from '../../../runtime/transport/bulk.ts'
import { openBulk } from '../../../runtime/transport/dial.ts'
import { encodeHello, peerHello } from '../../../runtime/transport/hello.ts'
import { Bench, failure, hello, Inbox, token } from './support.ts'

const from = hello('node')

for (const kind of ['unix', 'url'] as const)
  describe(`a bulk channel (${kind})`, () => {
    let bench: Bench
    let near: BulkChannel
    let far: BulkChannel
    beforeEach(async () => {
      bench = new Bench()
      const site = kind === 'unix' ? await bench.unix() : await bench.port()
      const address = 'path' in site.listener ? { unix: site.listener.path } : { url: site.listener.url }
      near = await openBulk({ address, to: 'any', from, token })
      bench.later(() => near.close(new Error('the test is over')))
      far = await site.bulks.take()
    })
    afterEach(() => bench.close())

    it('carries 64 MiB unchanged, then its end', async () => {
      const sent = createHash('sha256')
      const received = createHash('sha256')
      let chunks = 0
      far.onChunk = (chunk) => {
        chunks++
        received.update(chunk)
      }
      const over = new Promise<Error | null>((resolve) => (far.onClose = resolve))
      for (let i = 0; i < 64; i++) {
        const chunk = Buffer.alloc(chunkBytes, `chunk ${i} `)
        sent.update(chunk)
        await near.send(chunk)
      }
      near.close()
      expect(await over).to.equal(null)
      expect(chunks).to.equal(64)
      expect(received.digest('hex')).to.equal(sent.digest('hex'))
    })

    it('lets the sender overwrite a chunk that was sent', async () => {
      const inbox = new Inbox<Buffer>()
      far.onChunk = inbox.put
      const chunk = Buffer.alloc(chunkBytes)
      for (let i = 0; i < 8; i++) {
        await near.send(chunk.fill(i))
      }
      const got = await inbox.has(8)
      got.forEach((one, i) => expect(one.equals(Buffer.alloc(chunkBytes, i)), String(i)).to.equal(true))
    })

    it('stops the sender, while the receiver is not done with a chunk', async () => {
      let release: () => void = () => {}
      let seen = 0
      far.onChunk = () => {
        seen++
        return seen === 1 ? new Promise<void>((resolve) => (release = resolve)) : undefined
      }
      let sent = 0
      const all = (async () => {
        for (; sent < 64; sent++) await near.send(Buffer.alloc(chunkBytes))
      })()
      // Settled: nothing moves any more although the sender would.
      for (let before = -1; before !== sent || seen === 0;) {
        before = sent
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      expect(seen).to.equal(1)
      expect(sent).to.be.below(64)
      release()
      await all
      const over = new Promise<Error | null>((resolve) => (far.onClose = resolve))
      near.close()
      expect(await over).to.equal(null)
      expect(seen).to.equal(64)
    })

    it('keeps the chunks and the end that came before anybody listened', async () => {
      for (let i = 0; i < 3; i++) await near.send(Buffer.from([i]))
      near.close()
      await new Promise((resolve) => setTimeout(resolve, 50))
      const order: unknown[] = []
      const over = new Promise<void>((resolve) => {
        far.onClose = (reason) => {
          order.push(reason)
          resolve()
        }
      })
      far.onChunk = (chunk) => void order.push(chunk[0])
      await over
      expect(order).to.deep.equal([0, 1, 2, null])
    })

    it('refuses a chunk over the limit, and to send after its end', async () => {
      expect(await failure(near.send(Buffer.alloc(maxBulkFrameBytes + 1)))).to.be.instanceOf(ProtocolError)
      near.close()
      expect(await failure(near.send(Buffer.alloc(1)))).to.be.instanceOf(ConnectionLostError)
    })

    it('tells the other side of a break, and closes when a handler fails', async () => {
      const nearOver = new Promise<Error | null>((resolve) => (near.onClose = resolve))
      const farOver = new Promise<Error | null>((resolve) => (far.onClose = resolve))
      far.onChunk = () => Promise.reject(new Error('the disk is full'))
      await near.send(Buffer.alloc(10))
      expect((await farOver)?.message).to.include('the disk is full')
      expect(await nearOver).to.be.instanceOf(Error)
    })
  })

describe('a bulk channel on a byte stream', () => {
  it('breaks, when it ends inside a chunk or announces one over the limit', async () => {
    const bench = new Bench()
    try {
      const { listener, bulks } = await bench.unix()
      for (const frame of [Buffer.from([0, 0, 0, 9, 1, 2]), Buffer.from([0, 0x20, 0, 0])]) {
        const socket = connect(listener.path)
        socket.on('error', () => {})
        socket.end(Buffer.concat([encodeHello({ from: peerHello(from), to: 'any', channel: 'bulk' }, token), frame]))
        const far = await bulks.take()
        far.onChunk = () => expect.fail('no chunk is complete')
        expect(await new Promise((resolve) => (far.onClose = resolve))).to.be.instanceOf(Error)
        socket.destroy()
      }
    } finally {
      await bench.close()
    }
  })
})
