import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { expect } from 'chai'
import { readArchive } from '../../../../runtime/code/modules/archive.ts'
import { defaultPackOptions, type Manifest, type PackOptions } from '../../../../runtime/code/modules/manifest.ts'
import { packModule, type Packed } from '../../../../runtime/code/modules/pack.ts'

const run = promisify(execFile)
const plain = (name: string, extra: object = {}): string =>
  JSON.stringify({ name, version: '1.2.3', main: 'index.js', ...extra })

const files = {
  'package.json': '{"type": "module"}',
  'node_modules/pure/package.json': plain('pure'),
  'node_modules/pure/index.js': 'exports.pure = () => 1',
  'node_modules/binary/package.json': plain('binary', { gypfile: true, dependencies: { pure: '*' } }),
  'node_modules/binary/index.js': "exports.binary = () => require('pure').pure()",
  'node_modules/places/package.json': plain('places'),
  'node_modules/places/index.js': "exports.places = () => require('fs').existsSync(__dirname + '/x')",
  'node_modules/made/package.json': plain('made'),
  'node_modules/made/index.js': 'exports.made = (name) => require(name)',
}

describe('a packed module', () => {
  let root: string
  const write = (more: Readonly<Record<string, string>>): void => {
    for (const [path, text] of Object.entries(more)) {
      mkdirSync(dirname(join(root, path)), { recursive: true })
      writeFileSync(join(root, path), text)
    }
  }
  const pack = (path: string, options: Partial<PackOptions> = {}): Promise<Packed> =>
    packModule(join(root, path), { ...defaultPackOptions, ...options })

  beforeEach(() => {
    root = realpathSync(mkdtempSync(join(tmpdir(), 'pack-')))
    write(files)
  })
  afterEach(() => rmSync(root, { recursive: true, force: true }))

  it('is one bundle with its map where all of it can be', async () => {
    write({
      'a.ts': "import { pure } from 'pure'\nimport { b } from './b.ts'\nexport const a = (): number => pure() + b\n",
    })
    write({ 'b.ts': 'export const b: number = 2\n' })
    const { manifest, archives } = await pack('a.ts')
    expect(manifest).to.deep.include({ kind: 'bundle', entry: 'module.mjs', packages: undefined, reasons: [] })
    const found = await contents({ manifest, archives }, manifest.code.id)
    expect(Object.keys(found)).to.deep.equal(['module.mjs', 'module.mjs.map'])
    const { sources } = JSON.parse(found['module.mjs.map'] ?? '') as { sources: string[] }
    expect(sources).to.include(`file://${root}/a.ts`).and.include(`file://${root}/b.ts`)
  })

  it('brings the package along that a module of ours extends', async () => {
    write({
      'node_modules/p-map/package.json': plain('p-map', { version: '7.1.0' }),
      'node_modules/p-map/index.js': 'exports.default = () => 1',
      'a.js': "import pMap from 'outpool/p-map'\nimport { remote } from 'outpool'\nexport const a = [pMap, remote]\n",
    })
    const bundled = await pack('a.js')
    expect(bundled.manifest).to.deep.include({ kind: 'bundle', reasons: [] })
    expect(bundled.manifest.packages).to.deep.include({ how: 'vendor', names: [{ name: 'p-map', version: '7.1.0' }] })
  })

  it('has the same name when it is packed again', async () => {
    write({ 'a.js': 'export const a = 1\n' })
    expect((await pack('a.js')).manifest.code).to.deep.equal((await pack('a.js')).manifest.code)
  })

  it('leaves packages outside that have binaries, look beside themselves, or require what is named at run time', async () => {
    write({
      'a.js':
        "import { binary } from 'binary'\nimport { places } from 'places'\nimport { made } from 'made'\nimport { pure } from 'pure'\nexport const a = () => [binary, places, made, pure]\n",
    })
    const { manifest, archives } = await pack('a.js')
    expect(manifest.kind).to.equal('bundle')
    const packages = manifest.packages as NonNullable<Manifest['packages']> & { how: 'vendor' }
    expect(packages.how).to.equal('vendor')
    expect(packages.platform).to.match(/^\w+-\w+/)
    expect(packages.names.map(({ name, version }) => `${name}@${version}`).sort()).to.deep.equal([
      'binary@1.2.3',
      'made@1.2.3',
      'places@1.2.3',
      'pure@1.2.3',
    ])
    const shipped = await contents({ manifest, archives }, packages.archive.id)
    expect(Object.keys(shipped))
      .to.include('node_modules/pure/index.js')
      .and.include('node_modules/binary/package.json')
  })

  it('sends a package that itself needs workerpool or outpool: the one goes with it, the other is everywhere', async () => {
    write({
      'a.js': "import { runner } from 'runner'\nexport const a = runner\n",
      'node_modules/runner/package.json': plain('runner', { dependencies: { workerpool: '^10.0.0', outpool: '*' } }),
      'node_modules/runner/index.js': 'exports.runner = () => require("fs").existsSync(__dirname + "/x")',
      'node_modules/workerpool/package.json': plain('workerpool'),
      'node_modules/workerpool/index.js': '',
    })
    const { manifest, archives } = await pack('a.js')
    const packages = manifest.packages as NonNullable<Manifest['packages']> & { how: 'vendor' }
    expect(Object.keys(await contents({ manifest, archives }, packages.archive.id)).sort()).to.deep.equal([
      'node_modules/runner/index.js',
      'node_modules/runner/package.json',
      'node_modules/workerpool/index.js',
      'node_modules/workerpool/package.json',
    ])
  })

  it('names no kind of machine where no package has a binary', async () => {
    write({ 'a.js': "import { places } from 'places'\nexport const a = places\n" })
    expect((await pack('a.js')).manifest.packages).to.include({ how: 'vendor', platform: undefined })
  })

  const folders: readonly (readonly [why: string, text: string, reason: RegExp])[] = [
    ['it imports an expression', 'export const a = (name) => import(name)\n', /a\.js:1/],
    ['it imports a made path', 'export const a = (name) => import(`./x/${name}.js`)\n', /a\.js:1.*made at run time/],
    ['it reads a file beside it', "export const a = new URL('./x.json', import.meta.url)\n", /a\.js:1.*by URL/],
    ['a file that it imports does', "import './deep.js'\n", /deep\.js:2.*folder that it lies in/],
    ['a file that it imports may name itself', "import './self.js'\n", /self\.js:2.*its own place/],
  ]
  for (const [why, text, reason] of folders) {
    it(`is its folder where ${why}`, async () => {
      write({
        'a.js': text,
        'self.js': "import { remote } from 'outpool'\nexport const b = remote(import.meta.url, 'c')\n",
        'deep.js': "import { fileURLToPath } from 'node:url'\nfileURLToPath(import.meta.url)\n",
        '.env': 'SECRET=1',
      })
      const { manifest, archives } = await pack('a.js')
      expect(manifest).to.include({ kind: 'folder', entry: 'a.js' })
      expect(manifest.reasons.join()).to.match(reason)
      expect(Object.keys(await contents({ manifest, archives }, manifest.code.id))).to.deep.equal([
        'a.js',
        'deep.js',
        'package.json',
        'self.js',
      ])
    })
  }

  it('is refused by name where the module to run was left out', async () => {
    write({ 'a.js': 'export const a = (name) => import(name)\n' })
    let message = ''
    await pack('a.js', { exclude: ['*.js'] }).catch((error: Error) => {
      message = error.message
    })
    expect(message).to.match(/a\.js is the module to run.*include or exclude/)
  })

  it('is its folder without esbuild, and TypeScript is then refused with what to install', async () => {
    write({
      'a.js': "import { pure } from 'pure'\nimport './lib/b.js'\nexport const a = pure\n",
      'lib/b.js': 'export {}\n',
      'c.ts': 'export const c: number = 1\n',
    })
    const pieces = ['pack.ts', 'manifest.ts'].map(
      (name) => new URL(`../../../../runtime/code/modules/${name}`, import.meta.url).href,
    )
    const program = `import { packModule } from ${JSON.stringify(pieces[0])}
import { defaultPackOptions } from ${JSON.stringify(pieces[1])}
const { manifest } = await packModule(${JSON.stringify(join(root, 'a.js'))}, defaultPackOptions)
const refusal = await packModule(${JSON.stringify(join(root, 'c.ts'))}, defaultPackOptions).catch((error) => error.message)
console.log(JSON.stringify({ manifest, refusal }))`
    const script = join(root, 'run.mts')
    writeFileSync(script, program)
    const env = { ...process.env, OUTPOOL_ESBUILD: '0', NODE_OPTIONS: '' }
    const { stdout } = await run(process.execPath, ['--import', 'tsx', script], { env })
    const { manifest, refusal } = JSON.parse(stdout) as { manifest: Manifest; refusal: string }
    expect(manifest).to.deep.include({ kind: 'folder', entry: 'a.js', reasons: ['esbuild is not installed'] })
    expect(manifest.packages).to.deep.include({ how: 'vendor', names: [{ name: 'pure', version: '1.2.3' }] })
    expect(refusal).to.match(/c\.ts is TypeScript.*npm install esbuild/)
  })
})

/** The files of one archive, by their paths. */
async function contents({ archives }: Packed, id: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {}
  let path = ''
  await readArchive([gunzipSync(archives.get(id) as Uint8Array)], {
    file: (entry) => {
      path = entry.path
      found[path] = ''
    },
    bytes: (chunk) => void (found[path] += Buffer.from(chunk).toString()),
    fileEnd: () => undefined,
  })
  return found
}
