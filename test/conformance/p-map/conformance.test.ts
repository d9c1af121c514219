/** The suite on the original and on the shim, on this machine and on three nodes; then where mappers ran, and why. */
import { expect } from 'chai'
import type { MapReport } from '../../../compat/p-map/index.ts'
import { usePlainWorkers } from '../../cluster/support.ts'
import { joinPlace, places } from '../built-cluster.ts'
import { conformanceSuite } from './suite.ts'

conformanceSuite({ name: 'the original', load: () => import('p-map') })

for (const place of places) {
  describe(`p-map ${place.name}`, () => {
    let leave: () => Promise<void>
    let explain: (target: object) => MapReport
    usePlainWorkers()

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

    it('runs a mapper where its placement says', async () => {
      const { default: pMap } = await import('outpool/p-map')
      const where = (_: number): number => process.pid
      const there = await pMap([1, 2], where, { placement: 'worker' } as object)
      for (const pid of there) expect(pid).to.not.equal(process.pid)
      expect(await pMap([1], where, { placement: 'caller' } as object)).to.deep.equal([process.pid])
    })
  })
}
