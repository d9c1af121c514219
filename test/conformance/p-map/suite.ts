/** What both p-map and the shim do. Each row of the guide's table that says "same" has its test here. */
import { expect } from 'chai'
import type * as original from 'p-map'
import { rejection } from '../../tools/rejection.ts'

export type PMapModule = typeof original

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export function conformanceSuite(subject: { readonly name: string; load(): Promise<PMapModule> }): void {
  describe(`p-map: ${subject.name}`, () => {
    let module: PMapModule

    before(async () => {
      module = await subject.load()
    })

    it('has the exports of the original', async () => {
      const names = ['default', 'pMapIterable', 'pMapKeyed', 'pMapSettled', 'pMapSettledKeyed', 'pMapSkip', 'pMapStop']
      expect(Object.keys(module).filter((name) => name !== '__esModule')).to.have.members(names)
      expect(module.default.name).to.equal('pMap')
    })

    it('maps in the order of the input, with the index', async () => {
      expect(await module.default([1, 2, 3], (value, index) => value * 10 + index)).to.deep.equal([10, 21, 32])
      expect(await module.default([Promise.resolve(1), 2], async (value) => value + 1)).to.deep.equal([2, 3])
    })

    it('takes iterables and asynchronous iterables', async () => {
      expect(await module.default(new Set([1, 2]), (value) => value * 2)).to.deep.equal([2, 4])
      const input = async function* (): AsyncGenerator<number> {
        yield 1
        yield 2
      }
      expect(await module.default(input(), (value) => value * 2)).to.deep.equal([2, 4])
    })

    it('lets a mapper change what it captured, and what it is given', async () => {
      const seen: number[] = []
      const items = [{ n: 1 }, { n: 2 }]
      await module.default(items, (item) => {
        item.n *= 10
        seen.push(item.n)
      })
      expect(seen).to.deep.equal([10, 20])
      expect(items).to.deep.equal([{ n: 10 }, { n: 20 }])
    })

    it('gives the very objects that a mapper gives', async () => {
      const items = [{ n: 1 }, { n: 2 }]
      const same = await module.default(items, (item) => item)
      expect(same[0]).to.equal(items[0])
    })

    it('runs as many at a time as its concurrency says', async () => {
      let running = 0
      let most = 0
      const mapper = async (): Promise<void> => {
        most = Math.max(most, ++running)
        await sleep(10)
        running--
      }
      await module.default([1, 2, 3, 4, 5], mapper, { concurrency: 2 })
      expect(most).to.equal(2)
    })

    it('rejects with the first error, or with all of them', async () => {
      const fails = (value: number): number => {
        if (value > 1) throw new RangeError(`no ${value}`)
        return value
      }
      const first = await rejection(module.default([1, 2, 3], fails, { concurrency: 1 }))
      expect(first).to.be.instanceOf(RangeError)
      expect(first.message).to.equal('no 2')
      const all = (await rejection(module.default([1, 2, 3], fails, { stopOnError: false }))) as AggregateError
      expect(all.errors.map((error) => (error as Error).message)).to.deep.equal(['no 2', 'no 3'])
    })

    it('rejects with the reason of its signal', async () => {
      const controller = new AbortController()
      const slow = (ms: number): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(ms), ms))
      const running = module.default([300, 300], slow, { signal: controller.signal })
      controller.abort(new Error('enough'))
      expect((await rejection(running)).message).to.equal('enough')
    })

    it('skips and stops where the mapper says', async () => {
      const { pMapSkip, pMapStop } = module
      const skipping = await module.default([1, 2, 3], (value) => (value === 2 ? pMapSkip : value))
      expect(skipping).to.deep.equal([1, 3])
      const stopping = await module.default([1, 2, 3], (value) => (value === 2 ? pMapStop : value), { concurrency: 1 })
      expect(stopping).to.deep.equal([1])
    })

    it('streams with pMapIterable', async () => {
      const seen: number[] = []
      for await (const value of module.pMapIterable([1, 2, 3], (item) => item * 2, { concurrency: 2 })) seen.push(value)
      expect(seen).to.deep.equal([2, 4, 6])
    })

    it('maps no further ahead of its reader than backpressure says', async () => {
      let started = 0
      const mapper = (value: number): number => {
        started++
        return value
      }
      const iterator = module
        .pMapIterable([1, 2, 3, 4, 5, 6], mapper, { concurrency: 1, backpressure: 2 })
        [Symbol.asyncIterator]()
      expect((await iterator.next()).value).to.equal(1)
      await sleep(30)
      expect(started).to.be.within(1, 3)
      await iterator.return?.()
    })

    it('yields what is ready first, where preserveOrder is false', async () => {
      let go: () => void = () => undefined
      const waits = new Promise<void>((resolve) => (go = resolve))
      const mapper = async (value: number): Promise<number> => {
        if (value === 1) await waits
        return value
      }
      const seen: number[] = []
      for await (const value of module.pMapIterable([1, 2], mapper, { concurrency: 2, preserveOrder: false })) {
        seen.push(value)
        go()
      }
      expect(seen).to.deep.equal([2, 1])
    })

    it('settles with pMapSettled, and keeps keys with pMapKeyed and pMapSettledKeyed', async () => {
      const settled = await module.pMapSettled([1, 2], (value) => {
        if (value === 2) throw new TypeError('two')
        return value
      })
      expect(settled[0]).to.deep.equal({ status: 'fulfilled', value: 1 })
      expect((settled[1] as PromiseRejectedResult).reason).to.be.instanceOf(TypeError)
      const keyed = await module.pMapKeyed({ a: 1, b: 2 }, (value, key) => `${key}${value}`)
      expect({ ...keyed }).to.deep.equal({ a: 'a1', b: 'b2' })
      const both = await module.pMapSettledKeyed({ a: 1 }, (value) => value + 1)
      expect({ ...both }).to.deep.equal({ a: { status: 'fulfilled', value: 2 } })
    })

    it("refuses what the original refuses, in the original's words", async () => {
      expect((await rejection(module.default([1], 3 as never))).message).to.equal('Mapper function is required')
      const few = await rejection(module.default([1], (value) => value, { concurrency: 0 }))
      expect(few.message).to.match(/^Expected `concurrency` to be an integer from 1 and up or `Infinity`/)
      expect((await rejection(module.default([1], (value) => value, null as never))).message).to.include(
        "'concurrency'",
      )
    })
  })
}
