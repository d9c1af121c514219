import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { eventually } from '../tools/eventually.ts'
import { isAlive } from '../tools/processes.mjs'
import { headOptions, replaceHead, restartHead, restartUnderLoad } from './scenarios/head-restarted.ts'
import { Load } from './scenarios/under-load.ts'
import { FailureCluster, signal } from './support.ts'

describe('a head that is killed and started again on its tables', function () {
  this.timeout(300_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it('is found by its nodes and programs; nothing that runs fails, nothing acknowledged is missing', async () => {
    const result = await restartUnderLoad(cluster, { kills: 3, cpusPerNode: 2 })
    expect(result.outcomes.errors).to.deep.equal([])
    expect(result.outcomes.tally).to.deep.equal({ succeeded: result.outcomes.submitted, failed: {} })
    expect(result.outcomes.wrong).to.equal(0)
    expect([...cluster.executions()].filter(([, times]) => times !== 1)).to.deep.equal([])
    expect(result.acknowledged).to.be.at.least(60)
    expect(result.missing).to.deep.equal([])
    expect(result.left).to.deep.equal({})
  })

  describe('ten times during the main job', () => {
    let input: string
    before(() => {
      input = mkdtempSync(join(tmpdir(), 'input-'))
      for (let file = 0; file < 400; file++) {
        const lines = Array.from(
          { length: 400 + (file % 7) * 100 },
          (_, line) => `const a${line % 97} = b${file} + ${line}`,
        )
        writeFileSync(join(input, `${file}.js`), lines.join('\n'))
      }
    })
    after(() => rmSync(input, { recursive: true, force: true }))

    it('changes nothing of its result', async () => {
      const options = await headOptions(cluster)
      let head = await cluster.startHead(options)
      const others = await Promise.all([1, 2].map(() => cluster.startNode(head.url, { numCpus: 1 })))
      await cluster.knowEachOther([head, ...others])
      const address = (others[0] as DaemonFacts).url
      const facts = async (name: string, where: { readonly address?: string }): Promise<string> => {
        const result = (await cluster.example(`file-facts/${name}.mjs`, ['--dir', input], where)) as object
        const { wallMs: _, cpuMs: __, ...same } = result as Record<string, unknown>
        return JSON.stringify(same)
      }
      const expected = await facts('before', {})
      let kills = 0
      // The job, again and again, until the head was killed ten times in the middle of it.
      const seen: string[] = []
      while (kills < 10) {
        let running = true
        const job = facts(seen.length % 2 === 0 ? 'after' : 'map', { address }).finally(() => (running = false))
        job.catch(() => {})
        while (running && kills < 10) {
          head = await replaceHead(cluster, head, options, others)
          if (running) kills++
        }
        seen.push(await job)
      }
      expect(new Set(seen)).to.deep.equal(new Set([expected]))
    })
  })

  it('has its nodes and programs back when its tables are lost, and finds out who is dead', async () => {
    const options = await headOptions(cluster)
    // Its second start: what it says of itself is then higher than what a head without tables begins with.
    const head = await restartHead(cluster, await cluster.startHead(options), options)
    const [home, other, victim] = await Promise.all([1, 2, 3].map(() => cluster.startNode(head.url, { numCpus: 2 })))
    const nodes = [home, other, victim] as [DaemonFacts, DaemonFacts, DaemonFacts]
    await cluster.knowEachOther([head, ...nodes])
    const work = { leastMs: 200, mostMs: 300, maxRetries: 3, inFlight: 24 }
    const load = new Load(nodes, cluster.run('load', work, { address: nodes[0].url }))
    await load.until(({ tasksByNode }) => nodes.every(({ id }) => (tasksByNode[id] ?? 0) > 0))
    const lost = cluster.workers(nodes[2].id)
    // Nobody is there to hear of its death.
    for (const { pid } of [head, nodes[2]]) signal(pid, 'SIGKILL')
    await eventually(() => !isAlive(head.pid) || undefined)
    rmSync(options.storage as string, { recursive: true })
    const next = await cluster.startHead(options)
    for (const { id } of nodes.slice(0, 2)) await cluster.seen(next, (row) => row.id === id && row.state === 'alive')
    await load.until(({ retried }) => retried > 0)
    await load.more(20)
    const result = await load.enough()
    expect(result.errors).to.deep.equal([])
    expect(result.tally).to.deep.equal({ succeeded: result.submitted, failed: {} })
    expect(result.wrong).to.equal(0)
    // What began on the node that died and was not answered from there, and nothing else: no job was ended by mistake.
    // That may be nothing: on a busy machine each of its workers may be between two tasks just then.
    const answered = new Set(result.answeredBy.flatMap(([id, pid]) => (lost.includes(pid) ? [id] : [])))
    const cutOff = [...cluster.executions(lost).keys()].filter((id) => !answered.has(id))
    expect(cutOff.length).to.be.at.most(2)
    const again = [...cluster.executions()].filter(([, times]) => times > 1)
    expect(again).to.have.deep.members(cutOff.map((id) => [id, 2]))
    expect(await load.leave()).to.deep.equal({})
  })
})

describe('a head that is started again with another token', function () {
  this.timeout(120_000)
  let cluster: FailureCluster

  beforeEach(() => (cluster = new FailureCluster()))
  afterEach(() => cluster.close())

  it('ends nothing of what runs: its nodes say that they are refused, and are back when it has the right one', async () => {
    const options = await headOptions(cluster)
    const head = await cluster.startHead(options)
    const home = await cluster.startNode(head.url, { numCpus: 2 })
    const work = { leastMs: 1, mostMs: 30, maxRetries: 0, inFlight: 8 }
    const load = new Load([home], cluster.run('load', work, { address: home.url }))
    await load.more(20)
    const wrong = await restartHead(cluster, head, { ...options, environment: { OUTPOOL_TOKEN: 'x'.repeat(40) } })
    await eventually(() => cluster.logOf(home).includes('the connection was refused: the token') || undefined)
    await load.more(20)
    await replaceHead(cluster, wrong, options, [home])
    await load.more(20)
    const result = await load.enough()
    expect(result.errors).to.deep.equal([])
    expect(result.tally).to.deep.equal({ succeeded: result.submitted, failed: {} })
    expect(await load.leave()).to.deep.equal({})
    expect(cluster.logOf(home).split('the connection was refused')).to.have.length(2)
  })
})
