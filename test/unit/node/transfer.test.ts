import { expect } from 'chai'
import { ObjectLostError } from '../../../runtime/base/errors.ts'
import { systemClock } from '../../../runtime/base/clock.ts'
import { newProcessId, objectKey, type NodeId } from '../../../runtime/base/ids.ts'
import { chunkBytes } from '../../../runtime/base/limits.ts'
import { ObjectPuller } from '../../../runtime/node/transfer.ts'
import { MemoryObjectStore } from '../../../runtime/objects/memory-store.ts'
import { reportOf } from '../../../runtime/objects/pull-failures.ts'
import { Serving } from '../../../runtime/objects/serving.ts'
import { serveObjects } from '../../../runtime/objects/transfer.ts'
import type { ChunkChannel } from '../../../runtime/objects/transfer.ts'
import { encodeValue } from '../../../runtime/objects/value.ts'
import type { Holder } from '../../../runtime/protocol/messages.ts'
import { until } from './node-fixture.ts'

/** One end of a channel within this process: chunks are delivered one after the other, each in a turn of its own. */
class Pipe implements ChunkChannel {
  peer?: { readonly node: NodeId }
  other: Pipe | undefined
  closed = false
  /** Chunks that the other end has sent and this one has not taken, at most. */
  mostWaiting = 0
  #waiting = 0
  #delivering: Promise<void> = Promise.resolve()
  onChunk: (chunk: Buffer) => void | Promise<void> = () => {}
  onClose: (reason: Error | null) => void = () => {}

  async send(chunk: Uint8Array): Promise<void> {
    const { other } = this
    if (this.closed || other === undefined) throw new Error('the pipe is closed')
    const copy = Buffer.from(chunk)
    other.mostWaiting = Math.max(other.mostWaiting, ++other.#waiting)
    other.#delivering = other.#delivering.then(async () => {
      await new Promise((resolve) => setImmediate(resolve))
      await other.onChunk(copy)
      other.#waiting--
    })
    await other.#delivering
  }

  close(reason?: Error): void {
    for (const end of [this, this.other]) {
      if (end === undefined || end.closed) continue
      end.closed = true
      queueMicrotask(() => end.onClose(end === this ? (reason ?? null) : null))
    }
  }
}

function pipes(): [Pipe, Pipe] {
  const [a, b] = [new Pipe(), new Pipe()]
  a.other = b
  b.other = a
  return [a, b]
}

const holderOf = (): Holder => [newProcessId(), newProcessId()]
const owner = newProcessId()
const first = newProcessId()
const big = objectKey({ owner, number: 1 })
const small = objectKey({ owner, number: 2 })
const bytes = new Uint8Array(5_000_000).map((_, index) => (index * 7) % 253)

describe('runtime/node/transfer and runtime/objects/transfer', () => {
  let source: MemoryObjectStore
  let target: MemoryObjectStore
  let opened: Pipe[]
  let puller: ObjectPuller
  let warnings: string[]

  beforeEach(async () => {
    source = new MemoryObjectStore()
    target = new MemoryObjectStore()
    opened = []
    warnings = []
    await source.put(big, encodeValue(bytes, 'value'))
    await source.put(small, encodeValue('small', 'value'))
    puller = new ObjectPuller({
      store: target,
      clock: systemClock,
      silenceMs: 200,
      open: () => {
        const [near, far] = pipes()
        opened.push(near)
        serveObjects(far, source)
        return Promise.resolve(near)
      },
      events: { warn: (text) => void warnings.push(text) },
    })
  })
  afterEach(async () => {
    puller.close()
    expect(puller.size).to.equal(0)
    await Promise.all([source.close(), target.close()])
  })

  async function same(key: string): Promise<boolean> {
    const sizeBytes = (await source.size(key)) ?? -1
    return Buffer.compare(await source.read(key, 0, sizeBytes), await target.read(key, 0, sizeBytes)) === 0
  }

  it('brings an object in chunks, one at a time on the way', async () => {
    await puller.pull(big, 0, [holderOf()])
    expect(await same(big)).to.equal(true)
    expect(opened[0]?.mostWaiting).to.be.at.most(2)
  })

  it('keeps nothing of an object that was freed while it was on its way', async () => {
    const pull = puller.pull(big, 0, [holderOf()])
    puller.unwanted(big)
    await pull
    while ((await target.size(big)) !== undefined) await new Promise((resolve) => setImmediate(resolve))
    // What comes later is wanted again.
    await puller.pull(big, 0, [holderOf()])
    expect(await same(big)).to.equal(true)
    puller.unwanted(small)
  })

  it('warns where such an object cannot be removed', async () => {
    target.delete = () => Promise.reject(new Error('EROFS: read-only file system'))
    const pull = puller.pull(big, 0, [holderOf()])
    puller.unwanted(big)
    await pull
    await until(() => warnings.length > 0)
    expect(warnings).to.deep.equal([`freeing object ${big} failed: EROFS: read-only file system`])
  })

  it('keeps nothing of an owner that is gone that was on its way, and all of others', async () => {
    const theirs = objectKey({ owner: first, number: 1 })
    await source.put(theirs, encodeValue('theirs', 'value'))
    const pulls = [big, theirs].map((key) => puller.pull(key, 10, [holderOf()]))
    puller.ownerGone(owner)
    await target.deleteOwnedBy(owner)
    await Promise.all(pulls)
    await new Promise((resolve) => setImmediate(resolve))
    expect(await target.contains(big)).to.equal(false)
    expect(await same(theirs)).to.equal(true)
  })

  it('shares one transfer among all who ask, and one channel among objects that follow each other', async () => {
    const holder = holderOf()
    await Promise.all([puller.pull(big, 0, [holder]), puller.pull(big, 0, [holder]), puller.pull(big, 0, [holder])])
    await puller.pull(small, 0, [holder])
    await puller.pull(small, 0, [holder])
    expect(await same(small)).to.equal(true)
    expect(opened).to.have.length(1)
  })

  it('goes on to the next holder, and uses a channel again whose holder merely had not got the object', async () => {
    const missing = objectKey({ owner, number: 3 })
    const holder = holderOf()
    const failure = await puller.pull(missing, 0, [holder, holder]).catch((error: Error) => error)
    expect(failure).to.be.an('error').with.property('name', 'ObjectLostError')
    expect((failure as Error).message.split('does not have the object')).to.have.length(3)
    await puller.pull(small, 0, [holder])
    expect(opened).to.have.length(1)
  })

  it('is told by a holder whose copy is damaged that it has none, and how it was lost', async () => {
    const damaged = Object.assign(source, {
      open: () => Promise.reject(new ObjectLostError('its bytes are not those that were written')),
    })
    const holder = holderOf()
    const failure = await puller.pull(big, 0, [holder, holder]).catch((error: unknown) => error)
    expect(reportOf(failure)).to.deep.equal({
      ...{ absent: [holder, holder], unreached: [] },
      why: `node ${holder[0]}: its bytes are not those that were written`,
    })
    expect(await damaged.size(big)).to.equal(undefined)
    expect(opened).to.have.length(1)
  })

  it('is told how a copy was lost by a holder whose answer to who asked before was lost as well', async () => {
    const serving = new Serving()
    const damaged = Object.assign(source, { open: () => Promise.reject(new ObjectLostError('its bytes are others')) })
    const ask = async (): Promise<string> => {
      const [near, far] = pipes()
      serveObjects(far, damaged, serving)
      const answer = new Promise<Buffer>((resolve) => (near.onChunk = resolve))
      await near.send(Buffer.from(JSON.stringify({ key: big, from: 0 })))
      return (await answer).toString()
    }
    const lost = JSON.stringify({ error: 'its bytes are others' })
    expect([await ask(), await damaged.size(big), await ask()]).to.deep.equal([lost, undefined, lost])
    // One that is there again, and goes, went in another way.
    await damaged.put(big, encodeValue(bytes, 'value'))
    Object.assign(damaged, { open: undefined })
    expect(await ask()).to.include('sizeBytes')
    await damaged.delete(big)
    expect(await ask()).to.include('does not have the object')
  })

  it('opens a fresh channel where the kept one has died', async () => {
    const holder = holderOf()
    await puller.pull(small, 0, [holder])
    const [kept] = opened
    if (kept !== undefined) kept.send = () => (kept.close(), Promise.reject(new Error('the holder is gone')))
    await puller.pull(big, 0, [holder])
    expect(await same(big)).to.equal(true)
    expect(opened).to.have.length(2)
  })

  it('gives up on a holder that falls silent, and leaves nothing half written', async () => {
    const silent = new ObjectPuller({
      store: target,
      clock: systemClock,
      silenceMs: 20,
      open: () => {
        const [near, far] = pipes()
        far.onChunk = () => void far.send(Buffer.from(JSON.stringify({ sizeBytes: 1_000 })))
        return Promise.resolve(near)
      },
    })
    const failure = await silent.pull(big, 0, [holderOf()]).catch((error: Error) => error)
    expect((failure as Error).message).to.include('sent nothing for 20 ms')
    expect(target.usedBytes).to.equal(0)
    silent.close()
  })

  it('fails over when a holder ends within an object', async () => {
    let first = true
    const failing = new ObjectPuller({
      store: target,
      clock: systemClock,
      open: () => {
        const [near, far] = pipes()
        if (!first) serveObjects(far, source)
        else
          far.onChunk = async () => {
            await far.send(Buffer.from(JSON.stringify({ sizeBytes: 2_000_000 })))
            await far.send(new Uint8Array(1_000_000))
            far.close()
          }
        first = false
        return Promise.resolve(near)
      },
    })
    await failing.pull(big, 0, [holderOf(), holderOf()])
    expect(await same(big)).to.equal(true)
    failing.close()
  })

  it('asks the same holder for the rest when a channel breaks within an object', async () => {
    const asked: unknown[] = []
    const breaking = new ObjectPuller({
      store: target,
      clock: systemClock,
      open: () => {
        const [near, far] = pipes()
        serveObjects(far, source)
        const send = far.send.bind(far)
        const { onChunk } = far
        far.onChunk = (request) => (asked.push(JSON.parse(request.toString())), onChunk(request))
        let chunks = 0
        far.send = (chunk) =>
          asked.length < 3 && ++chunks > 3 ? (far.close(), Promise.reject(new Error('it broke'))) : send(chunk)
        return Promise.resolve(near)
      },
    })
    await breaking.pull(big, 0, [holderOf()])
    expect(await same(big)).to.equal(true)
    expect(asked).to.deep.equal([
      { key: big, from: 0 },
      { key: big, from: 2 * chunkBytes },
      { key: big, from: 4 * chunkBytes },
    ])
    breaking.close()
  })

  it('has no more bytes on the way than it may, but for one object alone', async () => {
    let [active, most] = [0, 0]
    const limited = new ObjectPuller({
      store: target,
      clock: systemClock,
      maxBytes: 100,
      open: async () => {
        most = Math.max(most, ++active)
        await new Promise((resolve) => setImmediate(resolve))
        active--
        throw new Error('no way there')
      },
    })
    const pull = (number: number, sizeBytes: number): Promise<void> =>
      limited.pull(objectKey({ owner, number }), sizeBytes, [holderOf()])
    await Promise.allSettled([pull(10, 60), pull(11, 30), pull(12, 20), pull(13, 500), pull(14, 50), pull(15, 50)])
    expect(most).to.equal(2)
    expect(limited.size).to.equal(0)
    limited.close()
  })

  it('spreads an object through the nodes that have got it: its first holder sends a few copies at a time', async () => {
    const nodes = Array.from({ length: 12 }, () => ({ id: newProcessId(), store: new MemoryObjectStore() }))
    const stores = new Map([[first, source], ...nodes.map(({ id, store }) => [id, store] as const)])
    const serving = new Map([...stores.keys()].map((id) => [id, new Serving()]))
    const sent = new Map<NodeId, number>()
    const pullers = nodes.map(
      ({ id, store }) =>
        new ObjectPuller({
          store,
          clock: systemClock,
          self: id,
          open: ([node]) => {
            const [near, far] = pipes()
            far.peer = { node: id }
            const from = stores.get(node) as MemoryObjectStore
            serveObjects(far, from, serving.get(node))
            const send = far.send.bind(far)
            far.send = (chunk) => {
              if (chunk.length === chunkBytes) sent.set(node, (sent.get(node) ?? 0) + 1)
              return send(chunk)
            }
            return Promise.resolve(near)
          },
        }),
    )
    await Promise.all(pullers.map((each) => each.pull(big, 5_000_000, [[first, first]])))
    for (const { store } of nodes) expect(await store.size(big)).to.equal(await source.size(big))
    const whole = Math.floor(5_000_000 / chunkBytes)
    expect(sent.get(first) ?? 0).to.be.lessThan(12 * whole)
    expect(sent.size).to.be.greaterThan(2)
    for (const each of pullers) each.close()
  })

  it('brings what somebody is blocked for before what is brought ahead, of which there is half as much on the way', async () => {
    const began: string[] = []
    const go: (() => void)[] = []
    const slow = new ObjectPuller({
      store: target,
      clock: systemClock,
      maxConcurrent: 4,
      async open(holder) {
        began.push(holder[1])
        await new Promise<void>((resolve) => go.push(resolve))
        const [near, far] = pipes()
        serveObjects(far, source)
        return near
      },
    })
    const keys = Array.from({ length: 7 }, (_, i) => objectKey({ owner, number: 100 + i }))
    for (const key of keys) await source.put(key, encodeValue(key, 'value'))
    const holders = keys.map(() => holderOf())
    const pull = (i: number, ahead: boolean): Promise<void> => slow.pull(keys[i]!, 10, [holders[i]!], ahead)
    const named = (): number[] => began.map((process) => holders.findIndex((holder) => holder[1] === process))
    const all = [0, 1, 2, 3].map((i) => pull(i, true))
    await until(() => began.length === 2)
    // Two more go on at once, and one waits; somebody is blocked for the fourth, too.
    all.push(pull(4, false), pull(5, false), pull(6, false), pull(3, false))
    await until(() => began.length === 4)
    expect(named()).to.deep.equal([0, 1, 3, 4])
    for (let n = 0; n < keys.length; n++) {
      await until(() => go[n] !== undefined)
      go[n]?.()
    }
    await Promise.all(all)
    expect(named()).to.deep.equal([0, 1, 3, 4, 5, 6, 2])
    slow.close()
  })

  it('runs no more transfers at once than it may', async () => {
    let [active, most] = [0, 0]
    const limited = new ObjectPuller({
      store: target,
      clock: systemClock,
      maxConcurrent: 2,
      open: async () => {
        most = Math.max(most, ++active)
        await new Promise((resolve) => setImmediate(resolve))
        active--
        throw new Error('no way there')
      },
    })
    const keys = Array.from({ length: 8 }, (_, index) => objectKey({ owner, number: 10 + index }))
    const results = await Promise.allSettled(keys.map((key) => limited.pull(key, 0, [holderOf()])))
    expect(results.every((result) => result.status === 'rejected')).to.equal(true)
    expect(most).to.equal(2)
    await until(() => limited.size === 0)
    limited.close()
  })

  it('refuses a request that names no key by closing the channel', async () => {
    const [near, far] = pipes()
    serveObjects(far, source)
    await near.send(Buffer.from('not a request'))
    await until(() => near.closed)
  })
})
