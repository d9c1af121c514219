/** Programs that are under test themselves: with timers that a test library replaced, and in sandboxes of `node:vm`. */
import { expect } from 'chai'
import { runProgram } from './shim-programs.ts'

const packages = { workerpool: 'workerpool', 'p-queue': 'p-queue', 'p-map': 'p-map', 'p-limit': 'p-limit' }

/** What a program prints, by lines. It has a minute: what hangs here would hang for ever. */
async function printed(text: string, ...node: string[]): Promise<string[]> {
  const limited = `process.getBuiltinModule('node:timers').setTimeout(() => process.exit(9), 60_000).unref()\n${text}`
  const program = { packages, files: { 'main.mjs': limited }, main: 'main.mjs', node: ['--no-warnings', ...node] }
  const { stdout, stderr, code } = await runProgram(program)
  expect(stderr).to.equal('')
  expect(code).to.equal(0)
  return stdout.trim().split('\n')
}

/** As the libraries that replace all of them by default: a clock that nobody winds. */
const stopped = `
  for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask'])
    globalThis[name] = () => ({ unref() {}, ref() {} })
  process.hrtime = () => [7, 7]`

describe('a program whose timers are replaced', () => {
  it('gets results from workers, and ends them', async () => {
    const lines = await printed(`
      import workerpool from 'outpool/workerpool'
      import { Pool } from 'outpool/multiprocessing'
      import { init, remote, shutdown } from 'outpool'
      ${stopped}
      await init({ numCpus: 2 })
      console.log(await remote((n) => n + 1).run(1))
      const pool = workerpool.pool({ maxWorkers: 1 })
      console.log(await pool.exec((n) => n + 1, [2]), await pool.exec((n) => n + 1, [3]))
      await pool.terminate()
      const many = new Pool({ processes: 2 })
      console.log(await many.map((n) => n + 1, [4, 5]))
      many.terminate()
      await shutdown()`)
    expect(lines).to.deep.equal(['2', '3 4', '[ 5, 6 ]'])
  })

  it('gets results from workers, too, where a queue loads what runs them after that', async () => {
    const lines = await printed(`
      import pMap from 'outpool/p-map'
      ${stopped}
      console.log(await pMap([1, 2], (n) => n + 1, { placement: 'worker' }))
      await (await import('outpool')).shutdown()`)
    expect(lines).to.deep.equal(['[ 2, 3 ]'])
  })

  it('has the tasks of its queues in its own process and time, as the originals run them', async () => {
    const lines = await printed(`
      import { mock } from 'node:test'
      import PQueue from 'outpool/p-queue'
      import pLimit from 'outpool/p-limit'
      import pMap from 'outpool/p-map'
      import { explain } from 'outpool'
      mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate'] })
      const queue = new PQueue({ concurrency: 1 })
      const sum = () => { let s = 0; for (let i = 0; i < 1e5; i++) s += i % 7; return s }
      let ended = false
      void queue.add(sum).then(() => (ended = true))
      for (let turn = 0; turn < 20; turn++) await undefined
      console.log(ended, await queue.add(sum), await pMap([1, 2], (n) => n * 2), await pLimit(1)((n) => n + 1, 1))
      console.log(explain(queue).worker, explain(queue).functions[0].reasons[0].slice(0, 38))`)
    expect(lines).to.deep.equal(['true 299995 [ 2, 4 ] 2', '0 the timers of this process are replaced'.slice(0, 40)])
  })
})

/** Runs modules in a realm of their own, with the parts of Node that it is given, as Jest does. */
const sandbox = `
  import vm from 'node:vm'
  import { readFileSync } from 'node:fs'
  import { createRequire, isBuiltin } from 'node:module'
  import { fileURLToPath, pathToFileURL } from 'node:url'
  const own = createRequire(import.meta.url)
  const refusing = (from) => {
    const require = createRequire(from)
    const inside = (name) => {
      const file = require.resolve(name)
      if (!file.includes('p-queue') && !file.includes('p-limit')) return require(name)
      throw Object.assign(new Error('Must use import to load ES Module: ' + file), { code: 'ERR_REQUIRE_ESM' })
    }
    return Object.assign(inside, require)
  }
  const parts = (name) => {
    const part = process.getBuiltinModule(name)
    return name.endsWith('module') ? { ...part, createRequire: refusing } : part
  }
  const inside = Object.create(process, { getBuiltinModule: { value: parts } })
  const play = async (text) => {
    const context = vm.createContext({ process: inside, console, URL, Buffer, AbortController, setTimeout, clearTimeout,
      setImmediate, queueMicrotask, DOMException, performance })
    const modules = new Map()
    const synthetic = (url, exports) => {
      const names = [...new Set(['default', ...Object.keys(exports)])]
      return new vm.SyntheticModule(names, function () {
        for (const name of names) this.setExport(name, name === 'default' ? (exports.default ?? exports) : exports[name])
      }, { context, identifier: url })
    }
    const load = async (specifier, from) => {
      const url = isBuiltin(specifier) ? specifier : import.meta.resolve(specifier, from)
      if (!modules.has(url)) {
        const isPart = isBuiltin(specifier)
        const text = isPart ? '' : readFileSync(fileURLToPath(url), 'utf8')
        modules.set(url, isPart ? synthetic(url, parts(specifier))
          : /node_modules.workerpool/.test(url) ? synthetic(url, own(fileURLToPath(url)))
          : new vm.SourceTextModule(text, { context, identifier: url,
              initializeImportMeta: (meta) => { meta.url = url; meta.resolve = (name) => import.meta.resolve(name, url) },
              importModuleDynamically: async (name) => evaluated(await load(name, url)) }))
      }
      return modules.get(url)
    }
    const evaluated = async (module) => {
      if (module.status === 'unlinked') await module.link((name, { identifier }) => load(name, identifier))
      await module.evaluate()
      return module
    }
    return evaluated(new vm.SourceTextModule(text, { context, identifier: import.meta.url }))
  }`

describe('a program in a sandbox', () => {
  const inSandbox = (...texts: string[]): Promise<string[]> =>
    printed(
      [sandbox, ...texts.map((text) => `await play(${JSON.stringify(text)})`), 'process.exit(0)'].join('\n'),
      '--experimental-vm-modules',
      '--experimental-import-meta-resolve',
    )

  it('has errors of tasks that are instances of its own classes', async () => {
    const lines = await inSandbox(`
      import { remote } from 'outpool'
      const error = await remote(() => { throw new RangeError('too far') }).run().catch((error) => error)
      console.log(error instanceof RangeError, error instanceof Error, error.message)`)
    expect(lines).to.deep.equal(['true true too far'])
  })

  it('has those of workerpool also where another sandbox of the process has made the first call', async () => {
    const text = `
      import workerpool from 'outpool/workerpool'
      const pool = workerpool.pool({ maxWorkers: 1 })
      const error = await pool.exec(() => { throw new RangeError('too far') }).catch((error) => error)
      console.log(error instanceof RangeError, error instanceof Error, error.message)
      await pool.terminate()`
    expect(await inSandbox(text, text)).to.deep.equal(['true true too far', 'true true too far'])
  })

  it('has queues, over originals that it cannot require, whose tasks give what is of its realm', async () => {
    const lines = await inSandbox(`
      import PQueue from 'outpool/p-queue'
      import pLimit from 'outpool/p-limit'
      import { explain } from 'outpool'
      const queue = new PQueue({ concurrency: 2 })
      console.log((await queue.add(() => [1, 2])) instanceof Array, (await pLimit(1)(() => ({}))) instanceof Object)
      console.log(explain(queue).functions[0].reasons[0].slice(0, 22))`)
    expect(lines).to.deep.equal(['true true', 'it is of another realm'])
  })
})
