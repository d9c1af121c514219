/** In the workers that Outpool starts for a registered program the names mean what they mean in the program. */
import { expect } from 'chai'
import { TestCluster } from '../../cluster/support.ts'
import { runProgram, type ProgramOptions } from '../shim-programs.ts'

const packages = { workerpool: 'workerpool', 'p-queue': 'p-queue', 'p-map': 'p-map', 'p-limit': 'p-limit' }

const files = {
  'main.mjs': `
    import { init, remote, shutdown } from 'outpool'
    import { kinds } from './kinds.mjs'
    await init()
    console.log(JSON.stringify(kinds()))
    const there = remote(new URL('./kinds.mjs', import.meta.url), 'kinds')
    console.log(JSON.stringify(await there.run()))
    console.log(JSON.stringify(await there.options({ runtimeEnv: { env: { A: '1' } } }).run()))
    await shutdown()`,
  'kinds.mjs': `
    import workerpool from 'workerpool'
    import PQueue from 'p-queue'
    import pMap from 'p-map'
    import pLimit from 'p-limit'
    import { explain } from 'outpool'
    const kindOf = (target) => { try { return explain(target).kind ?? 'plain' } catch { return 'plain' } }
    export function kinds() { return [workerpool.pool(), new PQueue(), pMap, pLimit(1)].map(kindOf) }`,
}
const node = ['--import', 'outpool/register']
const all = JSON.stringify(['workerpool', 'p-queue', 'p-map', 'p-limit'])
const some = JSON.stringify(['plain', 'p-queue', 'plain', 'p-limit'])
/** In the program, in a worker, and in one of another environment. */
const everywhere = (line: string): string => `${line}\n`.repeat(3)

const run = async (options: Partial<ProgramOptions>): Promise<string> => {
  const { stdout, stderr } = await runProgram({ packages, files, main: 'main.mjs', ...options })
  return stderr === '' ? stdout : stderr
}

describe('the workers of a registered program', () => {
  it('have the names mapped, on this machine', async () => {
    expect(await run({ node })).to.equal(everywhere(all))
  })

  it('have those names mapped that OUTPOOL_SHIMS selects, on this machine', async () => {
    expect(await run({ node, env: { OUTPOOL_SHIMS: 'p-queue,p-limit' } })).to.equal(everywhere(some))
  })

  it('have the names mapped where the program registers by an import of its own', async () => {
    const own = { ...files, 'first.mjs': `import 'outpool/register'\nawait import('./main.mjs')` }
    expect(await run({ files: own, main: 'first.mjs' })).to.equal(everywhere(all))
  })

  it('have the names mapped where the program goes to another folder, or to one that is removed', async () => {
    const main = `
      import workerpool from 'workerpool'
      import { mkdtempSync, realpathSync, rmdirSync } from 'node:fs'
      import { tmpdir } from 'node:os'
      const gone = realpathSync(mkdtempSync(tmpdir() + '/u-'))
      process.chdir(process.env.GONE ? gone : '/usr')
      rmdirSync(gone)
      const pool = workerpool.pool()
      console.log(await pool.exec(() => process.cwd()))
      await pool.terminate()`
    for (const [env, folder] of [
      [{}, '/usr'],
      [{ GONE: '1' }, '/'],
    ] as const)
      expect(await run({ node, files: { 'main.mjs': main }, env })).to.equal(`${folder}\n`)
  })

  it('start where the program goes to another folder, which names modules to Node, before it has any', async () => {
    for (const [call, kind] of [
      ['new PQueue().add(() => 5)', 'p-queue'],
      ['pMap([5], (x) => x)', 'p-map'],
      ['pLimit(1)(() => 5)', 'p-limit'],
    ]) {
      const name = call?.match(/PQueue|pMap|pLimit/)?.[0]
      const main = `import ${name} from 'outpool/${kind}'\nprocess.chdir('/usr')\nconsole.log(String(await ${call}))`
      const preload = { 'first.cjs': '' }
      const files = { 'main.mjs': main, ...preload }
      expect(await run({ node: ['--require', './first.cjs'], files })).to.equal('5\n')
    }
  })

  it('start threads and processes with the options that they say they have', async () => {
    const main = `
      import workerpool from 'workerpool'
      const pool = workerpool.pool()
      const start = async () => {
        const { Worker } = await import('node:worker_threads')
        const thread = new Worker('', { eval: true, execArgv: process.execArgv })
        return new Promise((resolve, reject) => thread.once('exit', resolve).once('error', reject))
      }
      console.log(await pool.exec(start), await pool.exec(() => process.execArgv))
      await pool.terminate()`
    expect(await run({ node, files: { 'main.mjs': main } })).to.equal("0 [ '--import', 'outpool/register' ]\n")
    expect(await run({ node: ['--require', 'outpool/register'], files: { 'main.mjs': main } })).to.equal(
      "0 [ '--require', 'outpool/register' ]\n",
    )
    const env = { NODE_OPTIONS: '--max-old-space-size=300 --import outpool/register' }
    expect(await run({ node: ['--no-warnings'], env, files: { 'main.mjs': main } })).to.equal("0 [ '--no-warnings' ]\n")
    const nested = main.replace(
      'pool.exec(() => process.execArgv)',
      `pool.exec(async () => {
      const { execFileSync } = await import('node:child_process')
      const show = 'console.log(process.env.NODE_OPTIONS, process.execArgv.length)'
      return execFileSync(process.execPath, ['-e', show], { encoding: 'utf8' })
    })`,
    )
    expect(await run({ node: [], env, files: { 'main.mjs': nested } })).to.equal(`0 ${env.NODE_OPTIONS} 2\n\n`)
  })

  it('have the names mapped on another node, which has none of the packages, as they are selected', async () => {
    const cluster = new TestCluster()
    try {
      const [head] = await cluster.startAll(0)
      const env = { OUTPOOL_ADDRESS: head!.url, OUTPOOL_TOKEN: cluster.token }
      expect(await run({ node, env })).to.equal(everywhere(all))
      expect(await run({ node, env: { ...env, OUTPOOL_SHIMS: 'p-queue,p-limit' } })).to.equal(everywhere(some))
    } finally {
      await cluster.close()
    }
  })
})
