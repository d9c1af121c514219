import { execFile } from 'node:child_process'
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { namesIn } from '../../runtime/base/names-in.ts'
import { Project } from './bare-nodes.ts'
import { eventually } from '../tools/eventually.ts'
import { canShare } from '../tools/native.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))

/** What each of these programs loads, whatever else one of its processes happens to need. */
const all = ['acorn', 'captures', 'core', 'driver', 'functions', 'local', 'owner', 'worker']

/** It and its worker live until the file named by its argument is there. */
const program = `import { existsSync } from 'node:fs'
import { remote, shutdown } from 'outpool'
const add = remote((a, b) => a + b)
console.log(await add.run(1, 2))
while (!existsSync(process.argv[2])) await new Promise((resolve) => setTimeout(resolve, 10))
await shutdown()
`

/** It ends with its first result, and its worker with it. */
const short = `import { remote, shutdown } from 'outpool'
console.log(await remote((a, b) => a + b).run(1, 2))
await shutdown()
`

/** Its first result comes late, as where others have the CPUs. */
const late = `import { init, remote, shutdown } from 'outpool'
await init()
await new Promise((resolve) => setTimeout(resolve, 1_500))
console.log(await remote((a, b) => a + b).run(1, 2))
await shutdown()
`

/** In a program that imports `Session`: `urls` are those of all that its process has loaded. */
const loadedUrls = `const session = new Session()
const urls = []
session.connect()
session.on('Debugger.scriptParsed', ({ params }) => urls.push(params.url))
session.post('Debugger.enable')
session.disconnect()`

/** What a worker has loaded of the package when it runs a task with what `args` names. */
const loadedChunks = `import { Session } from 'node:inspector'
export default (...args) => {
${loadedUrls}
  return { urls, was: args }
}
`
const showChunks = (args: string): string => `import { remote, shutdown } from 'outpool'
const loaded = remote(new URL('loaded.js', import.meta.url), 'default')
console.log(JSON.stringify(await loaded.run(${args})))
await shutdown()
`
const showPool = `import workerpool from 'outpool/workerpool'
const pool = workerpool.pool({ workerType: 'process', maxWorkers: 1 })
const loaded = async (number, text, [first], { key }) => {
  const { Session } = await import('node:inspector')
${loadedUrls}
  return { urls, was: [number, text, first, key] }
}
console.log(JSON.stringify(await pool.exec(loaded, [1e6, 'text', [0.5], { key: null }])))
await pool.terminate()
`

/** What a task finds of how its worker was started, and whether what it imports of the package is the worker's own. */
const main = `exports.find = async ([ref]) => {
  const { ObjectRef } = await import('outpool')
  const main = [require.main, process.mainModule].map(String)
  return { main, cache: Object.keys(require.cache), isOwn: ref instanceof ObjectRef }
}
`
const showMain = `import { put, remote, shutdown } from 'outpool'
const find = remote(new URL('main.cjs', import.meta.url), 'default.find')
console.log(JSON.stringify(await find.run([await put(1)])))
await shutdown()
`

/** What of Node is loaded by the import alone. */
const showParts = `const before = new Set(process.moduleLoadList)
await import('outpool')
const parts = process.moduleLoadList.filter((part) => !before.has(part))
console.log(JSON.stringify(parts.map((part) => part.replace('NativeModule ', ''))))
`

/** What of Node is loaded in a worker when its first task runs, and in its driver then. */
const showLoaded = `import { remote, shutdown } from 'outpool'
const add = remote((a, b) => a + b)
const list = remote(() => globalThis['process'].moduleLoadList)
const first = list.run()
await add.run(1, 2)
const driver = process.moduleLoadList.slice()
console.log(JSON.stringify({ driver, worker: await first }))
await shutdown()
`

/** The same functions in a program that has none of Node's names for itself, and in one that has. */
const functionTexts = `const absolute = remote((x) => Math.abs(x))
const plain = remote((a, b) => a + b)
const results = [await absolute.run(-2), await plain.run(1, 2)]
`
const functionsOf = (before: string): string => `import { Session } from 'node:inspector'
import { remote, shutdown } from 'outpool'
${before}
${functionTexts}
${loadedUrls}
console.log(JSON.stringify({ results, urls }))
await shutdown()
`

/** What is loaded when functions are made, before the first call: that starts a worker, and loads the rest meanwhile. */
const showMade = `import { Session } from 'node:inspector'
import { remote } from 'outpool'
remote((a, b) => a + b).options({ numCpus: 2 })
remote(new URL('loaded.js', import.meta.url), 'default')
${loadedUrls}
console.log(JSON.stringify(urls))
`

/** What the import of a shim loads. */
const showShim = `import { Session } from 'node:inspector'
import 'outpool/p-limit'
import 'outpool/p-map'
import 'outpool/p-queue'
${loadedUrls}
console.log(JSON.stringify(urls))
`

const chunksAmong = (urls: readonly string[]): readonly string[] =>
  urls.flatMap((url) => /\/dist\/chunks\/([\w-]+?)-[\w-]{8}\.body\.js$/.exec(url)?.[1] ?? [])

describe('an installed package', function () {
  this.timeout(120_000)
  let project: Project
  let kept: string
  before(() => {
    const programs = {
      'main.js': program,
      'short.js': short,
      'late.js': late,
      'import.js': `import 'outpool'\n`,
      'loaded.js': loadedChunks,
      'show.js': showChunks(`1e6, 'text', null`),
      'show-more.js': showChunks(`'a text of some length', [0.5], { key: null }`),
      'pool.js': showPool,
      'parts.js': showParts,
      'all.js': showLoaded,
      'plain.js': functionsOf(''),
      'plainest.js': functionsOf('').replace('Math.abs(x)', '+x'),
      'shadowed.js': functionsOf('const Math = { abs: (x) => `mine: ${x}` }'),
      'made.js': showMade,
      'shims.js': showShim,
      'main.cjs': main,
      'main-of-worker.js': showMain,
      'preload.js': "import 'outpool'",
    }
    project = new Project({ 'package.json': '{"type": "module"}', ...programs }, false)
    const installed = project.path('node_modules/outpool')
    cpSync(join(root, 'dist'), join(installed, 'dist'), {
      recursive: true,
      filter: (path) => !path.endsWith('.compiled'),
    })
    cpSync(join(root, 'package.json'), join(installed, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(installed, 'node_modules'))
    kept = join(installed, 'dist/chunks/.compiled')
  })
  after(() => project.remove())

  /** The program is there until `isEnough`. */
  async function play(
    isEnough: () => boolean | Promise<boolean>,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const env = { ...process.env, NODE_OPTIONS: '', ...environment }
    const end = project.path('end')
    rmSync(end, { force: true })
    let isOver = false
    const running = run(process.execPath, ['main.js', end], { cwd: project.folder, env }).finally(() => (isOver = true))
    await Promise.all([
      running,
      eventually(async () => isOver || (await isEnough()) || undefined).then(() => writeFileSync(end, '')),
    ])
    const { stdout, stderr } = await running
    expect(stdout).to.equal('3\n')
    expect(stderr).to.match(canShare ? /^$/ : /^outpool: objects are kept in files.*\n$/)
  }

  /** What was kept, by name, without the tag of the flags: workers have others than their driver. */
  const names = (): readonly string[] =>
    [...new Set(namesIn(kept).map((name) => name.replace(/[-.].*$/, '')))].toSorted()

  /** Without what was being written when its process was ended. */
  const keptFiles = (): readonly string[] => readdirSync(kept).filter((name) => !/\.\d+$/.test(name))

  it('loads in a worker what plain tasks with plain values need, and no more', async () => {
    const env = { ...process.env, NODE_OPTIONS: '', NODE_DISABLE_COMPILE_CACHE: '1' }
    const { stdout } = await run(process.execPath, ['show.js'], { cwd: project.folder, env })
    const { urls, was } = JSON.parse(stdout) as { urls: string[]; was: unknown }
    expect(was).to.deep.equal([1e6, 'text', null])
    const chunks = chunksAmong(urls)
    // Where memory cannot be shared, a worker opens the store of files when it begins.
    const atOnce = canShare ? [] : ['store']
    expect(chunks.toSorted()).to.deep.equal([...atOnce, 'worker-start'])
    const [start = ''] = urls.filter((url) => url.includes('/worker-start-'))
    const text = readFileSync(fileURLToPath(start), 'latin1')
    const parts = [...text.matchAll(/^"([\w-]+?)-[\w-]{8}\.body\.js": \(function /gm)].map(([, name]) => name)
    expect(parts).to.deep.equal(['base', 'core', 'first', 'worker'])
  })

  it('loads one more with the first value that is a list, an object or a longer text', async () => {
    const env = { ...process.env, NODE_OPTIONS: '', NODE_DISABLE_COMPILE_CACHE: '1' }
    const { stdout } = await run(process.execPath, ['show-more.js'], { cwd: project.folder, env })
    const { urls, was } = JSON.parse(stdout) as { urls: string[]; was: unknown }
    expect(was).to.deep.equal(['a text of some length', [0.5], { key: null }])
    const atOnce = canShare ? [] : ['store']
    expect(chunksAmong(urls).toSorted()).to.deep.equal(['codec', ...atOnce, 'worker-start'])
  })

  it('loads no more in a worker of a pool, which is told who it is', async () => {
    const env = { ...process.env, NODE_OPTIONS: '', NODE_DISABLE_COMPILE_CACHE: '1' }
    const { stdout } = await run(process.execPath, ['pool.js'], { cwd: project.folder, env })
    const { urls, was } = JSON.parse(stdout) as { urls: string[]; was: unknown }
    expect(was).to.deep.equal([1e6, 'text', 0.5, null])
    expect(chunksAmong(urls)).to.not.include.members(['owner'])
  })

  it('loads of Node at its import nothing that only a running node needs', async () => {
    const { stdout } = await run(process.execPath, ['parts.js'], {
      cwd: project.folder,
      env: { ...process.env, NODE_OPTIONS: '', NODE_DISABLE_COMPILE_CACHE: '1' },
    })
    const needless = ['child_process', 'crypto', 'http', 'net', 'worker_threads']
    expect((JSON.parse(stdout) as string[]).filter((part) => needless.includes(part))).to.deep.equal([])
  })

  it('loads of Node, until the first result is there, nothing that takes a process long and is seldom used', async () => {
    const { stdout } = await run(process.execPath, ['all.js'], {
      cwd: project.folder,
      env: { ...process.env, NODE_OPTIONS: '', NODE_DISABLE_COMPILE_CACHE: '1' },
    })
    const loaded = JSON.parse(stdout) as { driver: string[]; worker: string[] }
    const needless = ['cluster', 'crypto', 'http', 'tls', ...(canShare ? ['fs/promises'] : [])]
    const among = (list: string[], names: string[]): string[] =>
      list.map((part) => part.replace('NativeModule ', '')).filter((part) => names.includes(part))
    // Node 24 and later have it in the image that they start from.
    const modules = Number.parseInt(process.versions.node, 10) < 24 ? ['internal/modules/esm/module_job'] : []
    expect(among(loaded.worker, [...needless, ...modules, 'child_process', 'inspector'])).to.deep.equal([])
    expect(among(loaded.driver, needless)).to.deep.equal([])
  })

  for (const [what, options] of [
    ['', []],
    [' and is loaded before it', ['--import=./preload.js']],
  ] as const)
    it(`shows tasks no main module, and the worker itself by what they import of the package${what}`, async () => {
      const env = { ...process.env, NODE_OPTIONS: '' }
      const { stdout } = await run(process.execPath, [...options, 'main-of-worker.js'], { cwd: project.folder, env })
      const cache = [join(project.folder, 'main.cjs')]
      expect(JSON.parse(stdout)).to.deep.equal({ main: ['undefined', 'undefined'], cache, isOwn: true })
      rmSync(kept, { recursive: true, force: true })
    })

  it('keeps nothing where Node is told to keep nothing', async () => {
    await play(() => sleep(1_500, true), { NODE_DISABLE_COMPILE_CACHE: '1' })
    expect(existsSync(kept)).to.equal(false)
  })

  it('keeps the bytecode of a worker whose program ends with its first result, too', async () => {
    const env = { ...process.env, NODE_OPTIONS: '' }
    const { stdout } = await run(process.execPath, ['short.js'], { cwd: project.folder, env })
    expect(stdout).to.equal('3\n')
    expect(names()).to.include.members(['core', 'worker'])
    // Nothing was under way when it was killed.
    expect(namesIn(kept).filter((name) => /\.\d+$/.test(name))).to.deep.equal([])
    rmSync(kept, { recursive: true })
  })

  it('keeps the bytecode of a first run, which later ones do not write again', async () => {
    // The driver's at its end, the others after a while.
    await play(() => all.every((name) => names().includes(name)))
    const before = new Map(keptFiles().map((name) => [name, statSync(join(kept, name)).mtimeMs]))
    await play(() => sleep(1_500, true))
    for (const [name, time] of before) expect(statSync(join(kept, name)).mtimeMs, name).to.equal(time)
  })

  it('keeps all that a start needs, however late the first result comes, and whoever kept something before', async () => {
    const env = { ...process.env, NODE_OPTIONS: '' }
    const play = (file: string): Promise<unknown> => run(process.execPath, [file], { cwd: project.folder, env })
    const kilobytes = (): Record<string, number> =>
      Object.fromEntries(keptFiles().map((name) => [name, Math.round(statSync(join(kept, name)).size / 1024)]))
    rmSync(kept, { recursive: true })
    await play('short.js')
    const prompt = kilobytes()
    const expectAll = (): void => {
      const found = kilobytes()
      for (const [name, size] of Object.entries(prompt))
        expect(found[name], name).to.be.at.least(Math.floor(0.95 * size))
    }
    rmSync(kept, { recursive: true })
    await play('late.js')
    expectAll()
    rmSync(kept, { recursive: true })
    await play('import.js')
    const [start = ''] = Object.keys(prompt).filter((name) => /^driver-start-/.test(name) && name in kilobytes())
    expect(kilobytes()[start]).to.be.below((prompt[start] ?? 0) - 10)
    await play('short.js')
    expectAll()
    // Now it has all, which no other process makes worse, or writes again.
    const times = (): number[] => keptFiles().map((name) => statSync(join(kept, name)).mtimeMs)
    const before = times()
    for (const file of ['import.js', 'short.js']) await play(file)
    expect(times()).to.deep.equal(before)
  })

  it('does its work, and keeps it anew, when what was kept is damaged', async () => {
    const files = keptFiles().filter((name) => all.some((chunk) => name.startsWith(chunk)))
    for (const name of files) {
      const bytes = readFileSync(join(kept, name))
      bytes.fill(0xa5, bytes.length >> 1)
      writeFileSync(join(kept, name), bytes)
    }
    const isDamaged = (name: string): boolean => {
      const bytes = readFileSync(join(kept, name))
      return bytes.at(-1) === 0xa5 && bytes.at(-2) === 0xa5 && bytes.at(-9) === 0xa5
    }
    await play(() => !files.some(isDamaged))
    expect(files.filter(isDamaged)).to.deep.equal([])
  })

  it('does not parse again what an earlier program found to need nothing but globals of Node', async () => {
    const env = { ...process.env, NODE_OPTIONS: '' }
    const play = async (file: string): Promise<{ results: unknown[]; chunks: readonly string[]; parsed: boolean }> => {
      const { stdout } = await run(process.execPath, [file], { cwd: project.folder, env })
      const { results, urls } = JSON.parse(stdout) as { results: unknown[]; urls: string[] }
      const parsed = urls.some((url) => url.endsWith('/acorn.js'))
      return { results, chunks: chunksAmong(urls), parsed }
    }
    const first = await play('plain.js')
    expect(first).to.deep.include({ results: [2, 3], parsed: true })
    expect(await play('plain.js')).to.deep.include({ results: [2, 3], parsed: false })
    await play('plainest.js')
    const again = await play('plainest.js')
    expect(again).to.deep.include({ results: [-2, 3], parsed: false })
    // Nobody looks at what is around a function that uses no name.
    expect(again.chunks).to.not.include('captures')
    // The same text, where the name is another thing.
    expect((await play('shadowed.js')).results).to.deep.equal(['mine: -2', 3])
    expect(await play('plain.js')).to.deep.include({ results: [2, 3], parsed: false })
  })

  it('loads with a shim little but the original, until the first call', async () => {
    const { stdout } = await run(process.execPath, ['shims.js'], {
      cwd: project.folder,
      env: { ...process.env, NODE_OPTIONS: '', NODE_DISABLE_COMPILE_CACHE: '1' },
    })
    const chunks = chunksAmong(JSON.parse(stdout) as string[])
    expect(chunks.toSorted()).to.deep.equal(['first', 'original-package', 'placer'])
  })

  it('makes functions without what their calls need', async () => {
    const { stdout } = await run(process.execPath, ['made.js'], {
      cwd: project.folder,
      env: { ...process.env, NODE_OPTIONS: '', NODE_DISABLE_COMPILE_CACHE: '1' },
    })
    const chunks = chunksAmong(JSON.parse(stdout) as string[])
    expect(chunks).to.include('driver-start').and.to.not.include('driver')
  })

  it('does its work where nothing can be kept', async () => {
    rmSync(kept, { recursive: true })
    writeFileSync(kept, '')
    await play(() => true)
    expect(statSync(kept).isFile()).to.equal(true)
  })
})
