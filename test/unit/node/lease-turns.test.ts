import { expect } from 'chai'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { defaultLeaseOptions } from '../../../runtime/node/lease-types.ts'
import { jobA, jobB, LeaseFixture, nodeId } from './lease-fixture.ts'

const { reclaimAfterMs, reclaimForFirstAfterMs, reclaimForLightAfterMs } = defaultLeaseOptions
const jobOf = (owner: string): ProcessId => nodeId(owner.charCodeAt(0))

/** Owners with more work than they will ever have done: each has two requests waiting at any time. */
class Contest {
  readonly node: LeaseFixture
  readonly #seen = new Set<number>()

  constructor(numCpus: number, owners: string) {
    this.node = new LeaseFixture({ numCpus })
    for (const owner of owners) {
      for (let i = 0; i < 2 + numCpus; i++) this.node.ask(owner, 1, { job: jobOf(owner) })
      this.node.ready()
    }
  }

  /** Gives back what is asked back, in time, until so many were granted; returns whose they were. */
  turns(count: number): string {
    let owners = ''
    for (let steps = 0; owners.length < count && steps < 1_000; steps++) {
      for (const line of this.node.take()) {
        const [what, owner = '', request] = line.split(' ')
        if (what === 'reclaim') this.node.giveBack(Number(request))
        if (what !== 'grant' || this.#seen.has(Number(request))) continue
        this.#seen.add(Number(request))
        owners += owner
        this.node.ask(owner, 1, { job: jobOf(owner) })
      }
      this.node.ready()
      this.node.advance(10)
    }
    return owners.slice(0, count)
  }
}

describe('turns of those who compete for too few CPUs', () => {
  for (const { cpus, owners, expected, settles = false } of [
    { cpus: 1, owners: 'ab', expected: 'abababab' },
    { cpus: 1, owners: 'abc', expected: 'abcabcabc' },
    { cpus: 2, owners: 'abcde', expected: 'aabcdeabcdeabcde' },
    // Equal shares, and whoever has one more keeps it.
    { cpus: 2, owners: 'ab', expected: 'aab', settles: true },
    { cpus: 4, owners: 'abc', expected: 'aaaabc', settles: true },
  ])
    it(`are in order${settles ? ' and then end' : ''}, with ${cpus} CPUs for ${owners}`, () => {
      expect(new Contest(cpus, owners).turns(expected.length + (settles ? 1 : 0))).to.equal(expected)
    })

  it('are of equal length: nobody is asked before, and who gave back waits as long as the others', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const first = node.ask('a', 1)
    node.ready()
    const [own, other] = [node.ask('a', 1), node.ask('b', 1)]
    node.take()
    node.advance(reclaimForFirstAfterMs)
    expect(node.take()).to.deep.equal([`reclaim a ${first}`])
    node.giveBack(first)
    expect(node.take()).to.deep.equal([`grant b ${other}`])
    node.advance(reclaimAfterMs - 1)
    expect(node.take()).to.deep.equal([])
    node.advance(1)
    expect(node.take()).to.deep.equal([`reclaim b ${other}`])
    node.giveBack(other)
    expect(node.take()).to.deep.equal([`grant a ${own}`])
  })

  it('begin soon for a class that comes, but not before the others had some time as well', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const [first, other] = [node.ask('a', 1), node.ask('b', 1)]
    node.advance(1_000)
    node.ready()
    node.take()
    // It has waited for the process: that is no time that the other had.
    node.advance(reclaimForLightAfterMs - 1)
    expect(node.take()).to.deep.equal([])
    expect(node.grants.nextTickAtMs()).to.equal(node.clock.now() + 1)
    node.advance(1)
    expect(node.take()).to.deep.equal([`reclaim a ${first}`])
    node.giveBack(first)
    expect(node.take()).to.deep.equal([`grant b ${other}`])
  })

  for (const { heldMs, awayMs, waitsMs, what } of [
    { heldMs: 3, awayMs: 30, waitsMs: reclaimForLightAfterMs, what: 'has little to do each time' },
    { heldMs: 900, awayMs: 1, waitsMs: reclaimForFirstAfterMs, what: 'has just had more than its part' },
    { heldMs: 900, awayMs: 3_000, waitsMs: reclaimForLightAfterMs, what: 'had more than its part long ago' },
  ])
    it(`begin after ${waitsMs} ms for a class that comes again and ${what}`, () => {
      const node = new LeaseFixture({ numCpus: 1 })
      const first = node.ask('b', 1)
      node.ready()
      node.clock.nowMs += heldMs
      node.giveBack(first)
      const flood = node.ask('a', 1)
      node.ready()
      node.advance(awayMs)
      node.take()
      node.ask('b', 1)
      node.advance(waitsMs - 1)
      expect(node.take()).to.deep.equal([])
      expect(node.grants.nextTickAtMs()).to.equal(node.clock.now() + 1)
      node.advance(1)
      expect(node.take()).to.deep.equal([`reclaim a ${flood}`])
    })

  it('begin as late for a class whose few leases are large ones', () => {
    const node = new LeaseFixture({ numCpus: 4, resources: { x: 1 } })
    for (const { numCpus, resources } of [
      { numCpus: 4, resources: [] },
      { numCpus: 0, resources: [['x', 10_000]] as [string, number][] },
    ]) {
      const over = numCpus > 0 ? {} : { resources }
      const first = node.ask('b', numCpus, over)
      node.ready()
      node.clock.nowMs += 900
      node.giveBack(first)
      const other = node.ask('a', numCpus, over)
      node.ready()
      node.advance(1)
      node.take()
      const again = node.ask('b', numCpus, over)
      node.advance(reclaimForFirstAfterMs - 1)
      expect(node.take()).to.deep.equal([])
      node.advance(1)
      expect(node.take()).to.deep.equal([`reclaim a ${other}`])
      node.giveBack(other)
      node.giveBack(again)
      node.take()
      node.advance(10_000)
    }
  })

  it('do not hold up what is more urgent', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const low = node.ask('a', 1)
    node.ready()
    node.take()
    node.ask('b', 1, { priority: 1 })
    expect(node.take()).to.deep.equal([`reclaim a ${low}`])
  })

  it('cost no process where each job has one: as many stay idle as there are CPUs, and the last of who waits', () => {
    const contest = new Contest(2, 'abcdef')
    contest.turns(60)
    // The first had both CPUs before the others came: of its two workers one has made room.
    expect(contest.node.ended).to.have.length(1)
    expect(contest.node.grants.stats()).to.include({ workers: 6, starting: 0 })
  })
})

describe('idle leases that others wait for', () => {
  it('are asked for at once, each once, and none of the class that waits', () => {
    const node = new LeaseFixture({ numCpus: 2 })
    const [first, second] = [node.ask('a', 1), node.ask('b', 1)]
    node.ready()
    expect(node.wanted).to.deep.equal([])
    node.ask('b', 1)
    node.ask('b', 1)
    expect(node.wanted).to.deep.equal([`a ${first}`])
    node.ask('c', 1)
    expect(node.wanted).to.deep.equal([`a ${first}`, `b ${second}`])
  })

  it('are left alone when they are pinned, or what they hold is of no use', () => {
    const node = new LeaseFixture({ numCpus: 2, resources: { x: 1 } })
    node.ask('a', 1, { kind: 'pinned' })
    node.ask('b', 1)
    node.ask('c', 0, { resources: [['x', 10_000]] })
    node.ready()
    node.ask('d', 0, { resources: [['x', 10_000]] })
    expect(node.wanted.map((line) => line[0])).to.deep.equal(['c'])
  })
})

describe('idle workers of other jobs', () => {
  const idleAfter = (owner: string, node: LeaseFixture): void => {
    const requests = [1, 2].map(() => node.ask(owner, 1, { job: jobOf(owner) }))
    node.ready()
    for (const request of requests) node.giveBack(request)
  }

  it('stay, as many as there are CPUs; the one that has been idle for longest makes room', () => {
    const node = new LeaseFixture({ numCpus: 2 })
    for (const owner of 'ab') idleAfter(owner, node)
    expect(node.take().filter((line) => line.startsWith('end'))).to.deep.equal([])
    expect(node.grants.stats()).to.include({ workers: 4, idle: 4 })
    for (const owner of 'cdefgh') {
      idleAfter(owner, node)
      node.bury()
      expect(node.grants.stats().workers).to.be.within(4, 5)
    }
  })

  it('of the same job make room first, as this job has no use for them now', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const other = node.ask('b', 1, { job: jobB })
    node.ready()
    node.giveBack(other)
    const plain = node.ask('a', 1, { job: jobA })
    node.ready()
    node.giveBack(plain)
    node.ask('a', 1, { job: jobA, kind: 'pinned' })
    expect(node.ended).to.deep.equal([node.lease(plain).worker])
  })
})
