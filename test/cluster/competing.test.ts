import { expect } from 'chai'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Program, TestCluster, Trace } from './support.ts'
import { eventually } from '../tools/eventually.ts'

const count = 5
const numCpus = 2
/** More calls than one program gets answered in one turn. */
const enough = 200

interface Said {
  readonly done: number
  readonly pids: readonly number[]
}

function lastSaid({ stdout }: Program): Said {
  const line = stdout.split('\n').at(-2)
  return line === undefined ? { done: 0, pids: [] } : (JSON.parse(line) as Said)
}

describe('programs that compete for the CPUs of a node', () => {
  it('all go on while none of them ever ends, without a new worker for each turn', async () => {
    const [cluster, trace] = [new TestCluster(), new Trace()]
    const lastWord = join(trace.folder, 'enough')
    const { url } = await cluster.start({ head: true, numCpus })
    const programs = Array.from(
      { length: count },
      () => new Program('competing.mjs', [lastWord], { OUTPOOL_ADDRESS: url }),
    )
    await eventually(() => programs.every((program) => lastSaid(program).done >= enough) || undefined)
    const pids = programs.flatMap((program) => lastSaid(program).pids)
    expect(new Set(pids).size, 'no worker serves two programs').to.equal(pids.length)
    // As many as each could use when it was alone, and those once more.
    expect(pids.length).to.be.within(count, 2 * count * numCpus)

    writeFileSync(lastWord, '')
    for (const program of programs) {
      expect([await program.exit, program.stderr]).to.deep.equal([[0, null], ''])
      await program.remove()
    }
    await cluster.close()
    trace.remove()
  })
})
