import { expect } from 'chai'
import type { DaemonFacts } from '../../runtime/cluster/daemon-options.ts'
import { dialTimeoutMs, directDialTimeoutMs } from '../../runtime/base/limits.ts'
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

  it('is waited for, not taken for dead, by those who need it for the first time', async () => {
    const start = (who: string): Program => {
      const args = [who, String(directDialTimeoutMs + dialTimeoutMs + 2_000)]
      const env = { OUTPOOL_ADDRESS: head.url, OUTPOOL_TOKEN: cluster.token, NODE_OPTIONS: '--expose-gc' }
      const program = new Program('busy-owners.mjs', args, env)
      programs.push(program)
      return program
    }
    const all = ['program', 'owner', 'reader'].map(start)
    const told = await Promise.all(
      all.map(async (program) => {
        await program.exit
        return program.stdout.trim() || program.stderr
      }),
    )
    expect(told).to.deep.equal([
      '["of the program"]',
      '["of a worker",true]',
      '["of a worker, kept by another one",true]',
    ])
  })
})
