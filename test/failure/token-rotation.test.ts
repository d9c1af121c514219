import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'chai'
import { randomInteger, seededRandom } from '../../runtime/base/random.ts'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { findNode } from '../../runtime/cluster/join.ts'
import { fingerprint } from '../../runtime/cluster/token-requests.ts'
import { failures, Load } from './scenarios/under-load.ts'
import { FailureCluster, signal } from './support.ts'
import { eventually } from '../tools/eventually.ts'

interface Joined {
  readonly name: string
  readonly message: string
}

interface Ended {
  readonly code: number | null
  readonly text: string
}

/** Links are made all the time: workers die at random, and each one that follows is dialled anew. */
function killWorkers(cluster: FailureCluster): { stop(): Promise<number> } {
  const random = seededRandom(11)
  let kills = 0
  let over = false
  const killing = (async () => {
    while (!over) {
      const pids = cluster.workers()
      const pid = pids[randomInteger(random, Math.max(1, pids.length))]
      if (pid !== undefined && signal(pid, 'SIGKILL')) kills++
      await sleep(200)
    }
  })()
  return {
    async stop() {
      over = true
      await killing
      return kills
    },
  }
}

describe('a cluster that moves to another token', function () {
  this.timeout(120_000)
  let cluster: FailureCluster
  let files: string[]
  let killing: ReturnType<typeof killWorkers> | undefined

  beforeEach(() => {
    cluster = new FailureCluster()
    // One for each machine, as it were.
    files = [0, 1, 2].map((machine) => join(cluster.folder, `token-${machine}`))
    for (const file of files) writeFileSync(file, `${cluster.token}\n`, { mode: 0o600 })
  })
  afterEach(async () => {
    await killing?.stop()
    killing = undefined
    await cluster.close()
  })

  const environment = (machine: number): Record<string, string> => ({
    OUTPOOL_TOKEN: '',
    OUTPOOL_TOKEN_FILE: files[machine] as string,
  })
  const startAll = async (more: number): Promise<DaemonFacts[]> => {
    const head = await cluster.startHead({ numCpus: 2, environment: environment(0) })
    const others = [1, 2].slice(0, more)
    const start = (machine: number): Promise<DaemonFacts> =>
      cluster.startNode(head.url, { numCpus: 2, environment: environment(machine) })
    const nodes = [head, ...(await Promise.all(others.map(start)))]
    await cluster.knowEachOther(nodes)
    return nodes
  }
  const outpool = async (args: string): Promise<Ended> => {
    const env = { ...cluster.environment, ...environment(0) }
    const child = spawn(process.execPath, [cluster.commandLine, ...args.split(' ')], { env })
    let text = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (more: Buffer) => (text += more.toString()))
    const code = await new Promise<number | null>((resolve) => void child.once('close', resolve))
    return { code, text }
  }
  const join_ = (node: DaemonFacts, shown: Record<string, string>): Promise<Joined> =>
    cluster.run('join', {}, { address: node.url, environment: shown }).next<Joined>('end')

  it('refuses no link on the way, and the old token at its end, with work running the whole time', async () => {
    const nodes = await startAll(2)
    const [head, home] = nodes as [DaemonFacts, DaemonFacts]
    // This program has the old token for ever, were it not for its home.
    const work = { leastMs: 5, mostMs: 25, maxRetries: -1, inFlight: 24 }
    const load = new Load(nodes, cluster.run('load', work, { address: home.url }))
    await load.until(({ tasksByNode }) => nodes.every(({ id }) => (tasksByNode[id] ?? 0) > 0))
    killing = killWorkers(cluster)
    await load.more(200)

    const moved = await outpool(`token rotate --address ${head.url}`)
    expect(moved.code, moved.text).equal(0)
    expect(moved.text).to.not.contain(cluster.token)
    const tokens = readFileSync(files[0] as string, 'utf8')
      .trim()
      .split('\n')
    expect(tokens).to.have.length(2).and.to.include(cluster.token)
    expect(tokens[0]).to.not.equal(cluster.token)
    for (const file of files) {
      expect(readFileSync(file, 'utf8').trim().split('\n')).deep.equal(tokens)
      expect(statSync(file).mode & 0o777).equal(0o600)
    }
    await load.more(200)
    // Meanwhile both are good.
    const newcomers = [{ OUTPOOL_TOKEN: cluster.token }, { OUTPOOL_TOKEN: tokens[0] as string }, environment(2)]
    for (const shown of newcomers) expect((await join_(home, shown)).message).equal('')
    const again = await outpool(`token rotate --address ${head.url}`)
    expect(again.code).equal(1)
    expect(again.text).to.contain('outpool token retire drops')

    const retired = await outpool(`token retire --address ${head.url}`)
    expect(retired.code, retired.text).equal(0)
    for (const file of files) expect(readFileSync(file, 'utf8')).equal(`${tokens[0]}\n`)
    await load.more(200)
    expect(nodes.map((node) => cluster.logOf(node)).join('')).to.not.match(/refused (a|\d+ more) connection/)
    expect((await join_(home, environment(1))).message).equal('')
    const late = await join_(home, { OUTPOOL_TOKEN: cluster.token })
    expect(late.name).equal('AuthenticationError')
    await eventually(() => cluster.logOf(home).includes('(authentication): the token is missing or wrong') || undefined)

    expect(await killing.stop()).to.be.above(5)
    const outcomes = await load.enough()
    expect(failures(outcomes), JSON.stringify(outcomes.errors)).equal(0)
    expect(outcomes.wrong).equal(0)
    for (const node of nodes) await load.ranOn(node.id)
    expect(await load.leave()).deep.equal({})
  })

  it('does so by hand as well: a node reads its file again when it changes', async () => {
    const [head] = (await startAll(0)) as [DaemonFacts]
    const other = randomBytes(24).toString('hex')
    const write = (...tokens: string[]): void => {
      const file = files[0] as string
      writeFileSync(`${file}.new`, tokens.map((token) => `${token}\n`).join(''), { mode: 0o600 })
      renameSync(`${file}.new`, file)
    }
    const isGood = (token: string): Promise<boolean> =>
      findNode(head.url, token).then(
        () => true,
        () => false,
      )
    expect(await Promise.all([isGood(cluster.token), isGood(other)])).deep.equal([true, false])
    write(cluster.token, other)
    // Known from here on, without a signal: the file is looked at for every connection.
    expect(await Promise.all([isGood(cluster.token), isGood(other)])).deep.equal([true, true])
    write(other, cluster.token)
    signal(head.pid, 'SIGHUP')
    const said = `shows token ${fingerprint(other)} and accepts ${[other, cluster.token].map(fingerprint).join(' and ')}`
    await eventually(() => cluster.logOf(head).includes(said) || undefined)
    expect((await join_(head, { OUTPOOL_TOKEN: cluster.token })).message).equal('')
    writeFileSync(files[0] as string, 'short\n')
    await eventually(() => cluster.logOf(head).includes('the token stays: what ') || undefined)
    expect(await Promise.all([isGood(cluster.token), isGood(other)])).deep.equal([true, true])
    write(other)
    expect(await Promise.all([isGood(cluster.token), isGood(other)])).deep.equal([false, true])
    expect(cluster.logOf(head)).to.not.contain(other)
  })
})
