/** What pools say that get no workers: whose they were to be, where they were asked for, why there are none, what to do. */
import { expect } from 'chai'
import { runProgram } from './shim-programs.ts'

/** A port of this machine on which nothing listens. */
const address = 'ws://127.0.0.1:1'
const token = 'a-token-of-this-test-alone'

/** The messages that a program prints, one on a line, each behind the class. */
async function told(main: string, env: Readonly<Record<string, string>> = {}): Promise<string[]> {
  const text = `
    import { init, shutdown } from 'outpool'
    const tell = (error) => console.log(error.constructor.name + ': ' + error.message)
    ${main}
    await shutdown()`
  const { stdout, stderr } = await runProgram({ files: { 'main.mjs': text }, main: 'main.mjs', env })
  expect(stderr).to.equal('')
  return stdout.trim().split('\n')
}

const poolCall = `
  const { Pool } = await import('outpool/multiprocessing')
  await new Pool({ processes: 2, name: 'images' }).map((n) => n + 1, [1, 2]).catch(tell)`
const executorCall = `
  const { Executor } = await import('outpool/executor')
  await new Executor(2).submit((n) => n + 1, 1).result().catch(tell)`
const workerpoolCall = `
  const { default: workerpool } = await import('outpool/workerpool')
  await workerpool.pool({ maxWorkers: 1 }).exec((n) => n + 1, [1]).catch(tell)`

describe('a pool without workers', () => {
  it('says whose they were to be, the address, why and what to do, when nothing listens there', async () => {
    const why = `nothing listens at ${address}: is a head running there? Start one with: outpool start --head`
    const env = { OUTPOOL_ADDRESS: address, OUTPOOL_TOKEN: token }
    expect(await told(`${poolCall}`, env)).to.deep.equal([
      `ConnectionLostError: a worker of the Pool 'images' was not started: ${why}`,
    ])
    const [broken] = await told(executorCall, env)
    expect(broken)
      .to.match(/^BrokenProcessPool: .* a worker of the Executor was not started: /)
      .and.include(why)
    expect(await told(workerpoolCall, env)).to.deep.equal([`TerminateError: Workerpool Worker error: ${why}`])
  })

  it("says what to permit where Node's permission model is in the way", async () => {
    const text = `
      import PQueue from 'outpool/p-queue'
      await new PQueue().add(() => 1).catch((error) => console.log(error.message))`
    // Node 20 knows it by its first name alone.
    const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission'
    for (const [node, what] of [
      [['--allow-fs-read=*', '--allow-worker'], 'FileSystemWrite'],
      [['--allow-fs-read=*', '--allow-fs-write=*', '--allow-worker'], 'ChildProcess'],
    ] as const) {
      const { stdout } = await runProgram({
        packages: { 'p-queue': 'p-queue' },
        files: { 'main.mjs': text },
        main: 'main.mjs',
        node: ['--no-warnings', flag, ...node],
      })
      expect(stdout).to.include(`permission model is on, and refuses ${what}. Start the program with --allow-fs-read=*`)
    }
  })

  it('names the address also when it has no token for it', async () => {
    const env = { OUTPOOL_ADDRESS: address, OUTPOOL_TOKEN: 'short' }
    const said = [
      ...(await told(poolCall, env)),
      ...(await told(executorCall, env)),
      ...(await told(workerpoolCall, env)),
      ...(await told('await init().catch(tell)', env)),
    ]
    expect(said).to.have.length(4)
    for (const line of said) {
      expect(line).to.include(`cannot join the cluster at ${address}: what OUTPOOL_TOKEN holds is not a token`)
      expect(line).to.not.include('worker start')
    }
    expect(said[3]).to.match(/^AuthenticationError: /)
  })

  it('does not repeat a password in the address, whatever is wrong with it or the token', async () => {
    for (const token of ['short', 'x'.repeat(32)]) {
      const env = { OUTPOOL_ADDRESS: 'ws://user:secret@127.0.0.1:1', OUTPOOL_TOKEN: token }
      const said = [...(await told(poolCall, env)), ...(await told('await init().catch(tell)', env))]
      expect(said).to.have.length(2)
      for (const line of said) expect(line).to.include('ws://***@127.0.0.1:1').and.not.include('secret')
    }
  })

  it('says that an address is none before it asks for a token', async () => {
    const env = { OUTPOOL_ADDRESS: 'http://127.0.0.1:7420', OUTPOOL_TOKEN: 'short' }
    const [said] = await told('await init().catch(tell)', env)
    expect(said).to.equal(
      'OutpoolError: http://127.0.0.1:7420: an address of a node begins with ws:// or wss://, as outpool start prints it',
    )
  })
})

describe('init', () => {
  it('says that Outpool runs already, and what to do, to options that come too late', async () => {
    const [line, again] = await told(`
      const { node } = await init({ numCpus: 1 })
      await init({ numCpus: 2 }).catch(tell)
      console.log((await init()).node === node)`)
    expect(line).to.match(/^NotInitializedError: init: Outpool runs in this process already/)
    expect(line).to.include('await shutdown() first').and.include('call init() before anything else')
    expect(again).to.equal('true')
  })
})
