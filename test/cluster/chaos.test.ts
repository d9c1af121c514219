import { expect } from 'chai'
import { listRecords } from '../../runtime/cluster/node-records.ts'
import { stateOfProcess } from '../../runtime/base/process-identity.ts'
import { run } from './command.ts'
import { TestCluster } from './support.ts'
import { eventually } from '../tools/eventually.ts'

describe('outpool chaos', function () {
  this.timeout(120_000)
  let cluster: TestCluster

  beforeEach(() => (cluster = new TestCluster()))
  afterEach(async () => {
    const left = listRecords()
    for (const { pid } of left) process.kill(pid, 'SIGTERM')
    for (const note of left) await eventually(() => stateOfProcess(note) !== 'alive' || undefined)
    await cluster.close()
  })

  const start = async (args: string): Promise<void> => {
    const { code, err } = await run(`start --port 0 --num-cpus 1 --memory 1GiB ${args}`)
    expect([code, err]).to.deep.equal([0, ''])
  }
  const headUrl = (): string => listRecords().find(({ head }) => head)?.url ?? ''

  it('touches nothing of a cluster of which one node was not started for it, and says which', async () => {
    await start('--head --allow-chaos')
    await start(`--address ${headUrl()}`)
    const before = listRecords()
    const { code, err } = await run('chaos --seed 1 --seconds 1 --every 0.1 --faults kill-node,kill-head')
    expect(code).to.equal(1)
    expect(err).to.contain('not every node of this cluster may be harmed')
    const [innocent, other] = [before.find(({ head }) => !head), before.find(({ head }) => head)]
    expect(err).to.contain(innocent?.url)
    expect(err).to.not.contain(other?.url)
    expect(err).to.contain('outpool start --allow-chaos')
    expect(listRecords().map(({ id }) => id)).to.have.members(before.map(({ id }) => id))
  })

  it('kills and stops what it says, and starts again what it killed, where it was', async () => {
    await start('--head --allow-chaos')
    await start(`--address ${headUrl()} --allow-chaos --labels zone=a`)
    const before = listRecords()
    const faults = 'kill-node,kill-head,stop-node,cut,messages'
    const args = `chaos --seed 4 --seconds 3 --every 0.4-0.6 --longest 300ms --restart --json --faults ${faults}`
    const { code, err, out } = await run(args)
    expect([code, err]).to.deep.equal([0, ''])
    const acts = out
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { what: string; text: string })
    expect(acts[0]).to.include({ what: 'plan', seed: 4 })
    const done = new Set(acts.filter(({ text }) => !text?.startsWith('not done')).map(({ what }) => what))
    for (const what of ['kill-node', 'restart', 'messages']) expect(done, out).to.include(what)
    const after = listRecords()
    expect(after.map(({ url }) => url)).to.have.members(before.map(({ url }) => url))
    const killed = acts.filter(({ what }) => what === 'restart').length
    expect(killed).to.be.above(0)
    expect(after.some(({ id }) => !before.some((one) => one.id === id))).to.equal(true)
    expect(after.every(({ options }) => options?.allowChaos === true)).to.equal(true)
    const { nodes } = JSON.parse((await run('status --json')).out) as { nodes: { state: string; labels: object }[] }
    const alive = nodes.filter(({ state }) => state === 'alive')
    expect(alive.map(({ labels }) => labels)).to.deep.include({ zone: 'a' })
  })

  it('prints the plan of a seed, the same again, without a cluster', async () => {
    const args = 'chaos --seed 7 --seconds 10 --every 0.5-2 --dry-run'
    const [first, again, other] = await Promise.all([run(args), run(args), run(args.replace('7', '8'))])
    expect(first.code).to.equal(0)
    expect(first.out).to.match(/^seed 7: \d+ acts in 10 s\n/)
    expect(first.out).to.equal(again.out)
    expect(first.out).to.not.equal(other.out)
    const [none, wrong, help] = await Promise.all([
      run('chaos --seed 1'),
      run('chaos --dry-run --faults burn'),
      run('chaos --help'),
    ])
    expect(none.code).to.equal(3)
    expect(none.err).to.contain('outpool start --head')
    expect(wrong.code).to.equal(2)
    expect(wrong.err).to.contain('The faults are kill-worker')
    for (const text of ['Examples:', 'Exit codes:', '--allow-chaos', 'tear']) expect(help.out).to.contain(text)
  })
})
