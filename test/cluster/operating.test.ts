import { expect } from 'chai'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { join } from 'node:path'
import { init, put, remote, shutdown, wait } from 'outpool'
import type { ObjectRef } from 'outpool'
import { askNodeJson } from '../../runtime/cluster/ask-node.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import type { NodeHealth } from '../../runtime/cluster/node-http.ts'
import type { LogFile } from '../../runtime/cluster/node-logs.ts'
import { defaultTokenFile } from '../../runtime/cluster/token.ts'
import type { NodeTables } from '../../runtime/node/counting.ts'
import type { StoreUsage } from '../../runtime/objects/store-usage.ts'
import { packageVersion } from '../../runtime/transport/hello.ts'
import { Command, run } from './command.ts'
import { ended, TestCluster } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { canShare } from '../tools/native.ts'

/** Told by the parent of its worker, which is the node manager. */
const whoRan = remote(async (ms: number) => {
  await new Promise((resolve) => setTimeout(resolve, ms))
  return process.ppid
})

/** Runs until a file is there. */
const untilFile = remote(
  async (started: string, path: string) => {
    const { appendFileSync, existsSync: isThere } = await import('node:fs')
    appendFileSync(started, `${process.pid}\n`)
    while (!isThere(path)) await new Promise((resolve) => setTimeout(resolve, 20))
    return process.ppid
  },
  { maxRetries: 0 },
)

const http = (node: DaemonFacts, path: string): string => `${node.url.replace(/^ws/, 'http')}${path}`

/** The status with which a node answers; `path` goes out as it is. */
function asked(node: DaemonFacts, path: string, token?: string): Promise<number | undefined> {
  const { port } = new URL(node.url)
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).on('error', reject)
  })
}

/** The samples of a scrape, by name and labels. */
async function scrape(node: DaemonFacts): Promise<Map<string, number>> {
  const response = await fetch(http(node, '/metrics'))
  expect(response.status).to.equal(200)
  expect(response.headers.get('content-type')).to.match(/^text\/plain; version=0\.0\.4/)
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const [, name, value] = /^([a-z_]+(?:\{[a-z]+="[a-z]+"\})?) (\S+)$/.exec(line) ?? []
      expect(name, line).to.be.a('string')
      return [name as string, Number(value)]
    }),
  )
}

describe('operating a cluster', function () {
  this.timeout(120_000)
  let cluster: TestCluster
  beforeEach(() => (cluster = new TestCluster()))
  afterEach(async () => {
    await shutdown()
    await cluster.close()
  })

  const join2 = (name: string): string => join(cluster.folder, name)

  it('tells this machine how a node is without a token, and nobody anything else', async () => {
    const [head] = (await cluster.startAll(0)) as [DaemonFacts]
    const health = (await (await fetch(http(head, '/healthz'))).json()) as NodeHealth
    expect(health).to.include({ node: head.id, pid: head.pid, head: true, ready: true, version: packageVersion })
    expect((await fetch(http(head, '/readyz'))).status).to.equal(200)
    expect((await fetch(http(head, '/healthz'), { method: 'POST' })).status).to.equal(405)
    for (const path of ['/memory', '/tables', '/logs', '/reach', '/logs?worker=node', '/nothing']) {
      expect((await fetch(http(head, path))).status, path).to.equal(401)
      const wrong = { authorization: `Bearer ${cluster.token}x` }
      expect((await fetch(http(head, path), { headers: wrong })).status, path).to.equal(401)
    }
    const headers = { authorization: `Bearer ${cluster.token}` }
    expect((await fetch(http(head, '/memory'), { headers })).status).to.equal(200)
    expect((await fetch(http(head, '/nothing'), { headers })).status).to.equal(404)
    for (const path of ['//', '//[', '//elsewhere/healthz', '/%', 'http://node/nothing'])
      expect(await asked(head, path, cluster.token), path).to.equal(404)
    expect(await asked(head, '//elsewhere/healthz')).to.equal(401)
    expect(await asked(head, 'http://[', cluster.token)).to.equal(400)
    for (const name of ['../node.json', '..%2fnode.json', 'ffff', '%00'])
      expect((await fetch(http(head, `/logs?worker=${name}&stream=out`), { headers })).status, name).to.equal(404)
  })

  it('says that a node is not ready while the head is away, though it is healthy', async () => {
    const [head, second] = (await cluster.startAll(1)) as [DaemonFacts, DaemonFacts & { logFile: string }]
    process.kill(head.pid, 'SIGKILL')
    const answer = await eventually(async () => {
      const response = await fetch(http(second, '/readyz'))
      return response.status === 503 ? ((await response.json()) as { reason: string }) : undefined
    })
    expect(answer.reason).to.contain('not registered with the head')
    expect((await fetch(http(second, '/healthz'))).status).to.equal(200)
    const doctor = await run(`doctor --json --address ${second.url}`)
    expect(doctor.code).to.equal(1)
    expect(doctor.out).to.contain('the head does not').and.contain('start it with the new --address')
    const said = `what runs here goes on, and the head is asked again at ${head.url} until`
    await eventually(() => readFileSync(second.logFile, 'utf8').includes(said) || undefined)
  })

  it('tells which line made an object, where the program says so', async () => {
    const head = await cluster.start({ head: true })
    process.env['OUTPOOL_SITES'] = '1'
    try {
      await init({ address: head.url })
    } finally {
      delete process.env['OUTPOOL_SITES']
    }
    const stored = await put(new Uint8Array(1 << 20))
    const made = remote((size: number) => new Uint8Array(size)).remote(1 << 21)
    await wait([made])
    const sites = await eventually(async () => {
      const { out } = await run(`memory --objects 5 --json --address ${head.url}`)
      const [{ usage }] = (JSON.parse(out) as { nodes: [{ usage: StoreUsage }] }).nodes
      const found = new Map(usage.list.map(({ key, site }) => [key, site]))
      return found.get(stored.id) && found.get(made.id) ? found : undefined
    })
    for (const ref of [stored, made]) expect(sites.get(ref.id)).to.match(/operating\.test\.ts:\d+:\d+$/)
    expect((await run(`memory --objects 5 --address ${head.url}`)).out)
      .to.contain('made at')
      .and.contain(sites.get(stored.id))
  })

  it('counts CPUs, leases, workers and objects, with the same series whatever runs', async () => {
    const head = await cluster.start({ head: true, numCpus: 2 })
    const before = await scrape(head)
    expect(before.get('outpool_node_cpus{kind="total"}')).to.equal(2)
    await init({ address: head.url })
    const job = untilFile.remote(join2('started'), join2('end'))
    await eventually(() => existsSync(join2('started')) || undefined)
    const big = await put(new Uint8Array(1 << 20))
    const during = await scrape(head)
    expect(during.get('outpool_node_cpus{kind="available"}')).to.equal(1)
    expect(during.get('outpool_node_leases{state="granted"}')).to.equal(1)
    expect(during.get('outpool_node_workers{state="leased"}')).to.equal(1)
    expect(during.get('outpool_node_jobs')).to.equal(1)
    const tables = await askNodeJson<NodeTables>(head.url, '/tables', cluster.token)
    expect(tables.node).to.include({ waiting: 0, leases: 1, booked: 1, jobs: 1, ...(canShare && { objects: 1 }) })
    const workers = Object.values(tables.workers)
    expect(workers.reduce((sum, counts) => sum + (counts?.['running'] ?? 0), 0)).to.equal(1)
    expect(during.get('outpool_store_objects')).to.equal(1)
    expect(during.get('outpool_store_bytes')).to.be.within(1 << 20, (1 << 20) + 4096)
    expect([...during.keys()]).to.deep.equal([...before.keys()])

    const { code, out } = await run(`memory --json --address ${head.url}`)
    expect(code).to.equal(0)
    const [node] = (JSON.parse(out) as { nodes: { node: string; usage: StoreUsage }[] }).nodes
    expect(node?.node).to.equal(head.id)
    expect(node?.usage).to.deep.include({ objects: 1 })
    expect(node?.usage.owners).to.have.length(1)
    const shown = await run(`memory --address ${head.url}`)
    expect(shown.out).to.contain(node?.usage.owners[0]?.owner).and.contain('1.0 MiB')
    const value = await big.get()
    const listed = await run(`memory --objects 5 --json --address ${head.url}`)
    const [{ usage }] = (JSON.parse(listed.out) as { nodes: [{ usage: StoreUsage }] }).nodes
    expect(usage.list).to.have.length(1)
    expect(usage.list[0]).to.include({
      key: big.id,
      owner: usage.owners[0]?.owner,
      ...(canShare ? { primary: true, state: 'memory' } : { primary: null, state: 'file' }),
    })
    // This program has it mapped, and so it is the one that holds it.
    expect(usage.list[0]?.holders).to.deep.equal(canShare ? [usage.owners[0]?.owner] : [])
    const holder = usage.holders.find(({ objects }) => objects > 0)
    expect(holder?.process).to.equal(canShare ? usage.owners[0]?.owner : undefined)
    expect((await run(`memory --objects 5 --address ${head.url}`)).out)
      .to.contain(big.id)
      .and.contain(canShare ? 'shared memory' : 'files')
    expect(value.length).to.equal(1 << 20)
    writeFileSync(join2('end'), '')
    expect(await job.get()).to.equal(head.pid)
    expect((await big.get()).length).to.equal(1 << 20)
    await shutdown()
    await eventually(async () => {
      const { node: counts } = await askNodeJson<NodeTables>(head.url, '/tables', cluster.token)
      // What this program has mapped stays so as long as it has the value.
      const { holders: _, objects: __, ...others } = counts
      return Object.values(others).every((count) => count === 0) || undefined
    })
  })

  it('drains a node: what runs there ends, what waits and what comes goes elsewhere, and then it stops', async () => {
    const head = await cluster.start({ head: true, numCpus: 0 })
    const second = await cluster.start({ head: false, address: head.url, numCpus: 2, labels: { name: 'second' } })
    await init({ address: head.url })
    const running = untilFile.remote(join2('started'), join2('end'))
    await eventually(() => existsSync(join2('started')) || undefined)
    const third = await cluster.start({ head: false, address: head.url, numCpus: 2 })
    const command = new Command(['drain', 'second', '--address', head.url])
    const done = command.ended()
    await cluster.seen(head, second.id, ({ state }) => state === 'draining')
    expect((await fetch(http(second, '/readyz'))).status).to.equal(503)
    const later: ObjectRef<number>[] = Array.from({ length: 20 }, () => whoRan.remote(20))
    expect(new Set(await Promise.all(later.map((ref) => ref.get())))).to.deep.equal(new Set([third.pid]))
    expect(command.out).to.not.contain('is empty')
    writeFileSync(join2('end'), '')
    expect(await running.get()).to.equal(second.pid)
    expect(await done).to.include({ code: 0, err: '' })
    expect(command.out).to.contain(`Node ${second.id} is empty and stops.`)
    await ended(second.pid)

    const unknown = await run(`drain second --address ${head.url}`)
    expect([unknown.code, unknown.err]).to.deep.equal([
      1,
      `outpool: there is no living node second; there are: ${head.id}, ${third.id}\n`,
    ])
    expect((await run(`drain ${head.id} --address ${head.url}`)).err).to.contain('is the head')
  })

  it('ends what is left on a node when the deadline of its drain is over, and says so', async () => {
    const [head, second] = (await cluster.startAll(1)) as [DaemonFacts, DaemonFacts]
    await init({ address: head.url })
    const running = [1, 2].map((n) => untilFile.remote(join2(`started-${n}`), join2('never')))
    const failures = running.map((ref) => ref.get().catch((error: Error) => error))
    await eventually(() => [1, 2].every((n) => existsSync(join2(`started-${n}`))) || undefined)
    const { code, err } = await run(`drain ${second.id} --deadline 300ms --address ${head.url}`)
    expect(code).to.equal(1)
    expect(err).to.contain('the deadline of 0.3 s was over')
    await ended(second.pid)
    const first = (await Promise.race(failures)) as Error & { code: string }
    expect(first.code).to.be.oneOf(['ERR_OUTPOOL_NODE_DIED', 'ERR_OUTPOOL_WORKER_CRASHED'])
    await shutdown()
    await Promise.all(failures)
  })

  it('says, when outpool drain is interrupted, that the drain goes on, and waits for its end when it is asked again', async () => {
    const [head, second] = (await cluster.startAll(1)) as [DaemonFacts, DaemonFacts & { logFile: string }]
    await init({ address: head.url })
    const running = [1, 2].map((n) => untilFile.remote(join2(`started-${n}`), join2('end')))
    await eventually(() => [1, 2].every((n) => existsSync(join2(`started-${n}`))) || undefined)
    const drain = ['drain', second.id, '--deadline', '10m', '--address', head.url]
    const command = new Command(drain)
    const done = command.ended()
    await cluster.seen(head, second.id, ({ state }) => state === 'draining')
    command.child.kill('SIGINT')
    const { err } = await done
    expect(command.child.signalCode).to.equal('SIGINT')
    expect(err).to.match(
      new RegExp(`^outpool: the drain of node ${second.id} goes on .* in (600|599|59\\d) s at the latest`),
    )
    expect(err).to.contain('the same command waits').and.contain('cannot be taken back')
    await cluster.seen(head, second.id, ({ state }) => state === 'draining')
    const again = new Command(drain).ended()
    await eventually(() => readFileSync(second.logFile, 'utf8').split('asked to drain').length === 3 || undefined)
    writeFileSync(join2('end'), '')
    expect(new Set(await Promise.all(running.map((ref) => ref.get())))).to.include(second.pid)
    expect(await again).to.include({ code: 0, err: '' })
    await ended(second.pid)
  })

  it('logs that a worker was ended by a signal from outside, and which task it had', async () => {
    const head = await cluster.start({ head: true })
    await init({ address: head.url })
    const kept = remote(
      async function watchedByNobody(path: string) {
        const { writeFileSync: write } = await import('node:fs')
        write(path, String(process.pid))
        await new Promise((resolve) => setTimeout(resolve, 600_000))
      },
      { maxRetries: 0 },
    )
    const failure = kept.run(join2('pid')).catch((error: Error) => error)
    const pid = await eventually(
      () => (existsSync(join2('pid')) && Number(readFileSync(join2('pid'), 'utf8'))) || undefined,
    )
    process.kill(pid, 'SIGKILL')
    expect(await failure).to.have.property('code', 'ERR_OUTPOOL_WORKER_CRASHED')
    const log = await eventually(() => {
      const text = readFileSync(head.logFile, 'utf8')
      return text.includes('it had task') ? text : undefined
    })
    expect(log).to.match(
      new RegExp(`worker [0-9a-f]{16} \\(pid ${pid}\\) was ended by SIGKILL, which this node did not send`),
    )
    expect(log).to.match(new RegExp(`\\(pid ${pid}\\), which is gone: .*; it had task watchedByNobody\n`))
  })

  it('lets work end at SIGTERM, and ends at once at the second', async () => {
    const head = await cluster.start({ head: true, numCpus: 0 })
    const node = { head: false, address: head.url, numCpus: 1, drainMs: 600_000 } as const
    const second = await cluster.start(node)
    await init({ address: head.url })
    const running = untilFile.remote(join2('started'), join2('end'))
    await eventually(() => existsSync(join2('started')) || undefined)
    process.kill(second.pid, 'SIGTERM')
    await cluster.seen(head, second.id, ({ state }) => state === 'draining')
    writeFileSync(join2('end'), '')
    expect(await running.get()).to.equal(second.pid)
    await ended(second.pid)
    expect(readFileSync(second.logFile, 'utf8')).to.match(
      /got SIGTERM: what runs here has 600 s to end\n.* drained: nothing runs here any more\n$/,
    )

    const third = await cluster.start(node)
    const lost = untilFile.remote(join2('again'), join2('never')).get()
    const failure = lost.catch((error: Error) => error)
    await eventually(() => existsSync(join2('again')) || undefined)
    process.kill(third.pid, 'SIGTERM')
    await cluster.seen(head, third.id, ({ state }) => state === 'draining')
    process.kill(third.pid, 'SIGTERM')
    await ended(third.pid)
    expect(readFileSync(third.logFile, 'utf8')).to.contain('got SIGTERM while it stops: ends at once')
    expect(await failure).to.be.instanceOf(Error)
  })

  it('shows what workers and nodes print, and follows it', async () => {
    const [head] = (await cluster.startAll(0)) as [DaemonFacts]
    await init({ address: head.url, logToDriver: false })
    const talk = remote(async (text: string, path: string) => {
      const { existsSync: isThere } = await import('node:fs')
      for (let i = 0; i < 5; i++) console.log(`${text} ${i}`)
      while (!isThere(path)) await new Promise((resolve) => setTimeout(resolve, 20))
      console.log('the last words')
    })
    const running = talk.remote('line', join2('end'))
    const files = await eventually(async () => {
      const { out } = await run(`logs --json --address ${head.url}`)
      const found = (JSON.parse(out) as { files: LogFile[] }).files
      return found.some(({ name, stream, sizeBytes }) => name !== 'node' && stream === 'out' && sizeBytes > 30)
        ? found
        : undefined
    })
    const worker = files.find(({ stream, name }) => stream === 'out' && name !== 'node')?.name as string
    const tail = await run(`logs --worker ${worker.slice(0, 6)} --lines 2 --address ${head.url}`)
    expect(tail.code).to.equal(0)
    expect(tail.out.split('\n').filter((line) => line.includes('line'))).to.deep.equal([
      `[${worker} out] line 3`,
      `[${worker} out] line 4`,
    ])
    for (const args of ['--worker zz', '--worker zz --json', '--worker node --json', '--node zz --json']) {
      const { code, out, err } = await run(`logs ${args} --address ${head.url}`)
      expect([code, out], args).to.deep.equal([1, ''])
      expect(err, args).to.match(/a worker (zz|node);|no living node zz/)
    }
    const known = await run(`logs --worker ${worker} --json --address ${head.url}`)
    expect([known.code, (JSON.parse(known.out) as { files: LogFile[] }).files.length > 0]).to.deep.equal([0, true])
    const following = new Command(['logs', '--worker', worker, '--follow', '--address', head.url])
    const over = following.ended()
    await eventually(() => following.out.includes('line 4') || undefined)
    writeFileSync(join2('end'), '')
    await running.get()
    await eventually(() => following.out.includes('the last words') || undefined)
    following.child.kill('SIGINT')
    await over
    expect((await run(`logs --node ${head.id} --address ${head.url}`)).code).to.equal(0)
    expect((await run(`logs --worker zz --address ${head.url}`)).code).to.equal(1)
    const all = await run(`logs --follow --address ${head.url}`)
    expect([all.code, all.err]).to.deep.equal([
      2,
      'outpool: what is to be followed? --node, --worker or --task says it; outpool logs lists what there is\n',
    ])
  })

  it('shows each node with its versions, and finds nothing wrong with a cluster that is well', async () => {
    const [head, second] = (await cluster.startAll(1)) as [DaemonFacts, DaemonFacts]
    const { code, out } = await run('nodes --json', { OUTPOOL_ADDRESS: second.url })
    expect(code).to.equal(0)
    const { nodes } = JSON.parse(out) as { nodes: { id: string; health: NodeHealth }[] }
    expect(nodes.map(({ id }) => id)).to.have.members([head.id, second.id])
    for (const { id, health } of nodes)
      expect(health).to.include({ node: id, version: packageVersion, nodeVersion: process.version, ready: true })
    const table = await run('nodes', { OUTPOOL_ADDRESS: second.url })
    expect(table.out).to.contain(second.url).and.contain(process.version)

    const doctor = await run(`doctor --json --address ${head.url}`)
    const report = JSON.parse(doctor.out) as { failures: number; findings: { check: string; state: string }[] }
    expect(report.findings.filter(({ state }) => state === 'failure')).to.deep.equal([])
    expect(doctor.code).to.equal(0)
    const checks = report.findings.map(({ check }) => check)
    for (const { id } of [head, second]) expect(checks).to.include(`node ${id}: reaches the others`)
  })

  it('finds a token that others can read, and says what to do', async () => {
    void cluster.token
    chmodSync(defaultTokenFile(), 0o644)
    const { code, out } = await run('doctor --no-cluster')
    expect(code).to.equal(1)
    expect(out).to.match(/failure +token: .*can be read by other users/)
    expect(out).to.contain('make a new one')
  })
})
