import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { ProcessId } from '../../../runtime/base/ids.ts'
import { newProcessId, objectKey } from '../../../runtime/base/ids.ts'
import { openClaimPage } from '../../../runtime/objects/claim-page.ts'
import { encodeValue } from '../../../runtime/objects/value.ts'
import { MessageType } from '../../../runtime/protocol/messages.ts'
import type { LogLine, Message } from '../../../runtime/protocol/messages.ts'
import { parseResources } from '../../../runtime/scheduler/resources.ts'
import { exists, startNode, until } from './node-fixture.ts'
import type { Peer, TestNode } from './node-fixture.ts'
import { isAlive } from '../../tools/processes.mjs'

/** What a driver does first: its job begins. */
async function startJob(driver: Peer, head: Peer, job: ProcessId): Promise<void> {
  driver.say([MessageType.jobStart, 1, job, {}])
  const [, requestId] = await head.take(MessageType.jobStart)
  head.say([MessageType.jobStarted, requestId])
  await driver.take(MessageType.jobStarted)
}

describe('runtime/node/node-manager', () => {
  let node: TestNode
  afterEach(async () => {
    node.manager.validate()
    await node.stop()
    expect(exists(node.runFolder), 'the run folder is left').to.equal(false)
  })

  it('starts a worker for a lease, tells it, and brings what it prints to the driver', async () => {
    node = await startNode()
    const driver = await node.driver()
    const job = newProcessId()
    const requestId = driver.askLease(job)
    const granted = await driver.take(MessageType.leaseGranted)
    expect(granted[1]).to.equal(requestId)
    const [, , leaseId, epoch, worker, socketPath, , pid] = granted
    expect(epoch).to.equal(1)
    expect(socketPath).to.equal(join(node.runFolder, `${worker}.sock`))
    expect(isAlive(pid)).to.equal(true)
    expect(node.manager.stats()).to.include({ leases: 1, workers: 1, processes: 1 })
    driver.say([MessageType.leaseReturn, leaseId, false])
    await until(() => node.manager.stats().idle === 1)
    driver.link.close()
  })

  it('gives the lines of a worker to the driver of its job, by the name of the function', async () => {
    node = await startNode()
    const driver = await node.driver()
    driver.askLease(driver.process)
    const [, , , , , , , pid] = await driver.take(MessageType.leaseGranted)
    const lines: LogLine[] = []
    while (lines.length < 2) lines.push(...(await driver.take(MessageType.log))[1])
    expect(lines).to.deep.equal([
      ['stdout', pid, node.id, 'fixture', 'epoch 1 begins'],
      ['stdout', pid, node.id, 'fixture', 'epoch 1 is ready'],
    ])
  })

  it('ends a pinned lease with its worker, and a worker with what it started', async () => {
    node = await startNode({ environment: { FIXTURE: 'grandchild' } })
    const driver = await node.driver()
    driver.askLease(newProcessId(), 'pinned')
    const [, , leaseId, , , , , pid] = await driver.take(MessageType.leaseGranted)
    const note = join(node.runFolder, 'grandchild')
    await until(() => exists(note) && readFileSync(note, 'utf8') !== '')
    const grandchild = Number(readFileSync(note, 'utf8'))
    expect(isAlive(grandchild)).to.equal(true)
    driver.say([MessageType.leaseReturn, leaseId, true])
    await until(() => node.manager.stats().processes === 0)
    await until(() => !isAlive(grandchild) && !isAlive(pid))
    expect(node.manager.stats()).to.include({ leases: 0, workers: 0 })
  })

  it('answers workerEnd with how the worker ended and how far the epoch got, also a second time', async () => {
    node = await startNode()
    const driver = await node.driver()
    driver.askLease(newProcessId())
    const [, , , epoch, worker, , pagePath, pid] = await driver.take(MessageType.leaseGranted)
    await until(() => pagePath === '' || startedIn(pagePath, epoch) === 2)
    for (const requestId of [7, 8]) {
      driver.say([MessageType.workerEnd, requestId, worker, epoch, 'the link broke'])
      const [, answered, exit, startedUpTo] = await driver.take(MessageType.workerEnded)
      expect(answered).to.equal(requestId)
      expect(exit).to.deep.equal([null, 'SIGKILL', pid, '', 'the link broke'])
      expect(startedUpTo).to.equal(pagePath === '' ? null : 2)
    }
    expect(isAlive(pid)).to.equal(false)
    driver.say([MessageType.workerEnd, 9, newProcessId(), 1, 'never heard of it'])
    const [, , exit, startedUpTo] = await driver.take(MessageType.workerEnded)
    expect(exit[3]).to.include('never heard of it')
    expect(startedUpTo).to.equal(null)
  })

  it('does not say that it ended a worker which somebody else had killed before', async () => {
    node = await startNode()
    const driver = await node.driver()
    driver.askLease(newProcessId())
    const [, , , epoch, worker, , , pid] = await driver.take(MessageType.leaseGranted)
    process.kill(pid, 'SIGKILL')
    // This process has not heard of its end yet, and is asked to bring it about.
    while (!/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1')));
    driver.say([MessageType.workerEnd, 7, worker, epoch, 'the link broke'])
    const [, , exit] = await driver.take(MessageType.workerEnded)
    expect(exit).to.deep.equal([null, 'SIGKILL', pid, ''])
  })

  it('says for what it has ended the link of a worker, and with that the worker', async () => {
    node = await startNode({ environment: { FIXTURE: 'fault' } })
    const driver = await node.driver()
    driver.askLease(newProcessId())
    const [, , , epoch, worker] = await driver.take(MessageType.leaseGranted)
    await until(() => node.manager.stats().processes === 0)
    driver.say([MessageType.workerEnd, 7, worker, epoch, 'the link broke'])
    const [, , exit] = await driver.take(MessageType.workerEnded)
    expect(exit[4]).to.equal(
      `the link to worker ${worker} of node ${node.id} is lost: job ${node.id} cannot be started (again) by process ${worker}`,
    )
  })

  it('tells a worker that needs code why the code cache cannot be used, and leaves the worker alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'code-'))
    chmodSync(folder, 0o755)
    node = await startNode({ environment: { FIXTURE: 'code' }, codeCache: { folder } })
    const driver = await node.driver()
    driver.askLease(driver.process)
    const lines: string[] = []
    while (!lines.some((line) => line.startsWith('code ')))
      lines.push(...(await driver.take(MessageType.log))[1].map((line) => line[4]))
    expect(lines.find((line) => line.startsWith('code '))).to.equal(
      `code failed: the code cache of node ${node.id} cannot be used: the folder of the code cache, ${folder}, ` +
        'is not private to this user; chmod 700 or remove it',
    )
    expect(node.manager.stats()).to.include({ leases: 1, processes: 1 })
    rmSync(folder, { recursive: true })
  })

  it('warns of a worker that was ended by a signal from outside, and of what its owner lost there; of no other', async () => {
    node = await startNode()
    const driver = await node.driver()
    const job = newProcessId()
    driver.askLease(job)
    const [, , , epoch, worker, , , pid] = await driver.take(MessageType.leaseGranted)
    process.kill(pid, 'SIGKILL')
    await until(() => node.manager.stats().processes === 0)
    driver.say([MessageType.workerEnd, 7, worker, epoch, 'its link broke; it had task one\nand 2 more'])
    await driver.take(MessageType.workerEnded)
    const [first, second, ...more] = node.warnings
    expect(first).to.include(`worker ${worker} (pid ${pid}) was ended by SIGKILL, which this node did not send`)
    expect(first).to.include(`it served program ${job}. `).and.include('dmesg').and.include('`memory`')
    expect(second).to.equal(`worker ${worker} (pid ${pid}), which is gone: its link broke; it had task one and 2 more`)
    expect(more).to.deep.equal([])

    driver.askLease(job)
    const [, , , nextEpoch, next] = await driver.take(MessageType.leaseGranted)
    driver.say([MessageType.workerEnd, 8, next, nextEpoch, 'a task was cancelled with force'])
    await driver.take(MessageType.workerEnded)
    expect(node.warnings).to.have.length(2)
  })

  it('lets a worker live whose lease of that epoch is over', async () => {
    node = await startNode()
    const driver = await node.driver()
    driver.askLease(newProcessId())
    const [, , leaseId, epoch, worker, , , pid] = await driver.take(MessageType.leaseGranted)
    driver.say([MessageType.leaseReturn, leaseId, false])
    driver.say([MessageType.workerEnd, 1, worker, epoch, 'late'])
    await driver.take(MessageType.workerEnded)
    expect(isAlive(pid)).to.equal(true)
    expect(node.manager.stats()).to.include({ workers: 1, idle: 1 })
  })

  it('takes unstarted tasks back for an owner that cannot map the page, and only those', async () => {
    node = await startNode()
    const driver = await node.driver()
    driver.askLease(newProcessId())
    const [, , , epoch, worker, , pagePath] = await driver.take(MessageType.leaseGranted)
    await until(() => pagePath === '' || startedIn(pagePath, epoch) === 2)
    driver.say([MessageType.recall, 1, worker, epoch, [1, 2, 3, 4]])
    const [, , recalled] = await driver.take(MessageType.recalled)
    expect(recalled).to.deep.equal(pagePath === '' ? [] : [3, 4])
  })

  it('kills the workers of an owner whose link is gone', async () => {
    node = await startNode()
    const driver = await node.driver()
    driver.askLease(newProcessId())
    const [, , , , , , , pid] = await driver.take(MessageType.leaseGranted)
    driver.link.close()
    await until(() => !isAlive(pid) && node.manager.stats().processes === 0)
    expect(node.manager.stats().leases).to.equal(0)
  })

  it('refuses after three workers that could not start, with their last lines, and says so once', async () => {
    node = await startNode({ environment: { FIXTURE: 'crash' }, leases: { spawnBackoffMs: 1 } })
    const driver = await node.driver()
    const requestId = driver.askLease(newProcessId())
    const [, refused, code, text] = await driver.take(MessageType.leaseRefused)
    expect([refused, code]).to.deep.equal([requestId, 'spawn-failed'])
    expect(text).to.include('Error: the fixture cannot start').and.include('code 3')
    expect(node.warnings).to.have.length(1)
  })

  it('says later, not never, when the head is away, and names the head', async () => {
    node = await startNode({ headTimeoutMs: 30 })
    const driver = await node.driver()
    driver.say([MessageType.tableRequest, 5, 'kv', ['get', 'x']])
    const job = driver.process
    driver.say([MessageType.jobStart, 6, job, {}])
    for (const asked of [5, 6]) {
      const [, requestId, reason] = await driver.take(MessageType.headAway)
      expect(requestId).to.equal(asked)
      expect(reason).to.include('ws://head').and.include('30 ms')
    }
  })

  it('forwards table requests and watches, and renews the watches on a new link to the head', async () => {
    node = await startNode()
    const [first, second] = [await node.driver(), await node.driver()]
    const head = await node.head()
    for (const driver of [first, second]) driver.say([MessageType.tableRequest, 9, 'kv', ['watch', 'a/', 4]])
    const watches: number[] = []
    for (let i = 0; i < 2; i++) {
      const [, id, table, operation] = await head.take(MessageType.tableRequest)
      expect([table, operation[0]]).to.deep.equal(['kv', 'watch'])
      watches.push(operation[2] as number)
      head.say([MessageType.tableReply, id, '', []])
    }
    expect(new Set(watches).size).to.equal(2)
    for (const driver of [first, second]) expect((await driver.take(MessageType.tableReply))[1]).to.equal(9)
    head.say([MessageType.tableEvent, watches[0] as number, [['a/b', 1, new Uint8Array([1])]], []])
    const isEvent = (message: Message): boolean => message[0] === MessageType.tableEvent
    await until(() => [first, second].some((driver) => driver.messages.some(isEvent)))
    const told = [first, second].flatMap((driver) => driver.messages.filter(isEvent))
    expect(told.map((message) => message[1])).to.deep.equal([4])
    head.link.close()
    await until(() => node.manager.stats().head === 'away')
    const again = await node.head()
    const [, , , renewed] = await again.take(MessageType.tableRequest)
    expect(renewed.slice(0, 2)).to.deep.equal(['watch', 'a/'])
  })

  it('redirects to a node of the view, tells its load, and tells its processes who came and went', async () => {
    node = await startNode()
    const driver = await node.driver()
    const other = newProcessId()
    const total = parseResources({ numCpus: 8 })
    const row = { ...node.manager.row(), id: other, url: 'ws://other', total, available: total }
    const head = await node.head([row])
    expect((await driver.take(MessageType.nodeEvent)).slice(1, 3)).to.deep.equal([other, 'up'])
    const requestId = driver.askLease(newProcessId(), 'task', parseResources({ numCpus: 4 }))
    expect(await driver.take(MessageType.leaseRedirected)).to.deep.equal([
      MessageType.leaseRedirected,
      requestId,
      other,
    ])
    driver.askLease(newProcessId())
    await driver.take(MessageType.leaseGranted)
    let load = await head.take(MessageType.nodeLoad)
    while (load[2] > 0 || load[3] === 0) load = await head.take(MessageType.nodeLoad)
    expect(load.slice(1)).to.deep.equal([[['CPU', 10_000]], 0, 1, 'alive'])
    head.say([MessageType.clusterView, 2, [{ ...row, state: 'dead', reason: 'it fell silent' }]])
    expect((await driver.take(MessageType.nodeEvent)).slice(1)).to.deep.equal([other, 'down', 'it fell silent'])
    driver.say([MessageType.processQuery, 3, other, newProcessId()])
    expect((await driver.take(MessageType.processStatus))[2]).to.equal('dead')
  })

  it('ends everything and tells its host when it is declared dead', async () => {
    node = await startNode()
    const driver = await node.driver()
    const head = await node.head()
    driver.askLease(newProcessId())
    const [, , , , , , , pid] = await driver.take(MessageType.leaseGranted)
    head.say([MessageType.nodeDeclaredDead, node.id, 'five heartbeats were missed'])
    await until(() => node.declaredDead.length > 0 && !isAlive(pid) && driver.closed !== undefined)
    expect(node.declaredDead).to.deep.equal(['five heartbeats were missed'])
  })

  it('ends a job when its driver stays away: workers, objects, and the head hears of it', async () => {
    node = await startNode({ driverGraceMs: 20 })
    const driver = await node.driver()
    const head = await node.head()
    const job = driver.process
    await startJob(driver, head, job)
    const key = objectKey({ owner: job, number: 1 })
    await node.store.put(key, encodeValue('kept until the end', 'value'))
    driver.askLease(job)
    const [, , leaseId] = await driver.take(MessageType.leaseGranted)
    driver.say([MessageType.leaseReturn, leaseId, false])
    await until(() => node.manager.stats().idle === 1)
    driver.link.close()
    const [, ended, reason] = await head.take(MessageType.jobEnd)
    expect([ended, reason]).to.deep.equal([job, 'its driver has been gone for 20 ms'])
    await until(() => node.manager.stats().processes === 0)
    while (await node.store.contains(key)) await until(() => true)
  })

  it('hears nothing more over an older link of a process that has told over a newer one what it holds', async () => {
    node = await startNode()
    const before = await node.driver()
    const again = await node.driver(before.process)
    const later = await node.driver(before.process)
    again.say([MessageType.storeRequest, 1, ['resync', [[], [], []]]])
    await until(() => before.closed !== undefined)
    await again.take(MessageType.storeReply)
    later.askLease(before.process)
    await later.take(MessageType.leaseGranted)
    expect([again.closed, later.closed]).to.deep.equal([undefined, undefined])
  })

  it('pulls an object from another node, once for all who ask, and names the holders that failed', async () => {
    node = await startNode()
    const other = await startNode()
    try {
      const owner = newProcessId()
      const key = objectKey({ owner, number: 7 })
      const value = new Uint8Array(3_500_000).map((_, index) => index % 251)
      const sizeBytes = await other.store.put(key, encodeValue(value, 'value'))
      const driver = await node.driver()
      await node.head([other.manager.row()])
      const stranger = newProcessId()
      const holders = [[stranger, stranger] as const, [other.id, other.id] as const]
      for (const requestId of [1, 2]) driver.say([MessageType.pull, requestId, key, sizeBytes, holders])
      for (let i = 0; i < 2; i++) expect((await driver.take(MessageType.pulled))[2]).to.equal('')
      const bytes = await node.store.read(key, 0, sizeBytes)
      expect(Buffer.compare(bytes, await other.store.read(key, 0, sizeBytes))).to.equal(0)
      const missing = objectKey({ owner, number: 8 })
      driver.say([MessageType.pull, 3, missing, 10, holders])
      const [, , error] = await driver.take(MessageType.pulled)
      expect(error).to.include(missing).and.include('not known here').and.include('does not have the object')
      driver.say([MessageType.free, [key]])
      while (await node.store.contains(key)) await until(() => true)
    } finally {
      await other.stop()
    }
  })

  it('drains: a running lease is asked back, and the drain is over when it is returned', async () => {
    node = await startNode({ leases: { infeasibleTimeoutMs: 100 } })
    const driver = await node.driver()
    driver.askLease(newProcessId())
    const [, , leaseId] = await driver.take(MessageType.leaseGranted)
    const drained = node.manager.drain(60_000)
    expect((await driver.take(MessageType.leaseReclaim))[1]).to.equal(leaseId)
    driver.askLease(newProcessId())
    // It waits for a node that can take it, and there is none.
    const [, , code, reason] = await driver.take(MessageType.leaseRefused)
    expect(code).to.equal('infeasible')
    expect(reason).to.include('draining')
    driver.say([MessageType.leaseReturn, leaseId, false])
    expect(await drained).to.equal(true)
    expect(node.manager.stats()).to.include({ processes: 0, leases: 0 })
  })
})

function startedIn(pagePath: string, epoch: number): number {
  const page = openClaimPage(pagePath)
  const started = page?.startedUpTo(epoch) ?? -1
  page?.close()
  return started
}
