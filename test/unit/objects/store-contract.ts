/** What every object store does; each is held to it by its own test. */
import { expect } from 'chai'
import { ObjectLostError, OutpoolError } from '../../../runtime/base/errors.ts'
import { objectKey, type ProcessId } from '../../../runtime/base/ids.ts'
import type { ObjectStore } from '../../../runtime/objects/store.ts'
import { decodeValue, encodedBytes, encodeValue, flatten } from '../../../runtime/objects/value.ts'
import { difference } from './same-value.ts'

export const owner: ProcessId = '00112233445566ff' as ProcessId
export const other: ProcessId = 'ff00112233445566' as ProcessId
export const key: string = objectKey({ owner, number: 0xabc })
export const value: { text: string; floats: Float64Array; bytes: Buffer; n: number } = {
  text: 'x'.repeat(70_000),
  floats: new Float64Array(20_000).fill(0.5),
  bytes: Buffer.alloc(70_000, 1),
  n: 1,
}

export async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => expect.fail('it succeeded'),
    (error: Error) => error,
  )
}

export async function valueAt(store: ObjectStore, at: string): Promise<unknown> {
  const stored = await store.get(at)
  if (stored === undefined) return undefined
  try {
    return decodeValue(stored.encoded)
  } finally {
    stored.release()
    stored.release()
  }
}

export function describeStore(name: string, open: () => Promise<ObjectStore>): void {
  describe(`${name}, as a store`, () => {
    let store: ObjectStore
    beforeEach(async () => {
      store = await open()
    })
    afterEach(() => store.close())

    it('gives back what was put', async () => {
      const encoded = encodeValue(value, 'value')
      expect(await store.put(key, encoded)).to.equal(encodedBytes(encoded))
      expect(await store.size(key)).to.equal(encodedBytes(encoded))
      expect(await store.contains(key)).to.equal(true)
      expect(difference(value, await valueAt(store, key))).to.equal(undefined)
    })

    it('gives every getter its own copy', async () => {
      await store.put(key, encodeValue(value, 'value'))
      const first = (await valueAt(store, key)) as typeof value
      first.floats.fill(9)
      first.bytes.fill(9)
      expect(difference(value, await valueAt(store, key))).to.equal(undefined)
    })

    it('has nothing under a key that was not put', async () => {
      expect(await store.get(key)).to.equal(undefined)
      expect(await store.size(key)).to.equal(undefined)
      expect(await store.contains(key)).to.equal(false)
      expect(await failure(store.read(key, 0, 1))).to.be.instanceOf(ObjectLostError)
      await store.delete(key)
    })

    it('takes an object in chunks of any order, as a transfer brings them', async () => {
      const flat = flatten(encodeValue(value, 'value'))
      const writer = await store.create(key, flat.length)
      const chunk = 50_000
      for (let at = Math.floor(flat.length / chunk) * chunk; at >= 0; at -= chunk)
        await writer.write(flat.subarray(at, at + chunk), at)
      expect(await store.contains(key)).to.equal(false)
      expect(await store.get(key)).to.equal(undefined)
      await writer.seal()
      const parts = [await store.read(key, 0, chunk), await store.read(key, chunk, flat.length)]
      expect(Buffer.concat(parts).equals(flat)).to.equal(true)
      expect(await store.read(key, flat.length + 5, 10)).to.have.length(0)
      expect(difference(value, await valueAt(store, key))).to.equal(undefined)
    })

    it('never shows what was written half', async () => {
      const writer = await store.create(key, 100)
      await writer.write(new Uint8Array(60), 0)
      await writer.write(new Uint8Array(30), 50)
      expect(await failure(writer.seal()))
        .to.be.instanceOf(RangeError)
        .with.property('message')
        .that.includes('20 of 100')
      expect(await failure(writer.write(new Uint8Array(30), 80))).to.be.instanceOf(RangeError)
      expect(await failure(writer.write(new Uint8Array(1), -1))).to.be.instanceOf(RangeError)
      await writer.abort()
      await writer.abort()
      expect(await store.contains(key)).to.equal(false)
      expect(await failure(writer.write(new Uint8Array(1), 0))).to.be.instanceOf(OutpoolError)
    })

    it('forgets a deleted object, whose getter keeps its bytes', async () => {
      await store.put(key, encodeValue(value, 'value'))
      const stored = await store.get(key)
      await store.delete(key)
      expect(await store.contains(key)).to.equal(false)
      expect(difference(value, stored && decodeValue(stored.encoded))).to.equal(undefined)
    })

    it("removes all of one owner's, and nothing of another's", async () => {
      const otherKey = objectKey({ owner: other, number: 1 })
      for (const at of [key, objectKey({ owner, number: 5 }), otherKey]) await store.put(at, encodeValue(at, 'value'))
      const writer = await store.create(objectKey({ owner, number: 6 }), 1)
      await store.deleteOwnedBy(owner)
      expect(await store.contains(key)).to.equal(false)
      expect(await valueAt(store, otherKey)).to.equal(otherKey)
      await failure(writer.write(Uint8Array.of(1), 0).then(() => writer.seal()))
      expect(await store.contains(objectKey({ owner, number: 6 }))).to.equal(false)
      await store.put(key, encodeValue('again', 'value'))
      expect(await valueAt(store, key)).to.equal('again')
    })

    it('replaces an object that is put again, as a task that is run again does', async () => {
      await store.put(key, encodeValue('first', 'value'))
      await store.put(key, encodeValue('second', 'value'))
      expect(await valueAt(store, key)).to.equal('second')
    })

    const wrongKeys = [
      '',
      'a',
      '../../etc:1',
      `${owner}:..`,
      `${owner}:1/../2`,
      `${owner}:-1`,
      `${owner}:1:2`,
      `${owner}:0A`,
    ]
    for (const wrong of wrongKeys)
      it(`refuses a key that names no object: ${JSON.stringify(wrong)}`, async () => {
        for (const result of [
          store.get(wrong),
          store.create(wrong, 1),
          store.delete(wrong),
          store.size(wrong),
          store.read(wrong, 0, 1),
        ])
          expect(await failure(result)).to.be.instanceOf(TypeError)
      })

    it('refuses work after it was closed, and gives up what was being written', async () => {
      const writer = await store.create(key, 10)
      await store.close()
      expect(await failure(store.get(key))).to.be.instanceOf(OutpoolError)
      expect(await failure(store.create(key, 1))).to.be.instanceOf(OutpoolError)
      expect(await failure(writer.seal())).to.be.instanceOf(OutpoolError)
    })
  })
}
