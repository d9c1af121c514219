import { expect } from 'chai'
import { availableParallelism } from 'node:os'
import { elsewhere, startNetwork } from './apart.ts'
import { nothingWrong, workApart } from './scenarios/apart.ts'
import { runMainJob } from './scenarios/main-job.ts'
import { nothingHeld } from './scenarios/scale.ts'
import { FailureCluster } from './support.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'

/** It owns what nested tasks use, so they have to come to it: it calls back, since nobody can call it. */
describe('a driver that nobody can reach', function () {
  this.timeout(120_000)
  let cluster: FailureCluster
  const undo: (() => void)[] = []

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(async () => {
    await cluster.close()
    for (const act of undo.splice(0)) act()
  })

  it('does its work from another network', async function () {
    const network = startNetwork(this, cluster)
    undo.push(() => network.close())
    const nodes = await cluster.startAll(2, { numCpus: 2, host: network.address })
    const how = { address: (nodes[1] as DaemonFacts).url, within: network.within }
    expect(await workApart(cluster, nodes, how)).to.deep.equal(nothingWrong)
  })

  it('runs the main job from another network, with the results of the original', async function () {
    const network = startNetwork(this, cluster)
    undo.push(() => network.close())
    const nodes = await cluster.startAll(2, { numCpus: availableParallelism(), host: network.address })
    const how = { address: (nodes[1] as DaemonFacts).url, within: network.within }
    const results = await runMainJob(cluster, 300, how)
    expect(results.after).to.deep.equal(results.before)
    expect(results.map).to.deep.equal(results.before)
    await nothingHeld(cluster, nodes[0] as DaemonFacts)
  })

  it('does its work from another machine, where only its home can be reached', async function () {
    const network = startNetwork(this, cluster)
    undo.push(() => network.close())
    const head = await cluster.startHead({ numCpus: 2, host: network.address })
    // The others listen on the loopback of their machine.
    const others = await Promise.all([1, 2].map(() => cluster.startNode(head.url, { numCpus: 2 })))
    await cluster.knowEachOther([head, ...others])
    const how = { address: head.url, within: network.within }
    expect(await workApart(cluster, [head, ...others], how)).to.deep.equal(nothingWrong)
  })

  it('does its work without a folder in common with its home', async function () {
    const within = elsewhere(this, cluster)
    const nodes = await cluster.startAll(2, { numCpus: 2 })
    const how = { address: (nodes[1] as DaemonFacts).url, within }
    expect(await workApart(cluster, nodes, how)).to.deep.equal(nothingWrong)
  })
})
