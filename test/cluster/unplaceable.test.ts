import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { Program, TestCluster } from './support.ts'

describe('what no node can take', () => {
  let cluster: TestCluster
  let program: Program | undefined

  beforeEach(() => (cluster = new TestCluster()))
  afterEach(async () => {
    await program?.remove()
    program = undefined
    await cluster.close()
  })

  const told =
    /what a program asks for waits 2 s more, as no node can take it: asked for CPU: 1, unicorn: 1; no node has unicorn: 1\. Nodes: .* outpool start \.\.\. --resources '\{"unicorn":1\}' .*\n/

  it('is told of before it fails', async () => {
    program = new Program('unplaceable.mjs')
    expect(await program.exit).to.deep.equal([0, null])
    expect(program.stdout).to.equal('ERR_OUTPOOL_TASK_UNSCHEDULABLE\n')
    expect(program.stderr).to.match(new RegExp(`^outpool: ${told.source}$`))
  })

  it('is told of by a node to the program whose task asks for it, and in its log', async () => {
    const { id, url, logFile } = await cluster.start({ head: true, numCpus: 1, infeasibleTimeoutMs: 3_500 })
    program = new Program('unplaceable.mjs', [], { OUTPOOL_ADDRESS: url, OUTPOOL_TOKEN: cluster.token })
    expect(await program.exit).to.deep.equal([0, null])
    expect(program.stdout).to.equal('ERR_OUTPOOL_TASK_UNSCHEDULABLE\n')
    expect(program.stderr).to.match(new RegExp(`^\\(outpool pid=0 node=${id.slice(0, 8)}\\) ${told.source}$`))
    expect(readFileSync(logFile, 'utf8').match(new RegExp(told, 'g'))).to.have.length(1)
  })
})
