import { expect } from 'chai'
import { existsSync } from 'node:fs'
import { init, shutdown } from 'outpool'
import { newProcessId } from '../../runtime/base/ids.ts'
import { joinCluster } from '../../runtime/cluster/join.ts'
import { runFolderOf } from '../../runtime/cluster/run-folder.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import type { Home } from '../../runtime/owner/home.ts'
import { steadyPort } from '../tools/steady-port.ts'
import { ended, recordedIds, TestCluster } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { missedSoon } from '../tools/heartbeats.ts'

describe('the members of a cluster', () => {
  let cluster: TestCluster
  const homes: Home[] = []

  /** A driver, and what it is told of nodes. */
  const join = async (node: DaemonFacts): Promise<{ home: Home; events: string[] }> => {
    const events: string[] = []
    const home = await joinCluster({
      address: node.url,
      token: cluster.token,
      process: newProcessId(),
      onMessage: () => {},
      onLink: () => {},
      onNodeEvent: (id, state) => events.push(`${id} ${state}`),
    })
    home.ref()
    homes.push(home)
    return { home, events }
  }

  beforeEach(() => (cluster = new TestCluster()))
  afterEach(async () => {
    for (const home of homes.splice(0)) home.close()
    await cluster.close()
  })

  it('all see each other, whichever of them is asked', async () => {
    const nodes = await cluster.startAll(2)
    for (const asked of nodes) {
      const { fromHead, nodes: rows } = await cluster.status(asked)
      expect(fromHead).to.equal(true)
      expect(rows.map(({ id }) => id)).to.have.members(nodes.map(({ id }) => id))
      expect(rows.map(({ state }) => state)).to.deep.equal(['alive', 'alive', 'alive'])
    }
    expect(recordedIds()).to.have.members(nodes.map(({ id }) => id))
  })

  it('are told when one of them is killed, and nothing of it is left', async () => {
    const [head, second, third] = (await cluster.startAll(2)) as [DaemonFacts, DaemonFacts, DaemonFacts]
    const { home, events } = await join(second)
    process.kill(third.pid, 'SIGKILL')
    const row = await cluster.seen(head, third.id, ({ state }) => state === 'dead')
    expect(row.reason).to.contain('its link to the head is gone')
    await eventually(() => events.includes(`${third.id} down`) || undefined)
    expect(await home.url(third.id)).to.equal(undefined)
    await eventually(() => !existsSync(runFolderOf(third.id)) || undefined)
    expect(recordedIds()).to.have.members([head.id, second.id])
  })

  it('hold one that is silent for dead; it joins again under a new id, at its old address', async () => {
    const head = await cluster.start({ ...missedSoon, head: true })
    const place = { head: false, address: head.url, port: await steadyPort() }
    const second = await cluster.start({ ...missedSoon, ...place })
    await cluster.seen(head, second.id, ({ state }) => state === 'alive')
    const { events } = await join(head)
    process.kill(second.pid, 'SIGSTOP')
    const row = await cluster.seen(head, second.id, ({ state }) => state === 'dead')
    expect(row.reason).to.contain('heard nothing')
    process.kill(second.pid, 'SIGCONT')
    const again = await eventually(async () => {
      const { nodes } = await cluster.status(head)
      return nodes.find(({ url, state }) => url === second.url && state === 'alive')
    })
    expect(again.id).to.not.equal(second.id)
    expect(again.pid).to.equal(second.pid)
    await eventually(() => recordedIds().includes(again.id) || undefined)
    expect(recordedIds()).to.have.members([head.id, again.id])
    await eventually(() => events.length >= 2 || undefined)
    expect(events).to.deep.equal([`${second.id} down`, `${again.id} up`])
    expect(existsSync(runFolderOf(second.id))).to.equal(false)
    expect(existsSync(runFolderOf(again.id))).to.equal(true)
  })

  it('go on while the head is stopped, and are the same when it goes on', async () => {
    const [head, second, third] = (await cluster.startAll(2)) as [DaemonFacts, DaemonFacts, DaemonFacts]
    process.kill(head.pid, 'SIGSTOP')
    const away = await cluster.status(second)
    expect(away.fromHead).to.equal(false)
    expect(away.problem).to.contain('head')
    expect(away.nodes.map(({ id }) => id)).to.have.members([head.id, second.id, third.id])
    const { home } = await join(second)
    expect((await home.dial({ node: third.id, process: third.id })).peer.process).to.equal(third.id)
    process.kill(head.pid, 'SIGCONT')
    const back = await eventually(async () => {
      const status = await cluster.status(second)
      return status.fromHead && status.nodes.every(({ heartbeatAgeMs }) => heartbeatAgeMs !== null) ? status : undefined
    })
    expect(back.nodes.map(({ id, state }) => `${id} ${state}`)).to.have.members(
      [head, second, third].map(({ id }) => `${id} alive`),
    )
  })

  it('go on without the head, and belong to the next one at its address', async () => {
    const port = await steadyPort()
    const [head, second] = (await cluster.startAll(1, {}, { port, storage: 'memory' })) as [DaemonFacts, DaemonFacts]
    process.kill(head.pid, 'SIGKILL')
    await ended(head.pid)
    const { home } = await join(second)
    expect((await home.nodes()).map(({ id }) => id)).to.include(second.id)
    const next = await cluster.start({ head: true, port, storage: 'memory' })
    const row = await cluster.seen(next, second.id, ({ state }) => state === 'alive')
    expect(row.url).to.equal(second.url)
  })

  it('leave at once, and without being missed, when they are stopped in order', async () => {
    const [head, second] = (await cluster.startAll(1)) as [DaemonFacts, DaemonFacts]
    process.kill(second.pid, 'SIGTERM')
    const row = await cluster.seen(head, second.id, ({ state }) => state === 'dead')
    expect(row.reason).to.equal('it was stopped')
    await eventually(() => !existsSync(runFolderOf(second.id)) || undefined)
  })

  it('refuse a driver that shows another token', async () => {
    const [head] = (await cluster.startAll(0)) as [DaemonFacts]
    const options = { address: head.url, process: newProcessId(), onMessage: () => {}, onLink: () => {} }
    const error = await joinCluster({ ...options, token: 'not the token of it' }).catch((failure: Error) => failure)
    expect(error).to.have.property('code', 'ERR_OUTPOOL_AUTHENTICATION')
  })
})

describe('a driver that joins', () => {
  let cluster: TestCluster
  beforeEach(() => (cluster = new TestCluster()))
  afterEach(() => cluster.close())

  const options = (address: string) => ({
    ...{ address, token: cluster.token, process: newProcessId() },
    onMessage: () => {},
    onLink: () => {},
  })

  it('uses the socket and the folder of a home on its machine, unless it is told not to', async () => {
    const [head] = (await cluster.startAll(0)) as [DaemonFacts]
    const near = await joinCluster(options(head.url))
    const far = await joinCluster({ ...options(head.url), sameMachine: false })
    expect([near.link.kind, near.runFolder]).to.deep.equal(['unix', runFolderOf(head.id)])
    expect([far.link.kind, far.runFolder]).to.deep.equal(['websocket', undefined])
    near.close()
    far.close()
  })

  it('is told the same where it asks again what it has joined', async () => {
    const head = await cluster.start({ head: true })
    try {
      const joined = await init({ address: head.url })
      expect(joined).to.include({ node: head.id, local: false })
      expect(await init()).to.deep.equal(joined)
    } finally {
      await shutdown()
    }
  })

  it('is told how to start a head, where nothing listens', async () => {
    const error = await joinCluster(options('ws://127.0.0.1:1')).catch((failure: Error) => failure)
    expect(error).to.have.property('code', 'ERR_OUTPOOL_CONNECTION_LOST')
    expect((error as Error).message).to.contain('outpool start --head')
  })

  it('reaches a driver of another node, which opens no port', async () => {
    const [head, second] = (await cluster.startAll(1)) as [DaemonFacts, DaemonFacts]
    const far = { ...options(second.url), sameMachine: false }
    const [caller, called] = [await joinCluster({ ...options(head.url), sameMachine: false }), await joinCluster(far)]
    const link = await caller.dial(called.self)
    expect(link.peer.process).to.equal(called.self.process)
    caller.close()
    called.close()
  })
})
