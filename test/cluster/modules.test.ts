import { createHash } from 'node:crypto'
import { existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect } from 'chai'
import { remote, RemoteFunction, type RuntimeEnv, RuntimeEnvSetupError } from 'outpool'
import workerpool from 'outpool/workerpool'
import { moduleExport, withPack } from '../../runtime/code/function-source.ts'
import { currentRuntime, type ProcessRuntime } from '../../runtime/owner/current.ts'
import { joinOptions, onHead, onOther, Project, useTwoNodes } from './bare-nodes.ts'
import { Registry } from './registry.ts'
import { Program } from './support.ts'
import { eventually } from '../tools/eventually.ts'
import { rejection } from '../tools/rejection.ts'

const manifest = JSON.stringify({ name: 'project', type: 'module' })

const worker = `import lodash from 'lodash'
import { z } from 'zod'
import { evaluate } from 'mathjs'
import { double } from './lib/double.ts'
import { half, type Half } from './lib/half.js'
import { Refusal, refuse } from './lib/refuse.ts'

const shape = z.object({ n: z.number() })

export function compute(n: number): unknown {
  const quotient: Half = half(n)
  return {
    sum: lodash.sum([double(n), quotient]),
    evaluated: evaluate('2 + 3 * 4'),
    valid: shape.safeParse({ n }).success,
    url: import.meta.url,
    pid: process.pid,
  }
}

export const fail = (n: number): never => {
  if (n < 0) throw new TypeError('below zero')
  return refuse(n)
}
`
const files = {
  'package.json': manifest,
  'src/worker.ts': worker,
  'src/lib/double.ts': 'export const double = (n: number): number => n * 2\n',
  'src/lib/half.ts': 'export type Half = number\n\nexport function half(n: number): Half {\n  return n / 2\n}\n',
  'src/lib/refuse.ts': `interface Facts {
  readonly n: number
}

export class Refusal extends Error {}

export function refuse(n: number): never {
  const facts: Facts = { n }
  throw new RangeError(\`refused \${facts.n}\`)
}
`,
}

interface Computed {
  readonly sum: number
  readonly evaluated: number
  readonly valid: boolean
  readonly url: string
  readonly pid: number
}

describe('a module on nodes that have nothing of it', () => {
  const nodes = useTwoNodes()
  const projects: Project[] = []
  const project = (contents: Readonly<Record<string, string>>, withPackages?: boolean): Project => {
    const made = new Project(contents, withPackages)
    projects.push(made)
    return made
  }

  after(() => {
    for (const each of projects) each.remove()
  })

  it('runs with what it imports: TypeScript of its own, lodash, zod and mathjs', async () => {
    const made = project(files)
    const compute = remote<(n: number) => Computed>(made.url('src/worker.ts'), 'compute', onHead)
    const found = await compute.run(4)
    expect(found).to.include({ sum: 10, evaluated: 14, valid: true, url: made.url('src/worker.ts').href })
    // From here on nobody can read it.
    made.remove()
    expect(existsSync(made.folder)).to.equal(false)
    const there = await compute.options(onOther).run(8)
    expect(there).to.include({ sum: 20, evaluated: 14, valid: true })
    expect(there.pid).to.not.equal(found.pid)
    const times: number[] = []
    for (let use = 0; use < 21; use++) {
      const startedAt = performance.now()
      // By a name of its own: nothing of the use before is at hand but what the node and the worker keep.
      expect(await compute.options({ ...onOther, name: `again${use}` }).run(8)).to.include({ sum: 20, pid: there.pid })
      times.push(performance.now() - startedAt)
    }
    const [second = 0] = times
    const median = times.toSorted((a, b) => a - b)[10] ?? 0
    console.log(`      the second use took ${second.toFixed(1)} ms, uses after it ${median.toFixed(1)} (median of 21)`)
    const error = await rejection(remote<(n: number) => never>(made.path('src/worker.ts'), 'fail', onOther).run(1))
    expect(error).to.be.instanceOf(RangeError)
  })

  it('throws with a stack that names the files and lines that were written', async () => {
    const made = project(files)
    const path = (name: string): string => made.path(name)
    const fail = remote<(n: number) => never>(made.url('src/worker.ts'), 'fail', onOther)
    const error = await rejection(fail.run(1))
    expect(error).to.be.instanceOf(RangeError)
    expect(error.stack).to.contain(`${path('src/lib/refuse.ts')}:9:`)
    expect(error.stack).to.contain(`${path('src/worker.ts')}:23:`)
    expect(error.stack).to.not.contain('module.mjs')
    expect((await rejection(fail.run(-1))).stack).to.contain(`${path('src/worker.ts')}:22:`)
  })

  it('is a worker script of a pool, by its path, in TypeScript and in CommonJS', async () => {
    const made = project({
      'package.json': manifest,
      'pool.ts': `import workerpool from 'workerpool'
import { scale } from './scale.ts'
workerpool.worker({ scale: (n: number): number => scale(n), where: (): string => process.cwd() })
`,
      'scale.ts': "import { multiply } from 'mathjs'\nexport const scale = (n: number): number => multiply(n, 3)\n",
      'pool.cjs': `const workerpool = require('workerpool')
const { join } = require('./join.cjs')
workerpool.worker({ join: (a, b) => join(a, b), sloppy() { return typeof (function () { return this })() } })
`,
      'join.cjs': "exports.join = (a, b) => require('lodash').join([a, b], '-')\n",
    })
    const pool = workerpool.pool(made.path('pool.ts'), { maxWorkers: 1 })
    expect(await pool.exec('scale', [5])).to.equal(15)
    await pool.terminate()
    const second = workerpool.pool(made.path('pool.cjs'), { maxWorkers: 1 })
    expect(await second.exec('join', ['a', 'b'])).to.equal('a-b')
    expect(await second.exec('sloppy', [])).to.equal('object')
    await second.terminate()
  })

  it('is a folder where a bundle would not be the same: files beside it, imports of expressions', async () => {
    const made = project({
      'package.json': JSON.stringify({ type: 'module', dependencies: { lodash: '*' } }),
      'main.ts': `import { readFileSync } from 'node:fs'
import { name } from './names.js'
export async function load(plugin: string): Promise<unknown> {
  const data = JSON.parse(readFileSync(new URL('./data/table.json', import.meta.url), 'utf8')) as { rows: number }
  const { run } = (await import(\`./plugins/\${plugin}.js\`)) as { run(rows: number): string }
  return [name, run(data.rows)]
}
`,
      'names.ts': "export const name: string = 'names'\n",
      'data/table.json': '{"rows": 3}',
      'plugins/times.ts':
        "import lodash from 'lodash'\nexport const run = (n: number): string => lodash.times(n, String).join('')\n",
      '.env': 'SECRET=1',
    })
    const load = remote<(plugin: string) => unknown>(made.url('main.ts'), 'load', onOther)
    expect(await load.run('times')).to.deep.equal(['names', '012'])
  })

  it('brings a package with a binary along, once for two programs that race for it', async () => {
    await race(project(nativeFiles), {})
  })

  it('has the package manager of the lockfile install it there, once for two programs that race for it', async () => {
    const registry = await Registry.start()
    try {
      const dependencies = { lmdb: '*' }
      const made = project({ ...nativeFiles, 'package.json': JSON.stringify({ type: 'module', dependencies }) })
      const lockfile = registry.lockfile('native', ['lmdb'], made.folder)
      const { packages } = JSON.parse(lockfile) as { packages: { '': { dependencies: object } } }
      writeFileSync(made.path('package.json'), JSON.stringify({ name: 'native', type: 'module', ...packages[''] }))
      writeFileSync(made.path('package-lock.json'), lockfile)
      // In workers of their own, which have nothing of the other way yet.
      await race(made, { npm: 'install', env: { WAY: 'install' } })
      const tarballs = registry.asked.filter((name) => name.endsWith('.tgz'))
      expect(tarballs).to.include(`lmdb-${(packages[''].dependencies as { lmdb: string }).lmdb}.tgz`)
      expect(new Set(tarballs).size).to.equal(tarballs.length)
    } finally {
      await registry.close()
    }
  })

  it('says what the package manager said when it fails, and what to do', async () => {
    const made = project({ ...nativeFiles, 'package.json': JSON.stringify({ name: 'native', type: 'module' }) })
    const runtimeEnv = { npm: 'install' } as const
    const work = remote<(n: number) => NativeFacts>(made.url('native.mjs'), 'work', { ...onOther, runtimeEnv })
    const without = await rejection(work.run(1))
    expect(without).to.be.instanceOf(RuntimeEnvSetupError)
    expect(without.message).to.match(/has a lockfile .*npm: 'vendor'/)
    writeFileSync(made.path('package.json'), '{"name": "native", "version": "1.0.0", "dependencies": {"x": "1.0.0"}}')
    writeFileSync(made.path('package-lock.json'), '{"name": "native", "lockfileVersion": 3, "packages": {"": {}}}')
    const env = { npm_config_registry: 'http://127.0.0.1:9/', npm_config_fetch_retries: '0' }
    const failed = await rejection(work.options({ name: 'again', runtimeEnv: { npm: 'install', env } }).run(1))
    expect(failed).to.be.instanceOf(RuntimeEnvSetupError)
    expect(failed.message).to.match(/npm ci .*failed on this node \(exit code 1\).*npm: 'vendor'/s)
  })

  /** Two programs ask the node for the module at once; both get it, and it was made once. */
  async function race(made: Project, runtimeEnv: RuntimeEnv): Promise<void> {
    const before = await nodes.other.metric('outpool_code_cache_made')
    const rival = new Program('native-job.mjs', [made.url('native.mjs').href, JSON.stringify(runtimeEnv)], {
      OUTPOOL_ADDRESS: nodes.head.url,
      OUTPOOL_TOKEN: joinOptions(nodes.head).token,
    })
    try {
      const work = remote<(n: number) => NativeFacts>(made.url('native.mjs'), 'work', { ...onOther, runtimeEnv })
      const mine = await work.run(7)
      const [code] = await rival.exit
      expect([code, rival.stderr]).to.deep.equal([0, ''])
      const theirs = JSON.parse(rival.stdout) as NativeFacts
      for (const facts of [mine, theirs]) {
        expect(facts).to.include({ value: 7 })
        expect(facts.binary).to.contain(`${nodes.other.code}/`)
      }
      expect(mine.binary).to.equal(theirs.binary)
      expect(mine.pid).to.not.equal(theirs.pid)
      // The packages, and the code beside them.
      expect((await nodes.other.metric('outpool_code_cache_made')) - before).to.equal(2)
    } finally {
      await rival.remove()
    }
  }

  it('finds packages that are not to travel where they are, in the version that was meant, or says what to do', async () => {
    const plate = (version: string): string =>
      JSON.stringify({ name: 'plate', version, main: 'index.js', gypfile: true })
    const made = project(
      {
        'package.json': manifest,
        'use.mjs': "import plate from 'plate'\nexport const use = () => plate\n",
        'node_modules/plate/package.json': plate('1.0.0'),
        'node_modules/plate/index.js': "module.exports = 'plate'\n",
      },
      false,
    )
    const use = remote<() => string>(made.url('use.mjs'), 'use', { ...onHead, runtimeEnv: { npm: 'never' } })
    expect(await use.run()).to.equal('plate')
    writeFileSync(made.path('node_modules/plate/package.json'), plate('2.0.0'))
    const error = await rejection(use.options(onOther).run())
    expect(error).to.be.instanceOf(RuntimeEnvSetupError)
    expect(error.message).to.match(
      /use\.mjs needs plate 1\.0\.0, and this node has version 2\.0\.0 .*'vendor' or 'install'/,
    )
  })

  it('refuses an archive that would write elsewhere, and goes on', async () => {
    const { owner } = currentRuntime() as ProcessRuntime
    const entry = (path: string, kind = 1, size = 1): Buffer => {
      const head = Buffer.alloc(8)
      head.writeUInt8(kind, 0)
      head.writeUInt16LE(Buffer.byteLength(path), 2)
      head.writeUInt32LE(size, 4)
      return Buffer.concat([head, Buffer.from(path), Buffer.from('x')])
    }
    const magic = Buffer.from('outpool-archive 1\n')
    const victim = join(nodes.other.folder, 'victim')
    const rows: readonly (readonly [what: string, bytes: Buffer, reason: RegExp])[] = [
      ['../', Buffer.concat([magic, entry('../../../../../victim')]), /leads out of the folder/],
      ['an absolute path', Buffer.concat([magic, entry(victim)]), /is absolute/],
      ['a link', Buffer.concat([magic, entry('a', 2)]), /kind 2/],
      ['a size that lies', Buffer.concat([magic, entry('a', 1, 5000)]), /ends before its end/],
      ['too much', Buffer.concat([magic, entry('a', 1, 2 ** 31 - 1)]), /more than \d+ bytes/],
    ]
    for (const [what, bytes, reason] of rows) {
      const id = createHash('sha256').update(bytes).digest('hex').slice(0, 32)
      const packed = new Uint8Array(gzipSync(bytes))
      const code = { id, bytes: packed.length }
      const pack = owner.values.later(
        Promise.resolve({
          manifest: { kind: 'bundle', code, entry: 'module.mjs', origin: what, packages: undefined, reasons: [] },
          archives: { [id]: owner.values.later(Promise.resolve(packed)) },
        }),
      )
      const evil = new RemoteFunction(withPack(moduleExport(`file:///nowhere/${what}.mjs`, 'run'), pack), onOther)
      const error = await rejection(evil.run())
      expect(error, what).to.be.instanceOf(RuntimeEnvSetupError)
      expect(error.message, what).to.match(reason)
      expect(existsSync(victim)).to.equal(false)
    }
    await eventually(() => !readdirSync(nodes.other.code).some((name) => name.startsWith('making-')) || undefined)
    expect(await remote((n: number) => n + 1, onOther).run(1)).to.equal(2)
  })

  it('has the variables and the working folder of its task, and never those of another', async () => {
    const made = project({ 'data.txt': 'from the folder', 'skipped.txt': 'x', 'package.json': manifest }, false)
    const look = remote(async () => {
      const { readFileSync, readdirSync } = await import('node:fs')
      const text = readdirSync('.').includes('data.txt') ? readFileSync('data.txt', 'utf8') : ''
      const names = Object.keys(process.env).filter((name) => name.startsWith('SET_'))
      return { text, names, listing: readdirSync('.'), set: process.env['SET_A'], pid: process.pid, cwd: process.cwd() }
    }, onOther)
    const runtimeEnv = { env: { SET_A: '1' }, workingDir: made.folder, exclude: ['skipped.txt'] }
    const [one, two, three] = await Promise.all([
      look.options({ runtimeEnv }).run(),
      look.options({ runtimeEnv: { env: { SET_A: '2', SET_B: '3' } } }).run(),
      look.run(),
    ])
    expect(one).to.include({ text: 'from the folder', set: '1' })
    expect(one.listing.sort()).to.deep.equal(['data.txt', 'package.json'])
    expect(one.cwd).to.contain(nodes.other.code)
    expect(two).to.deep.include({ text: '', set: '2', names: ['SET_A', 'SET_B'] })
    expect(three).to.deep.include({ text: '', set: undefined, names: [] })
    expect(new Set([one.pid, two.pid, three.pid]).size).to.equal(3)
    expect([two.pid, three.pid]).to.not.include((await look.options({ runtimeEnv }).run()).pid)
  })
})

interface NativeFacts {
  readonly value: number
  readonly binary: string
  readonly pid: number
}

const nativeFiles = {
  'package.json': manifest,
  'native.mjs': `import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'

export async function work(n) {
  const folder = mkdtempSync(join(tmpdir(), 'lmdb-'))
  const database = open({ path: join(folder, 'db') })
  await database.put('n', n)
  const value = database.get('n')
  await database.close()
  rmSync(folder, { recursive: true })
  const binary = readFileSync('/proc/self/maps', 'utf8').split('\\n').find((line) => /lmdb.*\\.node$/.test(line)) ?? ''
  return { value, binary: binary.slice(binary.indexOf('/')), pid: process.pid }
}
`,
}
