import { readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { settledByTheDead, stopNode, unsettled } from './scenarios/node-stopped.ts'
import { failures } from './scenarios/under-load.ts'
import { Proxy } from './proxy.ts'
import { FailureCluster, signal } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { missedSoon } from '../tools/heartbeats.ts'
import { canShare } from '../tools/native.ts'

describe('a node manager that is stopped for longer than the detection takes', function () {
  this.timeout(120_000)
  let cluster: FailureCluster
  // Long enough that what ran there runs again elsewhere when the late results come.
  const load = { leastMs: 400, mostMs: 600, cpusPerNode: 2, more: 2, ...missedSoon }

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it('has its work done elsewhere, its late results refused, and joins again as a new one', async () => {
    const result = await stopNode(cluster, { ...load, maxRetries: 3 })
    expect(result.errors).to.deep.equal([])
    expect(result.tally).to.deep.equal({ succeeded: result.submitted, failed: {} })
    expect(result.wrong).to.equal(0)
    expect(result.reason).to.contain('heard nothing')
    expect(settledByTheDead(cluster, result)).to.deep.equal([])
    expect(result.again).to.not.equal(result.victim.id)
    expect(result.left).to.deep.equal({})
  })

  it('has its work failed by name, where it must not run again', async () => {
    const result = await stopNode(cluster, { ...load, maxRetries: 0 })
    expect(unsettled(result)).to.equal(0)
    expect(failures(result)).to.be.within(1, 8)
    expect(Object.keys(result.tally.failed)).to.deep.equal(['NodeDiedError'])
    expect([...cluster.executions()].filter(([, times]) => times > 1)).to.deep.equal([])
    expect(result.left).to.deep.equal({})
  })

  it('joins again where it cannot write down what it is, and keeps what it has written before', async () => {
    const head = await cluster.startHead(missedSoon)
    const victim = await cluster.startNode(head.url, missedSoon)
    await cluster.knowEachOther([head, victim])
    signal(victim.pid, 'SIGSTOP')
    await cluster.seen(head, ({ id, state }) => id === victim.id && state === 'dead')
    // As a disk does that is full, or not there.
    const records = join(cluster.folder, 'home', 'nodes')
    renameSync(records, `${records}-away`)
    writeFileSync(records, '')
    signal(victim.pid, 'SIGCONT')
    const again = await cluster.seen(head, ({ pid, state }) => pid === victim.pid && state === 'alive')
    const log = await eventually(
      () => (cluster.logOf(victim).includes(`joined again as node ${again.id}`) && cluster.logOf(victim)) || undefined,
    )
    expect(log).to.match(/home\/nodes, cannot be made: .*; the node goes on$/m)
    expect(readdirSync(`${records}-away`)).to.include(`${victim.id}.json`)
    signal(victim.pid, 'SIGTERM')
    await eventually(() => cluster.logOf(victim).includes('the record of this node stays: ') || undefined)
  })

  it('waits for a head that is stopped just then, and is a member once that goes on', async () => {
    const head = await cluster.startHead(missedSoon)
    const proxy = await Proxy.start(head.url)
    try {
      const victim = await cluster.startNode(proxy.url, missedSoon)
      await cluster.knowEachOther([head, victim])
      signal(victim.pid, 'SIGSTOP')
      await cluster.seen(head, ({ id, state }) => id === victim.id && state === 'dead')
      // It has answered the hello by then, and reads no registration.
      proxy.onWelcome(() => {
        if (!cluster.logOf(victim).includes('It begins anew')) return
        proxy.onWelcome(() => {})
        signal(head.pid, 'SIGSTOP')
      })
      signal(victim.pid, 'SIGCONT')
      await eventually(() => cluster.logOf(victim).includes('has not registered this node yet') || undefined)
      signal(head.pid, 'SIGCONT')
      const again = await cluster.seen(head, ({ pid, state }) => pid === victim.pid && state === 'alive')
      expect(again.id).to.not.equal(victim.id)
      await eventually(() => cluster.logOf(victim).includes(`joined again as node ${again.id}`) || undefined)
    } finally {
      await proxy.close()
    }
  })
})

describe('a driver that computes for longer than the detection takes', function () {
  this.timeout(120_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it('is not declared dead: its job goes on, and its results are there afterwards', async () => {
    const [, home] = (await cluster.startAll(1, missedSoon)) as [DaemonFacts, DaemonFacts]
    const tasks = 50
    const driver = cluster.run('loop', { tasks, loopMs: 4_000 }, { address: home.url })
    await driver.next('looping')
    const outcomes = await driver.next<{ readonly tally: object; readonly retried: number }>('outcomes')
    expect(outcomes.tally).to.deep.equal({ succeeded: tasks, failed: {} })
    if (canShare) expect(outcomes.retried).to.equal(0)
    expect([...cluster.executions().values()]).to.deep.equal(Array.from({ length: tasks }, () => 1))
    driver.tell('leave')
    expect((await driver.next<{ readonly left: object }>('end')).left).to.deep.equal({})
  })
})
