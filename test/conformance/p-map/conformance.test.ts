/** The suite on the original and on the shim, on this machine and on three nodes; then where mappers ran, and why. */
import { expect } from 'chai'
import type { MapReport } from '../../../compat/p-map/index.ts'
import { usePlainWorkers } from '../../cluster/support.ts'
import { Gate, held } from '../gate.ts'
import { expectElsewhere, joinPlace, places } from '../built-cluster.ts'
import { conformanceSuite } from './suite.ts'

/** Tests whose tasks are the caller's, or that run nothing. */
const here: readonly string[] = [
  'runs one that changes what it was given in the caller, and says why',
  'has the exports of the original',
  'lets a mapper change what it captured, and what it is given',
  'gives the very objects that a mapper gives',
  'runs as many at a time as its concurrency says',
  'rejects with the reason of its signal',
  'skips and stops where the mapper says',
  'maps no further ahead of its reader than backpressure says',
  'yields what is ready first, where preserveOrder is false',
  "refuses what the original refuses, in the original's words",
]

conformanceSuite({ name: 'the original', load: () => import('p-map') })

for (const place of places) {
  describe(`p-map ${place.name}`, () => {
    let leave: () => Promise<void>
    let explain: (target: object) => MapReport
    usePlainWorkers()
    expectElsewhere(place, here)

    before(async () => {
      leave = await joinPlace(place)
      const outpool = await import('outpool')
      explain = (target) => outpool.explain(target) as MapReport
    })
    after(() => leave())

    conformanceSuite({ name: 'the shim', load: () => import('outpool/p-map') })

    it('runs a mapper that only computes on workers, of every node', async () => {
      const { default: pMap } = await import('outpool/p-map')
      const { explain: explainProcess } = await import('outpool')
      const before = explain(pMap)
      const spin = (ms: number): number => {
        const end = Date.now() + ms
        while (Date.now() < end);
        return ms
      }
      const nodes = (): number => Object.keys(explainProcess().tasksByNode).length
      let calls = 0
      do {
        expect(await pMap([20, 20, 20, 20, 20, 20], spin)).to.deep.equal([20, 20, 20, 20, 20, 20])
        calls += 6
      } while (nodes() < place.nodes)
      expect(explain(pMap).worker - before.worker).to.equal(calls)
      expect(explain(pMap).caller).to.equal(before.caller)
    })

    it('runs one that changes what it was given in the caller, and says why', async () => {
      const { default: pMap } = await import('outpool/p-map')
      const before = explain(pMap)
      const counts = (item: { seen?: boolean }): void => {
        item.seen = true
      }
      await pMap([{}, {}], counts)
      const report = explain(pMap)
      expect([report.worker - before.worker, report.caller - before.caller]).to.deep.equal([0, 2])
      expect(report.functions.find(({ name }) => name === 'counts')?.reasons[0]).to.match(/seen/)
    })

    it('keeps its limit, its order and its signal, where mappers run on workers', async () => {
      const { default: pMap } = await import('outpool/p-map')
      const before = explain(pMap)
      const slow = (ms: number): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(ms), ms))
      const options = { concurrency: 2, placement: 'worker' } as const
      expect(await pMap([60, 1, 30], slow, options)).to.deep.equal([60, 1, 30])
      const controller = new AbortController()
      using gate = new Gate()
      const [work, file] = [held, gate.file]
      const running = pMap([1, 2, 3], () => work(file), { ...options, signal: controller.signal })
      setTimeout(() => controller.abort(new Error('enough')), 100)
      expect(await running.catch((error: Error) => error.message)).to.equal('enough')
      gate.open()
      expect(explain(pMap).caller).to.equal(before.caller)
      expect(explain(pMap).worker - before.worker).to.be.within(3, 5)
    })

    it('runs a mapper where its placement says', async () => {
      const { default: pMap } = await import('outpool/p-map')
      const where = (_: number): number => process.pid
      const there = await pMap([1, 2], where, { placement: 'worker' })
      for (const pid of there) expect(pid).to.not.equal(process.pid)
      expect(await pMap([1], where, { placement: 'caller' })).to.deep.equal([process.pid])
    })
  })
}
