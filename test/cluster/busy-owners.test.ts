import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { dialTimeoutMs, directDialTimeoutMs, helloTimeoutMs } from '../../runtime/base/limits.ts'
import { eventually } from '../tools/eventually.ts'
import { Program, TestCluster } from './support.ts'

describe('a process that computes for longer than a connection takes', () => {
  let cluster: TestCluster
  let head: DaemonFacts
  const programs: Program[] = []

  before(async () => {
    cluster = new TestCluster()
    head = await cluster.start({ head: true, resources: { n1: 10 } })
    await cluster.start({ head: false, address: head.url, resources: { n2: 10 } })
  })
  after(async () => {
    for (const program of programs.splice(0)) await program.remove()
    await cluster.close()
  })

  const start = (who: string, forMs: number): Program => {
    const env = { OUTPOOL_ADDRESS: head.url, OUTPOOL_TOKEN: cluster.token, NODE_OPTIONS: '--expose-gc' }
    const program = new Program('busy-owners.mjs', [who, String(forMs)], env)
    programs.push(program)
    return program
  }
  const told = async (program: Program): Promise<string> => {
    await program.exit
    return program.stdout.trim() || program.stderr
  }

  it('is waited for, not taken for dead, by those who need it for the first time', async () => {
    const forMs = directDialTimeoutMs + dialTimeoutMs + 2_000
    const all = ['program', 'owner', 'reader'].map((who) => start(who, forMs))
    // This one computes in two goes, and is asked to call back between them.
    all.push(start('slices', helloTimeoutMs + 600), start('printer', forMs))
    const said = await Promise.all(all.map(told))
    expect(said.pop()).to.match(/^[^\n]*of a task of a task\n\[\]$/)
    expect(said).to.deep.equal([
      '["of the program"]',
      '["of a worker",true]',
      '["of a worker, kept by another one",true]',
      '["of slices"]',
    ])
  })

  it('keeps its place behind its answer, where it owns something', async () => {
    const owners = start('behind', 5_000)
    await eventually(() => owners.stdout.includes('owned') || undefined)
    expect(await told(start('wants', 0))).to.equal('["had"]')
    expect(await told(owners)).to.equal('owned\n[0,1,2,3,4,5,6,7]')
  })

  it('keeps its place where it has a task of its own run when it has long answered', async () => {
    const owners = start('later', 5_000)
    await eventually(() => owners.stdout.includes('owned') || undefined)
    expect(await told(start('wants', 0))).to.equal('["had"]')
    expect(await told(owners)).to.equal(`owned\n${JSON.stringify(new Array(8).fill('slow'))}`)
  })
})
