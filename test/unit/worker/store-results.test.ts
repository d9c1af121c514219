import { expect } from 'chai'
import { ObjectStoreFullError } from '../../../runtime/base/errors.ts'
import { newProcessId, objectKey } from '../../../runtime/base/ids.ts'
import { MemoryObjectStore } from '../../../runtime/objects/memory-store.ts'
import { encodeValue, type EncodedValue } from '../../../runtime/objects/value.ts'
import { openArena } from '../objects/arena-fixture.ts'
import { canShare } from '../../tools/native.ts'
import { rejection } from '../../tools/rejection.ts'
import { storeResults } from '../../../runtime/worker/store-results.ts'

const owner = newProcessId()
const keyOf = (number: number): string => objectKey({ owner, number })
const encoded = (value: unknown): EncodedValue => encodeValue(value, 'value')

describe('runtime/worker/store-results', () => {
  it('stores what is too large to travel, in the place of what an earlier attempt has left', async () => {
    const store = new MemoryObjectStore()
    await store.put(keyOf(8), encoded('left'))
    const results = await storeResults(store, { owner, number: 7, attempt: 1 }, [
      encoded('small'),
      encoded(new Uint8Array(200_000)),
    ])
    expect(results.map(([kind]) => kind)).to.deep.equal(['inline', 'stored'])
    expect(await store.size(keyOf(7))).to.equal(undefined)
    expect(await store.size(keyOf(8))).to.be.above(200_000)
    await store.close()
  })

  it('leaves none of them where one has no room', async () => {
    const store = new MemoryObjectStore()
    const put = store.put.bind(store)
    store.put = (key, value) =>
      key === keyOf(9) ? Promise.reject(new ObjectStoreFullError('there is no room')) : put(key, value)
    const values = [1, 2, 3].map(() => encoded(new Uint8Array(200_000)))
    const failure = await storeResults(store, { owner, number: 8, attempt: 0 }, values).catch((error: Error) => error)
    expect(failure).to.be.instanceOf(ObjectStoreFullError)
    for (const number of [8, 9, 10]) expect(await store.size(keyOf(number))).to.equal(undefined)
    await store.close()
  })

  it('keeps a value that is there until the next attempt has stored its own, and when that cannot store all', async () => {
    const store = new MemoryObjectStore({ capacityBytes: 900_000 })
    const [old, next] = [encoded(new Uint8Array(200_000).fill(1)), encoded(new Uint8Array(200_000).fill(2))]
    const contentOf = async (number: number): Promise<number | undefined> =>
      (await store.get(keyOf(number)))?.encoded.buffers[0]?.[0]
    await store.put(keyOf(20), old)
    const sealing = storeResults(store, { owner, number: 20, attempt: 1 }, [next])
    // This may be the end of the worker, or any later turn.
    for (let turn = 0; turn < 20; turn++) {
      expect(await store.contains(keyOf(20))).to.equal(true)
      await Promise.resolve()
    }
    await sealing
    expect(await contentOf(20)).to.equal(2)
    // The third has no room.
    const values = [next, next, encoded(new Uint8Array(800_000))]
    expect(await rejection(storeResults(store, { owner, number: 20, attempt: 2 }, values))).to.be.instanceOf(
      ObjectStoreFullError,
    )
    expect(await contentOf(20)).to.equal(2)
    for (const number of [21, 22]) expect(await store.contains(keyOf(number))).to.equal(false)
    await store.close()
  })

  it('takes the room of the value that is there where it has none for both', async () => {
    const store = new MemoryObjectStore({ capacityBytes: 300_000 })
    await store.put(keyOf(30), encoded(new Uint8Array(200_000).fill(1)))
    await storeResults(store, { owner, number: 30, attempt: 1 }, [encoded(new Uint8Array(200_000).fill(2))])
    expect((await store.get(keyOf(30)))?.encoded.buffers[0]?.[0]).to.equal(2)
    await store.close()
  })

  it('stores once more what the free of an earlier attempt has swallowed', async function () {
    if (!canShare) return this.skip()
    const arena = await openArena()
    const { store } = arena.join()
    const value = encoded(new Uint8Array(200_000))
    // The node was told to free what the attempt before had not stored yet.
    arena.host.ledger.delete(keyOf(40), true)
    await storeResults(store, { owner, number: 40, attempt: 1 }, [value])
    expect(await store.size(keyOf(40))).to.be.above(200_000)
    await arena.close()
  })

  it('asks for nothing at the first attempt; later ones wait until it is there', async () => {
    const asked: string[] = []
    const store = new Proxy(new MemoryObjectStore(), {
      get(target, name: keyof MemoryObjectStore) {
        const member: unknown = target[name]
        if (typeof member !== 'function') return member
        return (...args: unknown[]): unknown => {
          asked.push(name)
          return (member as (...args: unknown[]) => unknown).apply(target, args)
        }
      },
    })
    for (const attempt of [0, 1])
      await storeResults(store, { owner, number: 12, attempt }, [encoded(new Uint8Array(200_000))])
    expect(asked).to.deep.equal(['put', 'contains', 'put', 'size'])
    await store.close()
  })
})
