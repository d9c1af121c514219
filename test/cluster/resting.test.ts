import { expect } from 'chai'
import { Program, Trace } from './support.ts'

describe('processes that rest', () => {
  it('give memory back, a driver and its workers, and work as before', async () => {
    const trace = new Trace()
    const program = new Program('resting.mjs', [trace.folder])
    expect(await program.exit).to.deep.equal([0, null])
    expect(program.stdout).to.equal('2\n[ 4, 6 ]\n')
    expect(trace.files().toSorted()).to.deep.equal(['driver', 'worker'])
    await program.remove()
    trace.remove()
  })
})
