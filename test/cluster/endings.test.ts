import { expect } from 'chai'
import { readdirSync } from 'node:fs'
import { describeProcess, processesMarked } from '../tools/processes.mjs'
import { ended, Program, TestCluster, Trace } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { withoutStoreLine } from '../tools/native.ts'

describe('a program that never calls shutdown', () => {
  let trace: Trace
  let program: Program | undefined
  beforeEach(() => (trace = new Trace()))
  afterEach(async () => {
    await program?.remove()
    trace.remove()
  })

  const run = (how: string): Program => (program = new Program('endings.mjs', [how, trace.folder]))

  /** No process, socket or file of it is left. */
  const nothingIsLeft = async ({ mark, folder }: Program): Promise<void> => {
    await eventually(() => processesMarked(mark).length === 0 || undefined)
    expect(processesMarked(mark).map(describeProcess)).to.deep.equal([])
    // The folder of the user, for all node managers there, may stay; it is empty.
    const left = readdirSync(folder, { recursive: true }).map(String)
    expect(left.filter((name) => !/^outpool-\d+$/.test(name))).to.deep.equal([])
  }

  const byItself = [
    { how: 'awaits', what: 'awaits its results', code: 0, out: '20 1000000\n' },
    { how: 'first', what: 'does not even call init', code: 0, out: '4 driver\n' },
    { how: 'forgets', what: 'fires and forgets', code: 0, out: 'submitted\n' },
    { how: 'reopens', what: 'goes on from beforeExit', code: 0, out: '1\n2\n3\n' },
    { how: 'leaves', what: 'leaves a task that would run forever', code: 0, out: '3\n' },
    { how: 'gives_up', what: 'waits for several of which one fails', code: 0, out: 'RangeError\n' },
    { how: 'thread', what: 'awaits its results in a worker thread', code: 0, out: '20 1000000\n' },
    { how: 'blocks', what: 'is busy by itself while its workers start', code: 0, out: '8\n' },
    { how: 'fails_to_start', what: 'has a node that cannot be set up', code: 0, out: 'OutpoolError\n' },
    { how: 'pools', what: 'does not end its pools', code: 0, out: '2 3 4\n' },
    { how: 'throws', what: 'fails', code: 1, out: '' },
    { how: 'exits', what: 'calls process.exit', code: 7, out: '' },
  ]
  for (const { how, what, code, out } of byItself) {
    it(`ends by itself and leaves nothing, when it ${what}`, async () => {
      const ending = run(how)
      expect(await ending.exit).to.deep.equal([code, null])
      expect(ending.stdout).to.equal(out)
      if (code !== 1) expect(withoutStoreLine(ending.stderr)).to.equal('')
      else expect(ending.stderr).to.contain('the program fails')
      await nothingIsLeft(ending)
    })
  }

  it('says so when what it submitted could not be run, and nobody waits for it', async () => {
    const env = { OUTPOOL_ADDRESS: 'ws://127.0.0.1:1', OUTPOOL_TOKEN: '0123456789abcdef0123456789abcdef' }
    program = new Program('endings.mjs', ['forgets', trace.folder], env)
    await program.exit
    expect(program.stdout).to.equal('submitted\n')
    expect(program.stderr).to.match(/^outpool: 10 tasks were not run.*ws:\/\/127\.0\.0\.1:1/)
    await nothingIsLeft(program)
  })

  it('is not ended while all that it waits for are copies of a value on other nodes', async () => {
    const cluster = new TestCluster()
    try {
      const [head] = await cluster.startAll(1)
      program = new Program('endings.mjs', ['copies', trace.folder], { OUTPOOL_ADDRESS: head?.url ?? '' })
      expect(await program.exit, program.stderr).to.deep.equal([0, null])
      expect(program.stdout).to.equal('1000000\n')
    } finally {
      await program?.remove()
      program = undefined
      await cluster.close()
    }
  })

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const) {
    it(`leaves nothing when it is ended by ${signal}, whatever its tasks do`, async () => {
      const ending = run('hangs')
      await trace.has('busy')
      const grandchild = await eventually(() => trace.lines('grandchild').map(Number)[0])
      // A terminal sends to the whole group, a supervisor to one process.
      process.kill(signal === 'SIGINT' ? -ending.pid : ending.pid, signal)
      expect(await ending.exit).to.deep.equal([null, signal])
      await ended(grandchild)
      await nothingIsLeft(ending)
    })
  }
})
