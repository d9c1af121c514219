/** What both p-limit and the shim do. Each row of the guide's table that says "same" has its test here. */
import { expect } from 'chai'
import type * as original from 'p-limit'
import { rejection } from '../../tools/rejection.ts'

export type PLimitModule = typeof original

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

export function conformanceSuite(subject: { readonly name: string; load(): Promise<PLimitModule> }): void {
  describe(`p-limit: ${subject.name}`, () => {
    let module: PLimitModule

    before(async () => {
      module = await subject.load()
    })

    it('has the exports of the original', () => {
      expect(Object.keys(module).filter((name) => name !== '__esModule')).to.have.members(['default', 'limitFunction'])
      expect([module.default.name, module.limitFunction.name]).to.deep.equal(['pLimit', 'limitFunction'])
    })

    it('calls the function with its arguments, and gives what it gives', async () => {
      const limit = module.default(2)
      expect(await limit((a: number, b: number) => a * b, 6, 7)).to.equal(42)
      expect(await limit(async () => 'later')).to.equal('later')
    })

    it('rejects with what the function throws', async () => {
      const limit = module.default({ concurrency: 1 })
      const error = await rejection(
        limit(() => {
          throw Object.assign(new RangeError('no'), { status: 418 })
        }),
      )
      expect(error).to.be.instanceOf(RangeError)
      expect(error).to.include({ message: 'no', status: 418 })
      expect(await limit(() => 'the next one')).to.equal('the next one')
    })

    it('lets a function change what it captured and what it is given', async () => {
      const limit = module.default(1)
      const seen: number[] = []
      const item = { n: 1 }
      await limit(() => seen.push(1))
      await limit((given) => void given.n++, item)
      expect([seen, item]).to.deep.equal([[1], { n: 2 }])
    })

    it('runs as many at a time as its concurrency says, which may change', async () => {
      const limit = module.default(2)
      let running = 0
      let most = 0
      const task = async (): Promise<void> => {
        most = Math.max(most, ++running)
        await sleep(10)
        running--
      }
      await Promise.all([1, 2, 3, 4, 5].map(() => limit(task)))
      expect(most).to.equal(2)
      limit.concurrency = 3
      expect(limit.concurrency).to.equal(3)
      await Promise.all([1, 2, 3, 4, 5].map(() => limit(task)))
      expect(most).to.equal(3)
    })

    it('counts what runs and what waits', async () => {
      const limit = module.default(1)
      const all = [1, 2, 3].map((n) => limit(() => n))
      await Promise.resolve()
      expect([limit.activeCount, limit.pendingCount]).to.deep.equal([1, 2])
      await Promise.all(all)
      await sleep(0)
      expect([limit.activeCount, limit.pendingCount]).to.deep.equal([0, 0])
    })

    it('forgets what waits at clearQueue, and rejects it where that was asked for', async () => {
      const limit = module.default({ concurrency: 1, rejectOnClear: true })
      const first = limit(() => sleep(10))
      const waiting = limit(() => 1)
      await Promise.resolve()
      limit.clearQueue()
      expect((await rejection(waiting)).name).to.equal('AbortError')
      await first
    })

    it('maps, in the order of the input', async () => {
      expect(await module.default(2).map([1, 2, 3], (value, index) => value * 10 + index)).to.deep.equal([10, 21, 32])
    })

    it('makes limited functions', async () => {
      const square = module.limitFunction(async (n: number) => n * n, { concurrency: 1 })
      expect(await Promise.all([square(2), square(3)])).to.deep.equal([4, 9])
      expect(square.clearQueue).to.be.a('function')
    })

    it("refuses what the original refuses, in the original's words", () => {
      expect(() => module.default(0)).to.throw(TypeError, 'Expected `concurrency` to be a number from 1 and up')
      expect(() => module.default({ concurrency: 1, rejectOnClear: 'yes' as never })).to.throw(TypeError, 'boolean')
      expect(() => module.default(null as never)).to.throw(TypeError, "'concurrency'")
    })
  })
}
