/** Programs that change nothing but how they are started. */
import { expect } from 'chai'
import { runProgram, type ProgramOptions } from '../shim-programs.ts'

const packages = { workerpool: 'workerpool', 'p-queue': 'p-queue', 'p-map': 'p-map', 'p-limit': 'p-limit' }
const kindOf = `(target) => { try { return explain(target).kind ?? 'a function' } catch { return 'the original' } }`

const esm = `
  import workerpool from 'workerpool'
  import PQueue, { TimeoutError } from 'p-queue'
  import pMap from 'p-map'
  import pLimit from 'p-limit'
  import { createRequire } from 'node:module'
  import { isMainThread, Worker } from 'node:worker_threads'
  import { explain, shutdown } from 'outpool'
  const kindOf = ${kindOf}
  const require = createRequire(import.meta.url)
  const kinds = [workerpool.pool(), new PQueue(), pMap, pLimit(1), require('workerpool').pool()].map(kindOf)
  const dynamic = (await import('p-queue')).default === PQueue
  console.log(isMainThread, ...kinds, dynamic, new TimeoutError('x') instanceof Error)
  if (isMainThread) await new Promise((resolve) => new Worker(new URL(import.meta.url)).once('exit', resolve))
  await shutdown()`

const cjs = `
  const workerpool = require('workerpool')
  const { default: PQueue } = require('p-queue')
  const { explain, shutdown } = require('outpool')
  const kindOf = ${kindOf}
  console.log(kindOf(workerpool.pool()), kindOf(new PQueue()))
  import('p-map').then(async ({ default: pMap }) => {
    console.log(kindOf(pMap), require('workerpool') === workerpool)
    const pool = workerpool.pool()
    console.log(await pool.exec((a, b) => a + b, [1, 2]))
    await pool.terminate()
    await shutdown()
  })`

const run = (options: Partial<ProgramOptions>): ReturnType<typeof runProgram> =>
  runProgram({ packages, files: { 'main.mjs': esm, 'main.cjs': cjs }, main: 'main.mjs', ...options })

describe('outpool/register', () => {
  const all = 'workerpool p-queue p-map p-limit workerpool true true'

  for (const how of ['--import', '--require']) {
    const node = [how, 'outpool/register']

    it(`maps the names in ESM, in its worker threads too, with ${how}`, async () => {
      const { stdout, stderr, code } = await run({ node })
      expect([stdout, stderr, code]).to.deep.equal([`true ${all}\nfalse ${all}\n`, '', 0])
    })

    it(`maps the names in CommonJS, with ${how}`, async () => {
      const { stdout, stderr, code } = await run({ node, main: 'main.cjs' })
      expect([stdout, stderr, code]).to.deep.equal(['workerpool p-queue\np-map true\n3\n', '', 0])
    })
  }

  it('gives require names that stay what they are as a URL and back, as Node 24 makes of them', async () => {
    const files = {
      'main.cjs': `const { fileURLToPath, pathToFileURL } = require('node:url')
        const found = require.resolve('p-queue')
        console.log(fileURLToPath(pathToFileURL(found)) === found, require(found) === require('p-queue'))`,
    }
    const { stdout, stderr } = await run({ node: ['--require', 'outpool/register'], main: 'main.cjs', files })
    expect([stdout, stderr]).to.deep.equal(['true true\n', ''])
  })

  it('maps nothing in a program that is started without it', async () => {
    const { stdout } = await run({ main: 'main.cjs' })
    expect(stdout).to.equal('the original the original\na function true\n3\n')
  })

  it('maps the names that OUTPOOL_SHIMS selects, and says once which it does not know', async () => {
    const env = { OUTPOOL_SHIMS: 'workerpool,p-quee' }
    const { stdout, stderr } = await run({ node: ['--import', 'outpool/register'], main: 'main.cjs', env })
    expect(stdout).to.equal('workerpool the original\na function true\n3\n')
    expect(stderr).to.match(/^outpool: .*no shim for 'p-quee' \(did you mean 'p-queue'\?\).*\n$/)
  })

  it('maps names for the packages that the program uses, and not for the original itself', async () => {
    const files = {
      'main.mjs': `import { made } from 'maker'
        import { explain, shutdown } from 'outpool'
        console.log(explain(made).kind)
        await shutdown()`,
      'node_modules/maker/package.json': JSON.stringify({ name: 'maker', main: 'index.cjs' }),
      'node_modules/maker/index.cjs': `exports.made = require('workerpool').pool()`,
    }
    const { stdout, stderr } = await run({ node: ['--import', 'outpool/register'], files })
    expect([stdout, stderr]).to.deep.equal(['workerpool\n', ''])
  })

  it('leaves a version that no shim stands for as it is, and says so', async () => {
    const files = {
      'main.mjs': `import pLimit from 'p-limit'\nconsole.log(pLimit())`,
      'node_modules/p-limit/package.json': JSON.stringify({ name: 'p-limit', version: '2.0.0', main: 'index.js' }),
      'node_modules/p-limit/index.js': `module.exports = () => 'an old one'`,
    }
    const { stdout, stderr } = await run({ node: ['--import', 'outpool/register'], files, packages: {} })
    expect(stdout).to.equal('an old one\n')
    expect(stderr).to.equal(
      `outpool: 'p-limit' is not mapped: p-limit 2.0.0 is installed, and the shim stands for p-limit 7. It stays what it is\n`,
    )
  })

  it('comes behind a loader that takes files alone for importers, as that of oxc does', async () => {
    const hook = `export const resolve = (specifier, context, next) => {
      if (context.parentURL && !context.parentURL.startsWith('file:')) throw new Error('no file: ' + context.parentURL)
      return next(specifier, context)
    }`
    const files = {
      'loader.mjs': `import { register } from 'node:module'\nregister('./hook.mjs', import.meta.url)`,
      'hook.mjs': hook,
      'main.mjs': `import PQueue from 'p-queue'
        import { explain } from 'outpool'
        console.log(explain(new PQueue()).kind)`,
    }
    // Such loaders use what Node 26 says is deprecated; what outpool/register says by itself the tests above see.
    const node = ['--disable-warning=DEP0205', '--import', './loader.mjs', '--import', 'outpool/register']
    const { stdout, stderr, code } = await run({ node, files })
    expect([stdout, stderr, code]).to.deep.equal(['p-queue\n', '', 0])
  })

  it('says of a name that was loaded before it that it came too late', async () => {
    const files = { 'first.cjs': `require('workerpool')`, 'main.cjs': `` }
    const node = ['--require', './first.cjs', '--import', 'outpool/register']
    const { stderr } = await run({ node, files, main: 'main.cjs' })
    expect(stderr).to.match(/'workerpool' was loaded before outpool\/register/)
  })

  it('maps the names in the worker scripts of a pool', async () => {
    const files = {
      'main.mjs': `import workerpool from 'workerpool'
        import { fileURLToPath } from 'node:url'
        import { shutdown } from 'outpool'
        const pool = workerpool.pool(fileURLToPath(new URL('worker.mjs', import.meta.url)), { maxWorkers: 1 })
        console.log(await pool.exec('kinds'))
        await pool.terminate()
        await shutdown()`,
      'worker.mjs': `import workerpool from 'workerpool'
        import pLimit from 'p-limit'
        import { explain } from 'outpool'
        workerpool.worker({ kinds: () => [explain(pLimit(1)).kind, workerpool.isMainThread] })`,
    }
    const { stdout, stderr } = await run({ node: ['--import', 'outpool/register'], files })
    expect([stdout, stderr]).to.deep.equal([`[ 'p-limit', false ]\n`, ''])
  })

  it("is at home with a package of the original's name that gives its shim, and says what to do where that is all there is", async () => {
    const alias = (name: string, manifest: object): Record<string, string> => ({
      [`node_modules/${name}/package.json`]: JSON.stringify({ name, version: '9.9.9', type: 'module', ...manifest }),
      [`node_modules/${name}/index.js`]: `export * from 'outpool/${name}'; export { default } from 'outpool/${name}'`,
    })
    const main = `
      import PQueue from 'p-queue'
      import { explain, shutdown } from 'outpool'
      const queue = new PQueue()
      console.log(await queue.add(() => 6 * 7), explain(queue).kind)
      await shutdown()`
    const depends = { exports: './index.js', dependencies: { outpool: '*' } }
    for (const node of [[], ['--import', 'outpool/register']]) {
      const files = { ...alias('p-queue', depends), 'main.mjs': main }
      const { stdout, stderr } = await runProgram({ files, main: 'main.mjs', node })
      expect([stdout, stderr]).to.deep.equal(['42 p-queue\n', ''])
    }
    const files = { ...alias('p-queue', { exports: './index.js' }), 'main.mjs': main }
    const { stderr, code } = await runProgram({ files, main: 'main.mjs' })
    expect(stderr).to.match(/p-queue\/index.js leads back to outpool\/p-queue. Give that package the version 0.0.0/)
    expect(code).to.equal(1)
  })
})
