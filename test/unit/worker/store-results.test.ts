import { expect } from 'chai'
import { ObjectStoreFullError } from '../../../runtime/base/errors.ts'
import { newProcessId, objectKey } from '../../../runtime/base/ids.ts'
import { MemoryObjectStore } from '../../../runtime/objects/memory-store.ts'
import { encodeValue, type EncodedValue } from '../../../runtime/objects/value.ts'
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

  it('removes nothing at the first attempt, since that would undo a free that came first; later ones wait until it is there', async () => {
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
    expect(asked).to.deep.equal(['put', 'delete', 'put', 'size'])
    await store.close()
  })
})
