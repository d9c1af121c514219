/** The suite on the original and on the shim, on this machine and on three nodes; then where functions ran, and why. */
import { expect } from 'chai'
import type { LimitReport } from '../../../compat/p-limit/index.ts'
import { usePlainWorkers } from '../../cluster/support.ts'
import { expectElsewhere, joinPlace, places } from '../built-cluster.ts'
import { conformanceSuite } from './suite.ts'

/** Tests whose tasks are the caller's, or that run nothing. */
const here: readonly string[] = [
  'runs what changes what it captured in the caller, and says why',
  'has the exports of the original',
  'lets a function change what it captured and what it is given',
  'runs as many at a time as its concurrency says, which may change',
  'forgets what waits at clearQueue, and rejects it where that was asked for',
  "refuses what the original refuses, in the original's words",
]

conformanceSuite({ name: 'the original', load: () => import('p-limit') })

for (const place of places) {
  describe(`p-limit ${place.name}`, () => {
    let leave: () => Promise<void>
    let pLimit: (typeof import('outpool/p-limit'))['default']
    let explain: (target: object) => LimitReport
    usePlainWorkers()
    expectElsewhere(place, here)

    before(async () => {
      leave = await joinPlace(place)
      pLimit = (await import('outpool/p-limit')).default
      const outpool = await import('outpool')
      explain = (target) => outpool.explain(target) as LimitReport
    })
    after(() => leave())

    conformanceSuite({ name: 'the shim', load: () => import('outpool/p-limit') })

    it('sends no function for another, however many of another text ran in the caller before it', async () => {
      const limit = pLimit(10)
      do await Promise.all(Array.from({ length: 100 }, () => limit(() => 1)))
      while (explain(limit).caller < 2_000)
      const others = await Promise.all(Array.from({ length: 64 }, (_, i) => limit((n: number) => `other ${n}`, i)))
      expect(others).to.deep.equal(Array.from({ length: 64 }, (_, i) => `other ${i}`))
      // At most 47 ran in the caller before one was looked at.
      expect(explain(limit).functions[1]?.worker).to.be.at.least(64 - 47)
    })

    it('runs what only computes on workers, of every node', async () => {
      const { explain: explainProcess } = await import('outpool')
      const limit = pLimit(6)
      const spin = (ms: number): number => {
        const end = Date.now() + ms
        while (Date.now() < end);
        return ms
      }
      const nodes = (): number => Object.keys(explainProcess().tasksByNode).length
      do await limit.map([20, 20, 20, 20, 20, 20], spin)
      while (nodes() < place.nodes)
      expect(explain(limit).worker).to.be.above(0)
      expect(explain(limit).caller).to.equal(0)
    })

    it('runs what changes what it captured in the caller, and says why', async () => {
      const limit = pLimit(1)
      let count = 0
      await limit(() => void count++)
      expect(count).to.equal(1)
      expect([explain(limit).worker, explain(limit).caller]).to.deep.equal([0, 1])
      expect(explain(limit).functions[0]?.reasons[0]).to.match(/count/)
    })

    it('keeps its counts, its limit and its queue, where its functions run on workers', async () => {
      const limit = pLimit({ concurrency: 1, rejectOnClear: true, placement: 'worker' })
      const slow = (n: number): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(n), 100))
      const first = limit(slow, 1)
      const behind = limit(slow, 2).then(
        () => 'it ran',
        (error: Error) => error.name,
      )
      await Promise.resolve()
      expect([limit.activeCount, limit.pendingCount]).to.deep.equal([1, 1])
      limit.clearQueue()
      expect([await first, await behind]).to.deep.equal([1, 'AbortError'])
      limit.concurrency = 2
      expect(await limit.map([1, 2, 3], slow)).to.deep.equal([1, 2, 3])
      expect([explain(limit).worker, explain(limit).caller]).to.deep.equal([4, 0])
    })

    it('runs a function where the placement of the limit says', async () => {
      const there = pLimit({ concurrency: 2, placement: 'worker' })
      expect(await there(() => process.pid)).to.not.equal(process.pid)
      const here = pLimit({ concurrency: 2, placement: 'caller' })
      expect(await here(() => process.pid)).to.equal(process.pid)
    })
  })
}
