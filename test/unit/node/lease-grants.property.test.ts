import { expect } from 'chai'
import { pick, randomInteger, seededRandom } from '../../../runtime/base/random.ts'
import type { Random } from '../../../runtime/base/random.ts'
import { parseResources } from '../../../runtime/scheduler/resources.ts'
import { jobA, jobB, LeaseFixture, nodeId, nodeRow } from './lease-fixture.ts'

const total = { numCpus: 4, resources: { x: 2 } }

/** One step of a life of a node: owners ask, return, leave; workers become ready, block, die; time passes. */
function step(node: LeaseFixture, random: Random): void {
  const owner = `owner${randomInteger(random, 4)}`
  const held = node.granted.filter((lease) => node.grants.holdsLease(lease.worker, lease.epoch))
  switch (randomInteger(random, 14)) {
    case 0:
    case 1:
    case 2: {
      const resources = parseResources({
        numCpus: pick(random, [0, 0.5, 1, 1, 2, 4]),
        resources: { x: pick(random, [0, 0, 0, 1]) },
      })
      const job = pick(random, [jobA, jobB])
      const kind = pick(random, ['task', 'task', 'task', 'pinned'] as const)
      node.ask(owner, 1, { resources, kind, job, priority: randomInteger(random, 2) })
      return
    }
    case 3:
      return node.ready()
    case 4:
      return node.bury()
    case 5: {
      // A worker that was killed from outside, starting ones included.
      const [started] = node.started.splice(0, 1)
      if (started !== undefined) node.grants.workerDied(started, 'killed')
      return
    }
    case 6:
      if (held.length > 0) node.grants.workerDied(pick(random, held).worker, 'crashed')
      return
    case 7:
      if (random.next() < 0.2) node.grants.ownerGone(owner)
      return
    case 8:
      if (random.next() < 0.1) node.grants.jobEnded(jobB, 'over')
      return
    case 9:
      if (held.length > 0) {
        const lease = pick(random, held)
        if (lease.blocked) node.grants.workerResumed(lease.worker, lease.epoch)
        else node.grants.workerBlocked(lease.worker, lease.epoch)
      }
      return
    case 10:
      node.grants.viewChanged([
        nodeRow(2, parseResources(total), { available: [['CPU', randomInteger(random, 5) * 10_000]] }),
      ])
      return
    case 11:
      node.grants.cancel(owner, randomInteger(random, 60))
      return
    case 12:
      return node.advance(randomInteger(random, 1_500))
    default:
      if (held.length > 0) {
        const lease = pick(random, held)
        node.grants.return(lease.owner, lease.id, random.next() < 0.1)
      }
  }
}

/** Everybody behaves from here on: leases are returned, workers start and end as they are told. */
function settle(node: LeaseFixture): void {
  for (let round = 0; round < 200; round++) {
    node.ready()
    node.bury()
    for (const lease of node.granted) {
      node.grants.workerResumed(lease.worker, lease.epoch)
      node.grants.return(lease.owner, lease.id, false)
      node.grants.validate()
    }
    node.advance(2_000)
    const { queued, leases, starting } = node.grants.stats()
    if (queued === 0 && leases === 0 && starting === 0 && node.ended.length === 0) return
  }
}

describe('runtime/node/lease-grants-state, whatever happens', () => {
  for (let seed = 1; seed <= 60; seed++)
    it(`keeps its invariants and leaves nothing behind, with seed ${seed}`, () => {
      const random = seededRandom(seed)
      const node = new LeaseFixture(total, { prestart: randomInteger(random, 3), extraWorkersPerCpu: 1, maxEpoch: 9 })
      node.grants.start()
      for (let i = 0; i < 250; i++) {
        step(node, random)
        node.grants.validate()
      }
      settle(node)
      node.grants.validate()
      expect(node.grants.stats()).to.include({ queued: 0, leases: 0, starting: 0 })
      expect(node.grants.stats().available).to.deep.equal(parseResources(total))
      const settled = node.log.filter((line) => /^(grant|refuse|redirect)/.test(line))
      expect(new Set(settled.map((line) => line.split(' ').slice(1, 3).join())).size).to.equal(settled.length)
    })

  it('serves the first request of the least busy owner before the flood of another', () => {
    const node = new LeaseFixture({ numCpus: 2 })
    for (let i = 0; i < 50; i++) node.ask('flood', 1)
    node.ready()
    const modest = node.ask('modest', 1)
    let rounds = 0
    while (!node.log.includes(`grant modest ${modest}`)) {
      expect(rounds++).to.be.lessThan(3)
      node.advance(200)
      const asked = node.take().find((line) => line.startsWith('reclaim flood'))
      if (asked !== undefined) node.giveBack(Number(asked.split(' ')[2]))
    }
  })

  it('never gives an id of a node a meaning beyond its order', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const total2 = parseResources({ numCpus: 2 })
    node.grants.viewChanged([nodeRow(3, total2), nodeRow(2, total2)])
    node.ask('a', 1)
    const request = node.ask('a', 1)
    expect(node.take()).to.deep.equal([`redirect a ${request} 2`])
    expect(node.grants.rows().map((row) => row.id)).to.deep.equal([nodeId(1), nodeId(2), nodeId(3)])
  })
})
