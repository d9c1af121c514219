import { expect } from 'chai'
import type { NodeRow } from '../../../runtime/protocol/messages.ts'
import { defaultLeaseOptions } from '../../../runtime/node/lease-types.ts'
import { parseResources } from '../../../runtime/scheduler/resources.ts'
import { jobA, jobB, LeaseFixture, nodeId, nodeRow } from './lease-fixture.ts'

describe('runtime/node/lease-grants-state', () => {
  it('starts a worker on demand, grants it, and reuses it for the same job', () => {
    const node = new LeaseFixture({ numCpus: 2 })
    const first = node.ask('a', 1)
    expect(node.started).to.have.length(1)
    expect(node.take()).to.deep.equal([])
    node.ready()
    expect(node.take()).to.deep.equal([`grant a ${first}`])
    expect(node.lease(first).epoch).to.equal(1)
    node.giveBack(first)
    const second = node.ask('a', 1)
    expect(node.take()).to.deep.equal([`grant a ${second}`])
    expect(node.lease(second).worker).to.equal(node.lease(first).worker)
    expect(node.lease(second).epoch).to.equal(2)
  })

  it('sends a request to the node that has its arguments, where that is free, and keeps it otherwise', () => {
    const node = new LeaseFixture({ numCpus: 2 })
    const four = parseResources({ numCpus: 4 })
    node.grants.viewChanged([nodeRow(2, four), nodeRow(3, four, { available: [] })])
    const there = node.ask('a', 1, { argumentBytes: [[nodeId(2), 1e6]] })
    expect(node.take()).to.deep.equal([`redirect a ${there} 2`])
    const busy = node.ask('a', 1, { argumentBytes: [[nodeId(3), 1e6]] })
    // The owner comes back from a node that had nothing free after all.
    const back = node.ask('a', 1, { argumentBytes: [[nodeId(2), 1e6]], visited: [nodeId(2)] })
    node.ready()
    expect(node.take()).to.deep.equal([`grant a ${busy}`, `grant a ${back}`])
  })

  it('never gives a worker of one job or environment to another', () => {
    const node = new LeaseFixture({ numCpus: 2 })
    const first = node.ask('a', 1)
    node.ready()
    node.giveBack(first)
    node.ask('a', 1, { job: jobB })
    expect(node.started).to.have.length(1)
    node.ask('a', 1, { environment: 'other' })
    expect(node.started).to.have.length(2)
  })

  it('assigns workers that were started ahead to whatever job asks first', () => {
    const node = new LeaseFixture({ numCpus: 2 }, { prestart: 2 })
    node.grants.start()
    node.ready()
    const request = node.ask('a', 1, { job: jobB })
    expect(node.take()).to.deep.equal([`grant a ${request}`])
    expect(node.grants.stats()).to.include({ workers: 2, idle: 1 })
  })

  it('gives a pinned lease a fresh worker, ends it at return, and frees its resources when it is gone', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const task = node.ask('a', 1)
    node.ready()
    node.giveBack(task)
    const pinned = node.ask('a', 1, { kind: 'pinned' })
    node.bury()
    node.ready()
    expect(node.lease(pinned).worker).not.to.equal(node.lease(task).worker)
    node.take()
    node.giveBack(pinned)
    expect(node.take()).to.deep.equal(['end its lease was returned'])
    const next = node.ask('a', 1)
    node.ready()
    expect(node.take()).to.deep.equal([])
    node.bury()
    node.ready()
    expect(node.take()).to.deep.equal([`grant a ${next}`])
  })

  it('keeps the order of priority, then of arrival', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const first = node.ask('a', 1)
    node.ready()
    const late = node.ask('b', 1)
    const later = node.ask('c', 1)
    const urgent = node.ask('d', 1, { priority: 5 })
    node.take()
    for (const request of [first, urgent, late]) node.giveBack(request)
    expect(node.take()).to.deep.equal([`grant d ${urgent}`, `grant b ${late}`, `grant c ${later}`])
  })

  it('lets a class that has nothing here pass one that has', () => {
    const node = new LeaseFixture({ numCpus: 2 })
    const first = node.ask('a', 1)
    const second = node.ask('a', 1)
    node.ask('a', 1)
    const other = node.ask('b', 1)
    node.ready()
    node.take()
    node.giveBack(first)
    expect(node.take()).to.deep.equal([`grant b ${other}`])
    node.giveBack(second)
    expect(node.take()).to.have.length(1)
  })

  it('ignores a second return, a foreign return and a cancel of what was granted', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const request = node.ask('a', 1)
    node.ready()
    node.grants.cancel('a', request)
    expect(node.grants.return('b', node.lease(request).id, false)).to.equal(false)
    expect(node.giveBack(request)).to.equal(true)
    expect(node.giveBack(request)).to.equal(false)
    expect(node.grants.stats()).to.include({ leases: 0, idle: 1 })
  })

  it('gives what a cancelled request had booked to the next one', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const cancelled = node.ask('a', 1)
    const next = node.ask('b', 1)
    node.grants.cancel('a', cancelled)
    node.ready()
    expect(node.take()).to.deep.equal([`grant b ${next}`])
  })

  it('ends the workers of an owner that is gone and drops what it asked for', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    node.ask('a', 1)
    node.ready()
    node.ask('a', 1)
    node.take()
    node.grants.ownerGone('a')
    expect(node.take()).to.deep.equal(['end the owner of its lease is gone'])
    expect(node.grants.stats()).to.include({ queued: 0, leases: 1 })
    node.bury()
    expect(node.grants.stats()).to.include({ leases: 0, workers: 0 })
    expect(node.grants.stats().available).to.deep.equal(parseResources({ numCpus: 1 }))
  })

  describe('reclaim', () => {
    it('asks the class that has most for a lease when another has waited with its first request, once', () => {
      const node = new LeaseFixture({ numCpus: 2 })
      const [first] = [node.ask('a', 1), node.ask('a', 1)]
      node.ready()
      const other = node.ask('b', 1)
      node.advance(defaultLeaseOptions.reclaimForLightAfterMs - 1)
      node.take()
      node.advance(1)
      expect(node.take()).to.deep.equal([`reclaim a ${first}`])
      node.advance(500)
      expect(node.take()).to.deep.equal([])
      node.giveBack(first)
      expect(node.take()).to.include(`grant b ${other}`)
    })

    it('asks a lower priority at once and a higher one never', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      const low = node.ask('a', 1)
      node.ready()
      node.take()
      const high = node.ask('b', 1, { priority: 1 })
      expect(node.take()).to.deep.equal([`reclaim a ${low}`])
      node.giveBack(low)
      node.ready()
      expect(node.take()).to.include(`grant b ${high}`)
      node.ask('a', 1)
      node.advance(10_000)
      expect(node.take()).to.deep.equal([])
    })

    it('does not ask a class for its own sake, and stops at equal shares', () => {
      const node = new LeaseFixture({ numCpus: 2 })
      node.ask('a', 1)
      node.ask('b', 1)
      node.ready()
      node.ask('a', 1)
      node.ask('b', 1)
      node.take()
      node.advance(5_000)
      expect(node.take()).to.deep.equal([])
    })

    it('leaves pinned leases alone', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      node.ask('a', 1, { kind: 'pinned' })
      node.ready()
      node.ask('b', 1, { priority: 9 })
      node.take()
      node.advance(5_000)
      expect(node.take()).to.deep.equal([])
    })
  })

  it('keeps room for a big request that has waited a second, and lets small ones pass before', () => {
    const node = new LeaseFixture({ numCpus: 2 })
    const [first, second] = [node.ask('a', 1), node.ask('a', 1)]
    node.ready()
    const big = node.ask('b', 2)
    const early = node.ask('c', 1)
    node.giveBack(first)
    expect(node.log).to.include(`grant c ${early}`)
    node.advance(1_000)
    const late = node.ask('d', 1)
    node.giveBack(second)
    expect(node.log).not.to.include(`grant d ${late}`)
    node.giveBack(early)
    expect(node.log).to.include(`grant b ${big}`)
    node.giveBack(big)
    expect(node.log).to.include(`grant d ${late}`)
  })

  it('gives the CPU of a blocked lease to others, and pays the debt of its return before it grants again', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const outer = node.ask('a', 1)
    node.ready()
    const { worker, epoch } = node.lease(outer)
    const inner = node.ask('w', 1)
    node.grants.workerBlocked(worker, epoch)
    node.ready()
    expect(node.log).to.include(`grant w ${inner}`)
    node.grants.workerResumed(worker, epoch)
    const next = node.ask('x', 1)
    node.giveBack(inner)
    expect(node.log).not.to.include(`grant x ${next}`)
    node.giveBack(outer)
    expect(node.log).to.include(`grant x ${next}`)
  })

  it('shares a blocked worker of the job when there are enough extra ones', () => {
    const node = new LeaseFixture({ numCpus: 1 }, { extraWorkersPerCpu: 2 })
    const depth: number[] = []
    for (let i = 0; i < 4; i++) {
      const request = node.ask(`owner${i}`, 1)
      depth.push(request)
      node.ready()
      const lease = node.lease(request)
      node.grants.workerBlocked(lease.worker, lease.epoch)
      node.grants.validate()
    }
    const workers = new Set(depth.map((request) => node.lease(request).worker))
    expect(workers.size).to.equal(2)
    for (const request of depth.reverse()) {
      const lease = node.lease(request)
      node.grants.workerResumed(lease.worker, lease.epoch)
      node.giveBack(request)
    }
    expect(node.grants.stats()).to.include({ leases: 0, idle: 2 })
  })

  it('reports a worker that cannot start once, backs off, and refuses after three in a row', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const request = node.ask('a', 1)
    let starts = 0
    for (let i = 0; i < 3; i++) {
      starts += node.started.length
      for (const worker of node.started.splice(0)) node.grants.workerDied(worker, 'Error: no such module')
      node.grants.validate()
      expect(node.started).to.have.length(0)
      node.advance(1_000)
    }
    expect(starts).to.equal(3)
    const log = node.take()
    expect(log.filter((line) => line.startsWith('spawn failure'))).to.have.length(1)
    expect(log.at(-1)).to.match(new RegExp(`^refuse a ${request} spawn-failed: .*no such module`))
    expect(node.grants.stats()).to.include({ queued: 0, workers: 0 })
    node.ask('a', 1)
    expect(node.started).to.have.length(1)
  })

  it('starts workers again that others killed at the start, and refuses after thirty in a row', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    const request = node.ask('a', 1)
    for (let i = 0; i < 29; i++) {
      for (const worker of node.started.splice(0)) node.grants.workerDied(worker, 'was ended by SIGKILL', true)
      node.grants.validate()
      expect(node.started).to.have.length(0)
      node.advance(1_000)
      expect(node.started).to.have.length(1)
    }
    expect(node.take().filter((line) => line.startsWith('refuse'))).to.deep.equal([])
    for (const worker of node.started.splice(0)) node.grants.workerDied(worker, 'was ended by SIGKILL', true)
    expect(node.take().at(-1)).to.match(new RegExp(`^refuse a ${request} spawn-failed: .*SIGKILL`))
  })

  it('kills a worker that hangs before it is ready, once, and counts that as a failed start', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    node.ask('a', 1)
    const [hanging] = node.started.splice(0)
    expect(node.grants.nextTickAtMs()).to.be.at.most(60_000)
    node.advance(60_000)
    node.advance(10)
    expect(node.ended.splice(0)).to.deep.equal([hanging])
    node.grants.workerReady(hanging ?? jobB)
    expect(node.granted).to.deep.equal([])
    node.grants.workerDied(hanging ?? jobB, 'was ended by SIGKILL')
    expect(node.take().at(-1)).to.include('not ready within 60000 ms and was ended by SIGKILL')
    node.advance(1_000)
    node.ready()
    expect(node.granted).to.have.length(1)
  })

  it('gives workers that were starting some more time when it was held up itself', () => {
    const node = new LeaseFixture({ numCpus: 1 })
    node.ask('a', 1)
    const [starting] = node.started.splice(0)
    node.advance(90_000)
    expect(node.ended).to.deep.equal([])
    node.advance(4_000)
    node.grants.workerReady(starting ?? jobB)
    expect(node.granted).to.have.length(1)
  })

  it('does not go on starting workers ahead when they cannot start', () => {
    const node = new LeaseFixture({ numCpus: 4 }, { prestart: 4, maxStarting: 2 })
    node.grants.start()
    let starts = 0
    for (let i = 0; i < 50; i++) {
      starts += node.started.length
      for (const worker of node.started.splice(0)) node.grants.workerDied(worker, 'broken')
      node.advance(1_000)
    }
    expect(starts).to.be.at.most(4)
  })

  it('reaps idle workers above the prestart count after 60 s', () => {
    const node = new LeaseFixture({ numCpus: 3 }, { prestart: 1 })
    node.grants.start()
    const requests = [node.ask('a', 1), node.ask('a', 1), node.ask('a', 1)]
    node.ready()
    for (const request of requests) node.giveBack(request)
    node.take()
    expect(node.grants.nextTickAtMs()).to.equal(60_000)
    node.advance(59_999)
    expect(node.take()).to.deep.equal([])
    node.advance(1)
    expect(node.take()).to.deep.equal(['end it was idle', 'end it was idle'])
  })

  it('replaces a worker whose epochs are used up', () => {
    const node = new LeaseFixture({ numCpus: 1 }, { maxEpoch: 2 })
    for (let i = 0; i < 3; i++) {
      const request = node.ask('a', 1)
      node.ready()
      node.giveBack(request)
      node.bury()
    }
    expect(new Set(node.granted.map((lease) => lease.worker)).size).to.equal(2)
    expect(Math.max(...node.granted.map((lease) => lease.epoch))).to.equal(2)
  })

  it('keeps one whose epochs are used up for as long as it owns something, and gives it nothing to do', () => {
    const node = new LeaseFixture({ numCpus: 1 }, { maxEpoch: 2 })
    for (let i = 0; i < 2; i++) {
      const request = node.ask('a', 1)
      node.ready()
      const worker = node.granted.at(-1)?.worker
      if (worker !== undefined) node.grants.workerHolds(worker, true)
      node.giveBack(request)
    }
    const [first] = node.granted
    if (first === undefined) throw new Error('nothing was granted')
    node.take()
    node.ask('a', 1)
    node.ready()
    expect(node.granted.at(-1)?.worker).not.to.equal(first.worker)
    expect(node.take().filter((effect) => effect.startsWith('end '))).to.deep.equal([])
    node.grants.workerHolds(first.worker, false)
    expect(node.take()).to.include('end it served its last lease')
  })

  describe('other nodes', () => {
    const four = parseResources({ numCpus: 4 })

    it('redirects what finds nothing here to the freest node, counting what it sent', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      node.grants.viewChanged([nodeRow(2, four, { available: [['CPU', 10_000]] })])
      node.ask('a', 1)
      const away = node.ask('a', 1)
      const waits = node.ask('a', 1)
      expect(node.take()).to.deep.equal([`redirect a ${away} 2`])
      node.grants.viewChanged([nodeRow(2, four)])
      expect(node.take()).to.deep.equal([`redirect a ${waits} 2`])
    })

    it('does not send a request back to a node that was busy until the view changes', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      node.grants.viewChanged([nodeRow(2, four)])
      node.ask('a', 1)
      const busy = node.ask('a', 1, { visited: [nodeId(1), nodeId(2)] })
      expect(node.take()).to.deep.equal([])
      node.grants.viewChanged([nodeRow(2, four)])
      expect(node.take()).to.deep.equal([`redirect a ${busy} 2`])
    })

    it('asks nodes that were full again and again while no head tells how they are, each time after a while', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      node.grants.viewChanged([nodeRow(2, parseResources({ numCpus: 1 }), { available: [['CPU', 0]] })])
      node.ask('a', 1)
      const first = node.ask('a', 1)
      const second = node.ask('a', 1)
      node.grants.headAway()
      node.advance(1_999)
      expect(node.take()).to.deep.equal([])
      node.advance(1)
      expect(node.take()).to.deep.equal([`redirect a ${first} 2`])
      node.advance(4_999)
      expect(node.take()).to.deep.equal([])
      node.advance(1)
      expect(node.take()).to.deep.equal([`redirect a ${second} 2`])
      const third = node.ask('a', 1)
      node.grants.viewChanged([nodeRow(2, parseResources({ numCpus: 1 }), { available: [['CPU', 0]] })], true)
      node.advance(10_000)
      expect([node.take(), third > second]).to.deep.equal([[], true])
    })

    it('asks a node again that said late, while the head was away, that it has no room', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      node.grants.viewChanged([nodeRow(2, parseResources({ numCpus: 1 }), { available: [['CPU', 0]] })])
      node.ask('a', 1)
      node.ready()
      const sent = node.ask('a', 1)
      node.take()
      node.grants.headAway()
      node.advance(2_000)
      expect(node.take()).to.deep.equal([`redirect a ${sent} 2`])
      // Longer than anybody counts on what was sent there.
      node.advance(20_000)
      const back = node.ask('a', 1, { visited: [nodeId(2)] })
      expect(node.take()).to.deep.equal([])
      node.advance(5_000)
      expect(node.take()).to.deep.equal([`redirect a ${back} 2`])
    })

    it('sends on what waits, when a node that got nothing of what was sent there does not say so', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      node.grants.viewChanged([nodeRow(2, parseResources({ numCpus: 1 }))])
      node.ask('a', 1)
      node.ready()
      node.ask('a', 1)
      const waits = node.ask('a', 1)
      node.take()
      // The redirected one never came there, so the load of that node is what it was.
      const atMs = node.grants.nextTickAtMs() ?? Number.NaN
      expect(atMs).to.be.at.most(500)
      for (let ms = 0; ms < 500; ms += 50) node.advance(50)
      expect(node.take().filter((line) => line.startsWith('redirect'))).to.deep.equal([`redirect a ${waits} 2`])
    })

    it('queues a redirected request only when it is next, else refuses it as busy', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      node.grants.viewChanged([nodeRow(2, four)])
      node.ask('a', 1)
      node.ready()
      node.take()
      const visited = [nodeId(2)]
      node.ask('far', 1, { visited }, false)
      const second = node.ask('far', 1, { visited }, false)
      expect(node.take()).to.deep.equal([`refuse far ${second} busy: node ${nodeId(1)} has nothing free`])
      expect(node.grants.stats().queued).to.equal(1)
    })

    it('queues every redirected request that its home could never run', () => {
      const node = new LeaseFixture({ numCpus: 4 })
      node.grants.viewChanged([nodeRow(2, parseResources({ numCpus: 1 }))])
      node.ask('a', 4)
      node.ask('far', 3, { visited: [nodeId(2)] }, false)
      node.ask('far', 3, { visited: [nodeId(2)] }, false)
      expect(node.grants.stats().queued).to.equal(3)
    })

    it('gives such a one back as soon as another node has room for it', () => {
      const node = new LeaseFixture({ numCpus: 4 })
      const home = nodeRow(2, parseResources({ numCpus: 1 }))
      const third = (available: number): NodeRow => nodeRow(3, four, { available: [['CPU', available * 10_000]] })
      node.grants.viewChanged([home, third(2)])
      node.ask('a', 4)
      node.ready()
      node.take()
      const waits = node.ask('far', 3, { visited: [nodeId(2)] }, false)
      expect(node.take()).to.deep.equal([])
      node.grants.viewChanged([third(3)])
      expect(node.take()).to.deep.equal([`refuse far ${waits} busy: node ${nodeId(1)} has nothing free`])
      const elsewhere = node.ask('far', 3, { visited: [nodeId(3), nodeId(2)] }, false)
      expect(node.take()).to.deep.equal([])
      const sent = node.ask('far', 3, { visited: [nodeId(2)] }, false)
      expect(node.take()).to.deep.equal([`refuse far ${sent} busy: node ${nodeId(1)} has nothing free`])
      expect([node.grants.stats().queued, elsewhere !== sent]).to.deep.equal([1, true])
    })

    it('sends a request that is too big for this node to one that can run it, busy or not', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      node.grants.viewChanged([nodeRow(2, four, { available: [['CPU', 0]] })])
      const big = node.ask('a', 4)
      expect(node.take()).to.deep.equal([`redirect a ${big} 2`])
    })

    it('tells a program once of what nobody can ever run, before it is refused', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      for (let i = 0; i < 3; i++) node.ask('a', 999)
      node.advance(1_000)
      expect(node.told).to.deep.equal([])
      node.advance(1_000)
      expect(node.told).to.have.length(1)
      expect(node.told[0]).to.include(jobA).and.include('28 s').and.include('CPU: 999').and.include('--num-cpus 999')
      node.ask('a', 999)
      node.advance(20_000)
      expect(node.told).to.have.length(1)
      node.ask('a', 998)
      node.advance(5_000)
      expect(node.told).to.have.length(2)
      expect(node.take()).to.deep.equal([])
    })

    it('tells nobody of what a node can run that came in time', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      node.ask('a', 4)
      node.advance(1_999)
      node.grants.viewChanged([nodeRow(2, four)])
      node.advance(10_000)
      expect(node.told).to.deep.equal([])
    })

    it('refuses what nobody can ever run, after 30 s, unless a node comes that can', () => {
      const node = new LeaseFixture({ numCpus: 1 })
      const never = node.ask('a', 999)
      const soon = node.ask('a', 4)
      node.advance(29_999)
      expect(node.take()).to.deep.equal([])
      node.grants.viewChanged([nodeRow(2, four)])
      expect(node.take()).to.deep.equal([`redirect a ${soon} 2`])
      node.advance(1)
      const [text] = node.take()
      expect(text).to.include(`refuse a ${never} infeasible`).and.include('CPU: 999').and.include(nodeId(2))
    })
  })

  it('keeps what only it could run while it drains, for a node that comes, and says so when none does', () => {
    const node = new LeaseFixture({ numCpus: 2 })
    const running = node.ask('a', 2)
    node.ready()
    const [waiting, big] = [node.ask('b', 1), node.ask('c', 2)]
    node.grants.drain()
    const late = node.ask('d', 2)
    expect(node.take().filter((line) => line.startsWith('refuse'))).to.deep.equal([])
    node.grants.viewChanged([nodeRow(2, parseResources({ numCpus: 1 }))])
    expect(node.take()).to.deep.equal([`redirect b ${waiting} 2`])
    node.giveBack(running)
    node.bury()
    node.take()
    node.advance(30_000)
    const refused = node.take()
    expect(refused).to.have.length(2)
    for (const [index, [owner, request]] of (
      [
        ['c', big],
        ['d', late],
      ] as const
    ).entries())
      expect(refused[index]).to.contain(`refuse ${owner} ${request} infeasible`).and.contain('draining')
  })

  it('drains: refuses what others can run later, asks for every lease, ends idle workers, and takes nothing new', () => {
    const node = new LeaseFixture({ numCpus: 2 })
    const idle = node.ask('a', 1)
    const running = node.ask('a', 1)
    const pinned = node.ask('b', 1, { kind: 'pinned' })
    node.ready()
    node.giveBack(idle)
    node.bury()
    node.ready()
    node.ask('c', 1)
    const busy = nodeRow(2, parseResources({ numCpus: 4 }), { available: [['CPU', 0]] })
    node.grants.viewChanged([busy])
    node.ask('e', 1, { visited: [nodeId(2)] })
    node.take()
    node.grants.drain()
    node.grants.validate()
    const log = node.take()
    expect(log).to.include(`reclaim a ${running}`).and.include(`reclaim b ${pinned}`)
    expect(log.filter((line) => line.includes('draining:'))).to.have.length(1)
    const late = node.ask('d', 1, { visited: [nodeId(2)] })
    expect(node.take().join()).to.match(new RegExp(`refuse d ${late} draining`))
    node.giveBack(running)
    node.giveBack(pinned)
    node.bury()
    expect(node.grants.stats()).to.include({ leases: 0, workers: 0 })
  })

  it('ends everything of a job that is over', () => {
    const node = new LeaseFixture({ numCpus: 2 })
    const request = node.ask('a', 1)
    node.ask('b', 1, { job: jobB })
    node.ready()
    node.giveBack(request)
    node.grants.jobEnded(jobB, 'the driver left')
    node.bury()
    expect(node.grants.stats()).to.include({ leases: 0, workers: 1, idle: 1 })
  })
})
