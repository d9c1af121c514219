import { expect } from 'chai'
import { leasesPerPage } from '../../../runtime/objects/claim-page.ts'
import { LeaseFixture } from './lease-fixture.ts'

/** One CPU, and no workers beyond it: whoever comes while all await is served by a worker that awaits. */
function shared(): LeaseFixture {
  const fixture = new LeaseFixture({ numCpus: 1 }, { extraWorkersPerCpu: 0, idleReapMs: 100 })
  fixture.ask('a', 1)
  fixture.ready()
  return fixture
}

describe('leases that share a worker', () => {
  it('have epochs that use different words of its claim page, whichever of them stay', () => {
    const fixture = shared()
    const [first] = fixture.granted
    if (first === undefined) throw new Error('nothing was granted')
    fixture.grants.workerBlocked(first.worker, first.epoch)
    for (let i = 0; i < 3 * leasesPerPage; i++) {
      const lease = fixture.lease(fixture.ask('a', 1))
      expect(lease.worker).to.equal(first.worker)
      expect(lease.epoch % leasesPerPage).not.to.equal(first.epoch % leasesPerPage)
      fixture.giveBack(lease.requestId)
    }
  })

  it('are never more than its claim page has room for', () => {
    const fixture = shared()
    for (let i = 0; i < leasesPerPage + 4; i++) {
      const lease = fixture.granted.at(-1)
      if (lease === undefined) throw new Error('nothing was granted')
      fixture.grants.workerBlocked(lease.worker, lease.epoch)
      fixture.ask('a', 1)
      fixture.ready()
    }
    const byWorker = new Map<string, Set<number>>()
    for (const { worker, epoch } of fixture.granted) {
      const regions = byWorker.get(worker) ?? new Set<number>()
      expect(regions.has(epoch % leasesPerPage), `epoch ${epoch} of ${worker}`).to.equal(false)
      byWorker.set(worker, regions.add(epoch % leasesPerPage))
    }
    expect(byWorker.size).to.be.at.least(2)
  })

  it('do not keep the node ticking when an idle worker stays because it holds objects', () => {
    const fixture = shared()
    const [lease] = fixture.granted
    if (lease === undefined) throw new Error('nothing was granted')
    fixture.grants.workerHolds(lease.worker, true)
    fixture.giveBack(lease.requestId)
    fixture.advance(200)
    expect(fixture.grants.nextTickAtMs()).to.equal(undefined)
    fixture.grants.workerHolds(lease.worker, false)
    fixture.advance(200)
    expect(fixture.ended).to.deep.equal([lease.worker])
  })

  it('are kept for the request that they were asked back for', () => {
    const fixture = new LeaseFixture({ numCpus: 2 })
    const [one, two] = [fixture.ask('a', 1), fixture.ask('a', 1)]
    fixture.ready()
    const big = fixture.ask('b', 2)
    fixture.advance(300)
    const small = fixture.ask('a', 1)
    expect(fixture.take()).to.include(`reclaim a ${one}`)
    fixture.giveBack(one)
    expect(fixture.granted.some((lease) => lease.requestId === small)).to.equal(false)
    fixture.giveBack(two)
    fixture.ready()
    expect(fixture.lease(big).owner).to.equal('b')
  })
})
