import { readFileSync } from 'node:fs'
import { expect } from 'chai'
import { eventually } from '../tools/eventually.ts'
import { Program, TestCluster } from './support.ts'

const mebibyte = 1024 * 1024

describe('a store that is full', () => {
  let cluster: TestCluster
  let program: Program | undefined

  beforeEach(() => (cluster = new TestCluster()))
  afterEach(async () => {
    await program?.remove()
    program = undefined
    await cluster.close()
  })

  const results = `${14 * mebibyte}\n${15 * mebibyte}\n`
  const told =
    /the object store of node [0-9a-f]{16} is full: \d+ of 33554432 bytes are in use, all of it by values that processes hold; most is held by .* for room, the first for 1[45]\d{6} bytes\. Who gets none fails after 10000 ms; drop values and refs, or start the node with a larger objectStoreMemory\n/

  /** Its exit code, after it has let go of what it holds. */
  async function untilTold(of: Program): Promise<number | null> {
    await eventually(() => of.stderr.includes('is full') || undefined)
    process.kill(of.pid, 'SIGUSR2')
    const [code] = await of.exit
    return code
  }

  it('is told of once, while results wait for room in it', async () => {
    program = new Program('full-store.mjs')
    const code = await untilTold(program)
    expect([code, program.stdout]).to.deep.equal([0, results])
    expect(program.stderr).to.match(new RegExp(`^outpool: ${told.source}$`))
  })

  it('is told of by a node to the programs that use it, and in its log', async () => {
    const { id, url, logFile } = await cluster.start({ head: true, numCpus: 2, objectStoreMemory: 32 * mebibyte })
    program = new Program('full-store.mjs', [], { OUTPOOL_ADDRESS: url, OUTPOOL_TOKEN: cluster.token })
    const code = await untilTold(program)
    expect([code, program.stdout]).to.deep.equal([0, results])
    expect(program.stderr).to.match(new RegExp(`^\\(outpool pid=0 node=${id.slice(0, 8)}\\) ${told.source}$`))
    expect(readFileSync(logFile, 'utf8').match(new RegExp(told, 'g'))).to.have.length(1)
  })
})
