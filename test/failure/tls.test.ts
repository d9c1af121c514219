import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as connectNet } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { expect } from 'chai'
import { AuthenticationError, ConnectionLostError } from '../../runtime/base/errors.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import type { TlsFiles } from '../../runtime/cluster/tls-files.ts'
import { routesPath } from '../../runtime/protocol/version.ts'
import { needTool } from '../tools/need.ts'
import { failures, Load } from './scenarios/under-load.ts'
import { residentBytes, sampleMemory, saySilently } from './scenarios/uninvited.ts'
import { FailureCluster, signal } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { missedSoon } from '../tools/heartbeats.ts'

/** An authority in a folder, and what it has signed for this machine. */
class Authority {
  readonly ca: string
  readonly #folder: string

  constructor(folder: string, name: string) {
    this.#folder = folder
    this.ca = join(folder, `${name}.pem`)
    this.#openssl(['req', '-x509', '-nodes', '-days', '2', '-subj', `/CN=${name}`, '-out', this.ca])
  }

  sign(name: string): TlsFiles {
    const [cert, extensions] = [join(this.#folder, `${name}.crt`), join(this.#folder, `${name}.ext`)]
    const { ca } = this
    writeFileSync(extensions, 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
    this.#openssl(['req', '-nodes', '-subj', `/CN=${name}`, '-out', `${cert}.request`], cert)
    const signing = ['-CA', ca, '-CAkey', `${ca}.key`, '-CAcreateserial', '-days', '2', '-extfile', extensions]
    this.#run(['x509', '-req', '-in', `${cert}.request`, ...signing, '-out', cert])
    return { cert, key: `${cert}.key`, ca }
  }

  #openssl([command = '', ...rest]: readonly string[], of: string = this.ca): void {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', `${of}.key`]
    this.#run([command, ...key, ...rest])
  }

  #run(args: readonly string[]): void {
    const { status, stderr, error } = spawnSync('openssl', args, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`openssl ${args.join(' ')}: ${error?.message ?? stderr}`)
  }
}

describe('a cluster with TLS', function () {
  this.timeout(120_000)
  const before_ = process.env['OUTPOOL_TLS_CA']
  let folder: string
  let ours: Authority
  let theirs: Authority
  let tls: TlsFiles
  let cluster: FailureCluster

  before(function () {
    needTool(this, 'openssl', 'apt-get install openssl')
    folder = mkdtempSync(join(tmpdir(), 'tls-'))
    ours = new Authority(folder, 'ours')
    theirs = new Authority(folder, 'theirs')
    tls = ours.sign('node')
  })
  after(() => {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true })
  })
  beforeEach(() => {
    process.env['OUTPOOL_TLS_CA'] = ours.ca
    cluster = new FailureCluster()
  })
  afterEach(async () => {
    await cluster.close()
    if (before_ === undefined) delete process.env['OUTPOOL_TLS_CA']
    else process.env['OUTPOOL_TLS_CA'] = before_
  })

  it('runs a job over encrypted connections alone', async () => {
    const nodes = await cluster.startAll(1, { tls, numCpus: 2 })
    const [head, other] = nodes as [DaemonFacts, DaemonFacts]
    expect([head.url, other.url, other.headUrl].map((url) => new URL(url).protocol)).deep.equal([
      'wss:',
      'wss:',
      'wss:',
    ])
    const work = { leastMs: 5, mostMs: 25, maxRetries: 0, inFlight: 16 }
    const load = new Load(nodes, cluster.run('load', work, { address: other.url }))
    await load.until(({ tasksByNode }) => nodes.every(({ id }) => (tasksByNode[id] ?? 0) > 0))
    const outcomes = await load.enough()
    expect(failures(outcomes)).equal(0)
    expect(outcomes.wrong).equal(0)
    expect(outcomes.tally.succeeded).equal(outcomes.submitted)
    for (const node of nodes) await load.ranOn(node.id)
    expect(await load.leave()).deep.equal({})
    expect(nodes.map((node) => cluster.logOf(node)).join('')).to.not.contain('refused')
  })

  it('refuses whoever speaks in the clear or an old version of TLS, and says so in its log', async () => {
    const head = await cluster.startHead({ tls })
    const port = Number(new URL(head.url).port)
    const plain = connectNet(port, '127.0.0.1')
    plain.on('error', () => {})
    plain.write(
      `GET ${routesPath}/process/any HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${cluster.token}\r\n\r\n`,
    )
    let heard = 0
    plain.on('data', (chunk: Buffer) => (heard += chunk.length))
    await new Promise((resolve) => plain.once('close', resolve))
    expect(heard, 'bytes of an answer').equal(0)
    const logged = (text: string): Promise<true> => eventually(() => cluster.logOf(head).includes(text) || undefined)
    await logged('the TLS handshake failed')
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    const dated = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...old })
    const error = await new Promise<Error | undefined>((resolve) => {
      dated.once('error', resolve)
      dated.once('secureConnect', () => resolve(undefined))
    })
    dated.destroy()
    expect(error).to.be.instanceOf(Error)
    await eventually(() => cluster.logOf(head).match(/TLS handshake failed/g)?.length === 2 || undefined)
    expect(cluster.logOf(head)).to.not.contain(cluster.token)
  })

  it('bears two thousand connections that begin no handshake, in bounded memory, and says so in its log', async () => {
    const nodes = await cluster.startAll(1, { tls, numCpus: 2 })
    const [head, other] = nodes as [DaemonFacts, DaemonFacts]
    const work = { leastMs: 5, mostMs: 25, maxRetries: 0, inFlight: 16 }
    const load = new Load(nodes, cluster.run('load', work, { address: other.url }))
    await load.until(({ tasksByNode }) => nodes.every(({ id }) => (tasksByNode[id] ?? 0) > 0))
    const before = residentBytes(head.pid)
    const memory = sampleMemory(head.pid)
    const silences = await saySilently(head, 2_000)
    await load.more(100)
    expect(memory.stop() - before).to.be.below(100 * 1024 * 1024)
    expect(silences.map(({ said }) => said)).deep.equal([''])
    expect(cluster.logOf(head)).to.contain('(busy): 256 TLS handshakes are under way already')
    // Places are free again when those that say nothing were given up.
    await eventually(async () => (await cluster.status(head).catch(() => undefined))?.fromHead || undefined)
    const outcomes = await load.enough()
    expect(failures(outcomes), JSON.stringify(outcomes.errors)).equal(0)
    expect(await load.leave()).deep.equal({})
  })

  it('is not joined in the clear by a program that is told to use TLS, nor by one that trusts somebody else', async () => {
    const head = await cluster.startHead({ tls })
    const inTheClear = { ...head, url: head.url.replace('wss:', 'ws:') }
    const refusal = async (node: DaemonFacts): Promise<unknown> => cluster.status(node).catch((error: unknown) => error)
    const own = await refusal(inTheClear)
    expect(own).to.be.instanceOf(AuthenticationError)
    expect((own as Error).message).to.contain('OUTPOOL_TLS_CA is set')
    process.env['OUTPOOL_TLS_CA'] = theirs.ca
    const stranger = await refusal(head)
    expect(stranger).to.be.instanceOf(ConnectionLostError)
    expect((stranger as Error).message).to.match(/certificate/)
    delete process.env['OUTPOOL_TLS_CA']
    expect(await refusal(inTheClear)).to.be.instanceOf(ConnectionLostError)
    process.env['OUTPOOL_TLS_CA'] = ours.ca
    expect((await cluster.status(head)).nodes).to.have.length(1)
  })

  it('has a node joined again, as one that was declared dead, while its certificate is being replaced', async () => {
    const files = ours.sign('replaced')
    const head = await cluster.startHead({ tls, ...missedSoon })
    const victim = await cluster.startNode(head.url, { tls: files, ...missedSoon })
    await cluster.knowEachOther([head, victim])
    signal(victim.pid, 'SIGSTOP')
    await cluster.seen(head, ({ id, state }) => id === victim.id && state === 'dead')
    writeFileSync(files.cert, '')
    signal(victim.pid, 'SIGCONT')
    const again = await cluster.seen(head, ({ pid, state }) => pid === victim.pid && state === 'alive')
    await eventually(() => cluster.logOf(victim).includes(`joined again as node ${again.id}`) || undefined)
    expect(cluster.logOf(victim)).to.contain('the node goes on with the certificate that it had')
    expect((await cluster.status({ ...victim, ...again })).nodes).to.have.length.at.least(2)
  })

  it('does not begin with a certificate that is none, and says which', async () => {
    const refused = await cluster.startHead({ tls: { ...tls, key: tls.cert } }).catch((error: unknown) => error)
    expect((refused as Error).message).to.contain('are not a certificate and its key')
    const missing = await cluster.startHead({ tls: { ...tls, cert: '/nowhere.pem' } }).catch((error: unknown) => error)
    expect((missing as Error).message).to.contain('--tls-cert /nowhere.pem cannot be read')
  })
})
