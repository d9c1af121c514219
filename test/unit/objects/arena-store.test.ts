import { once } from 'node:events'
import { statSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { MessageChannel } from 'node:worker_threads'
import { expect } from 'chai'
import { ObjectLostError, ObjectStoreFullError, OutOfDiskError } from '../../../runtime/base/errors.ts'
import { objectKey } from '../../../runtime/base/ids.ts'
import { ArenaMemory } from '../../../runtime/objects/arena-memory.ts'
import type { ArenaStore } from '../../../runtime/objects/arena-store.ts'
import { mappedValues } from '../../../runtime/objects/mapped-values.ts'
import type { ObjectStore } from '../../../runtime/objects/store.ts'
import { decodeValue, encodeValue } from '../../../runtime/objects/value.ts'
import { collectAll, openArena, type TestArena } from './arena-fixture.ts'
import { describeStore, failure, key, owner } from './store-contract.ts'
import { canShare } from '../../tools/native.ts'

const mebibyte = 1024 * 1024
const keyOf = (number: number): string => objectKey({ owner, number })
const bytes = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value)
const put = (store: ObjectStore, at: string, value: unknown): Promise<number> =>
  store.put(at, encodeValue(value, 'value'))

/** The value, which is the caller's to keep; what the store held for handing it over is let go of. */
async function take(store: ObjectStore, at: string): Promise<unknown> {
  const stored = await store.get(at)
  if (stored === undefined) return undefined
  const value = decodeValue(stored.encoded)
  stored.release()
  return value
}

const describeHere = canShare ? describe : describe.skip

/** Up to Node 20 a buffer that Node did not make itself is cloned where it is listed for transfer; later ones refuse it. */
const movesForeignMemory = Number(process.versions.node.split('.')[0]) <= 20

describeHere('ArenaStore', () => {
  let arena: TestArena
  let host: ArenaStore
  let near: ArenaStore
  let far: ArenaStore
  const open = async (options = {}): Promise<void> => {
    arena = await openArena(options)
    host = arena.host.store
    near = arena.host.openStore('1234567812345678' as never)
    far = arena.join().store
  }
  afterEach(() => arena.close())
  const pinned = (): number => arena.host.report().holders.reduce((sum, { objects }) => sum + objects, 0)

  describeStore('in the process of the node manager', async () => {
    await open()
    return near
  })
  describeStore('in another process', async () => {
    await open()
    return far
  })

  it('hands out large buffers uncopied, each with an ArrayBuffer of its own and of its length; small ones as copies', async () => {
    await open()
    await put(near, key, { a: bytes(100_000, 1), b: new Float64Array(20_000).fill(2), c: bytes(1_000, 3) })
    const before = mappedValues()
    const value = (await take(far, key)) as { a: Uint8Array; b: Float64Array; c: Uint8Array }
    expect(mappedValues()).to.equal(before + 1)
    expect([value.a, value.b, value.c].map((view) => view.buffer.byteLength)).to.deep.equal([100_000, 160_000, 1_000])
    expect(value.a.every((byte) => byte === 1) && value.b.every((n) => n === 2)).to.equal(true)
  })

  it('lets user code write into what it got, which nobody else sees, nor a second read of the same process', async () => {
    await open()
    await put(near, key, bytes(200_000, 1))
    const first = (await take(near, key)) as Uint8Array
    first.fill(9)
    const second = (await take(near, key)) as Uint8Array
    second[0] = 8
    const other = (await take(far, key)) as Uint8Array
    expect([first[0], second[0], second[1], other[0], other[199_999]]).to.deep.equal([9, 8, 1, 1, 1])
    expect(Buffer.from(await host.read(key, 0, 300_000)).includes(Buffer.alloc(1_000, 1))).to.equal(true)
  })

  it('keeps what was got while any ArrayBuffer of it is in use, and gives its place back when none is', async () => {
    await open()
    await put(near, key, { a: bytes(100_000, 1), b: bytes(100_000, 2) })
    let kept: ArrayBufferLike | undefined = ((await take(far, key)) as { a: Uint8Array }).a.buffer
    await far.delete(key)
    await collectAll()
    expect(pinned()).to.equal(1)
    // Who writes now gets other places: what was got stays as it is.
    for (let i = 0; i < 40; i++) {
      await put(near, keyOf(1), bytes(mebibyte, 7))
      await near.delete(keyOf(1))
    }
    expect(new Uint8Array(kept).every((byte) => byte === 1)).to.equal(true)
    kept = undefined
    await collectAll()
    expect(pinned()).to.equal(0)
    expect(arena.host.report().objects).to.deep.equal([])
  })

  it('survives that a buffer is moved elsewhere: it is copied, or Node refuses to', async () => {
    await open()
    await put(near, key, bytes(100_000, 1))
    const moved = await (async () => {
      const { buffer } = (await take(near, key)) as Uint8Array<ArrayBuffer>
      const { port1, port2 } = new MessageChannel()
      const received = once(port2, 'message').then(([data]) => data as ArrayBuffer)
      try {
        port1.postMessage(buffer, movesForeignMemory ? [buffer] : [])
        const all = [await received]
        if (movesForeignMemory) all.push(structuredClone(buffer, { transfer: [buffer] }))
        else expect(() => structuredClone(buffer, { transfer: [buffer] })).to.throw(DOMException, /transfer/)
        const transfer = (buffer as unknown as { transfer?: () => ArrayBuffer }).transfer
        if (transfer !== undefined) all.push(transfer.call(buffer))
        return all
      } finally {
        port1.close()
      }
    })()
    await near.delete(key)
    await collectAll()
    expect(pinned()).to.equal(0)
    for (const buffer of moved) expect(new Uint8Array(buffer).every((byte) => byte === 1)).to.equal(true)
  })

  it('frees what nobody uses any more by collecting garbage where it is held, when memory is short', async () => {
    await open({ memoryBytes: 16 * mebibyte })
    for (let i = 0; i < 60; i++) {
      const store = i % 2 === 0 ? near : far
      await put(near, keyOf(i), bytes(3 * mebibyte, i))
      const value = (await take(store, keyOf(i))) as Uint8Array
      expect([value[0], value[3 * mebibyte - 1]]).to.deep.equal([i, i])
      await near.delete(keyOf(i))
    }
  })

  it('spills and restores: more than fits comes back right', async () => {
    await open({ memoryBytes: 16 * mebibyte })
    for (let i = 0; i < 20; i++) await put(i % 2 === 0 ? near : far, keyOf(i), bytes(2 * mebibyte, i))
    const folder = join(arena.folder, 'spilled')
    const files = readdirSync(folder)
    expect(files).to.have.length(1)
    expect(statSync(join(folder, files[0] as string)).mode & 0o777).to.equal(0o600)
    const check = async (i: number): Promise<void> => {
      const value = (await take(far, keyOf(i))) as Uint8Array
      expect(value.every((byte) => byte === i)).to.equal(true)
      expect((await host.read(keyOf((i * 7) % 20), mebibyte, 3)).every((byte) => byte === (i * 7) % 20)).to.equal(true)
    }
    for (let i = 0; i < 20; i++) await check(i)
    for (let i = 0; i < 20; i++) await near.delete(keyOf(i))
    await collectAll()
    expect(arena.host.report()).to.include({ spilledBytes: 0, diskBytes: 0 })
    await arena.host.close()
    expect(readdirSync(arena.folder)).to.deep.equal(['arena.json'])
  })

  it('takes a spilled object whose file was damaged for lost', async () => {
    await open({ memoryBytes: 8 * mebibyte })
    for (let i = 0; i < 6; i++) await put(near, keyOf(i), bytes(2 * mebibyte, i))
    const folder = join(arena.folder, 'spilled')
    const path = join(folder, readdirSync(folder)[0] as string)
    const { writeFileSync } = await import('node:fs')
    const damaged = readFileSync(path)
    damaged[1_000_000] = 99
    writeFileSync(path, damaged)
    const error = await failure(near.get(keyOf(0)))
    expect(error).to.be.instanceOf(ObjectLostError)
    expect(error.message).to.include('not those that were written')
    expect(await near.get(keyOf(0))).to.equal(undefined)
  })

  it('fails when all memory is held: with the sizes and the largest holders', async () => {
    await open({ memoryBytes: 8 * mebibyte, fullWaitMs: 200 })
    await put(near, key, bytes(6 * mebibyte, 1))
    const held = await take(far, key)
    const error = (await failure(put(near, keyOf(1), bytes(4 * mebibyte, 2)))) as ObjectStoreFullError
    expect(error).to.be.instanceOf(ObjectStoreFullError)
    expect(error.message).to.match(/no room for an object of 4198400 bytes after \d+ ms: 6295552 of 8388608 bytes/)
    expect(error.details['holders'])
      .to.have.nested.property('[0].pinnedBytes')
      .that.is.within(6 * mebibyte, 7 * mebibyte)
    expect((held as Uint8Array)[5]).to.equal(1)
    await put(near, keyOf(2), bytes(mebibyte, 3))
  })

  it('knows the size of an object whose seal is under way, for who was told that it is there', async () => {
    await open()
    const early = host.size(key, true)
    expect(await host.size(key)).to.equal(undefined)
    await put(far, key, bytes(mebibyte, 1))
    expect(await early).to.be.within(mebibyte, mebibyte + 1_000)
    expect(pinned()).to.equal(0)
  })

  it('names the holder that does not answer, when it fails because all memory is held', async () => {
    await open({ memoryBytes: 8 * mebibyte, fullWaitMs: 200 })
    await put(near, key, bytes(6 * mebibyte, 1))
    const held = await take(far, key)
    arena.host.sendCollect = () => {}
    const error = (await failure(put(near, keyOf(1), bytes(4 * mebibyte, 2)))) as ObjectStoreFullError
    const [holder] = error.details['holders'] as readonly { readonly process: string; readonly silentMs: number }[]
    expect(holder?.silentMs).to.be.above(0)
    expect(error.message).to.include(`no answer to the request to collect garbage from ${holder?.process}, busy for `)
    expect((held as Uint8Array)[5]).to.equal(1)
  })

  it('fails when the disk has no room either, and everything that was stored is still readable', async () => {
    await open({ memoryBytes: 8 * mebibyte, diskBytes: 4 * mebibyte, fullWaitMs: 200 })
    let stored = 0
    let error: Error | undefined
    for (; stored < 20 && error === undefined; stored++)
      error = await put(near, keyOf(stored), bytes(mebibyte, stored)).then(
        () => undefined,
        (reason: Error) => reason,
      )
    expect(error).to.be.instanceOf(OutOfDiskError)
    expect(error?.message).to.match(
      /^no room for an object of \d+ bytes: \d+ of 8388608 bytes of node [0-9a-f]{16} are/,
    )
    expect(error?.message).to.include('nothing more can be spilled').and.include(', of the 4194304 it may have')
    const { details } = error as OutOfDiskError
    expect(details).to.include.keys('node', 'sizeBytes', 'usedBytes', 'capacityBytes', 'diskBytes', 'holders')
    expect(stored).to.be.within(9, 13)
    for (let i = 0; i < stored - 1; i++)
      expect(((await take(i % 2 === 0 ? near : far, keyOf(i))) as Uint8Array).every((byte) => byte === i)).to.equal(
        true,
      )
  })

  it('tells how much the disk has free, also before the first file is written', async () => {
    await open({ memoryBytes: 8 * mebibyte, diskBytes: 1, fullWaitMs: 200 })
    let error: Error | undefined
    for (let i = 0; i < 20 && error === undefined; i++)
      error = await put(near, keyOf(i), bytes(mebibyte, i)).then(
        () => undefined,
        (reason: Error) => reason,
      )
    expect(error).to.be.instanceOf(OutOfDiskError)
    expect(error?.message).to.match(
      /spilled objects take 0 bytes, of the 1 it may have, and the disk has [1-9]\d+ free/,
    )
  })

  it('refuses at once what would never fit', async () => {
    await open({ memoryBytes: 8 * mebibyte })
    const error = await failure(near.create(key, 9 * mebibyte))
    expect(error).to.be.instanceOf(ObjectStoreFullError)
    expect(error.message).to.include('does not fit')
  })

  it('takes the bytes at the call, where it can without waiting', async () => {
    await open()
    const value = bytes(100_000, 1)
    await far.put(keyOf(1), encodeValue(value, 'value'))
    const storing = far.putNow(key, encodeValue(value, 'value'))
    value.fill(2)
    expect(await storing).to.be.greaterThan(100_000)
    expect(((await take(near, key)) as Uint8Array)[99_999]).to.equal(1)
  })

  it('asks for room once for many small objects', async () => {
    await open()
    let asked = 0
    const request = arena.host.request.bind(arena.host)
    arena.host.request = (process, operation, answer) => {
      if (operation[0] === 'room') asked++
      request(process, operation, answer)
    }
    for (let i = 0; i < 40; i++) await put(far, keyOf(i), bytes(100_000, i))
    expect(asked).to.be.within(1, 20)
  })

  it('asks for little more than it takes, where many objects are stored at once', async () => {
    await open()
    const values = Array.from({ length: 205 }, (_, i) => bytes(100_000, i))
    await Promise.all(values.map((value, i) => put(far, keyOf(i), value)))
    // A third of the arena: nothing had to go to the disk for it.
    expect(arena.host.report()).to.include({ diskBytes: 0, spilledBytes: 0 })
    expect(arena.host.ledger.space.frontier(0)).to.be.below(205 * 110_000 + 2 * mebibyte)
  })

  it('keeps the memory from everybody else, and out of every folder', async () => {
    await open()
    const { mode } = statSync(join(arena.folder, 'arena.json'))
    expect(mode & 0o777).to.equal(0o600)
    const { segments } = JSON.parse(readFileSync(join(arena.folder, 'arena.json'), 'utf8')) as {
      segments: { descriptor: number }[]
    }
    for (const { descriptor } of segments) expect(statSync(`/proc/self/fd/${descriptor}`).mode & 0o777).to.equal(0o600)
    await put(near, key, bytes(mebibyte, 1))
    expect(readdirSync(arena.folder)).to.deep.equal(['arena.json'])
  })

  it('is not opened where the file names the memory of another process', async () => {
    await open()
    const path = join(arena.folder, 'arena.json')
    const { writeFileSync } = await import('node:fs')
    writeFileSync(path, readFileSync(path, 'utf8').replace(/"inode":\d+/, '"inode":1'))
    expect(ArenaMemory.open(arena.folder)).to.equal(undefined)
  })
})
