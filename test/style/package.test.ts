import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parse } from 'acorn'
import { expect } from 'chai'
import { build } from 'esbuild'
import { readText, root, runNode, tool } from '../tools/tree.ts'

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly bin: Readonly<Record<string, string>>
}

const manifest = JSON.parse(readText('package.json')) as Manifest
const entries = Object.entries(manifest.exports).filter(([, target]) => typeof target === 'object')
const names = entries.map(([path]) => manifest.name + path.slice(1))

/** Loads an entry by the package's own name in a process of its own, and prints what it exports. */
function load(statement: string): { status: number | null; output: string } {
  const flags = ['--no-warnings', '--input-type=commonjs', '-e']
  return runNode([...flags, `${statement}\n  .then((entry) => console.log(Object.keys(entry).sort().join(' ')))`])
}

const functionNode: RegExp = /^(ArrowFunctionExpression|Function(Expression|Declaration))$/

function awaitsOutsideFunctions(node: unknown): boolean {
  if (Array.isArray(node)) return node.some(awaitsOutsideFunctions)
  if (typeof node !== 'object' || node === null) return false
  const { type, await: isAwaiting } = node as { type?: unknown; await?: unknown }
  if (typeof type === 'string' && functionNode.test(type)) return false
  if (type === 'AwaitExpression' || (type === 'ForOfStatement' && isAwaiting === true)) return true
  return Object.values(node).some(awaitsOutsideFunctions)
}

/** What a text in Markdown links to or shows, of the same package: paths without their anchors. */
function relativeLinks(text: string): string[] {
  const targets = [...text.matchAll(/\]\(<?([^)\s>]+)>?(?:\s[^)]*)?\)/g), ...text.matchAll(/(?:src|href)="([^"]+)"/g)]
  return targets
    .map(([, target = '']) => target.replace(/#.*$/, ''))
    .filter((target) => target !== '' && !/^[a-z][a-z0-9+.-]*:/i.test(target))
}

describe('the package', function () {
  // A tool takes as long as it takes.
  this.timeout(0)

  before(() => {
    if (!existsSync(join(root, 'dist/.build.json'))) throw new Error('dist/ is not built; run npm run build first')
  })

  for (const name of names) {
    it(`loads ${name} by require and by import, with the same exports`, () => {
      const imported = load(`import('${name}')`)
      const required = load(`Promise.resolve(require('${name}'))`)
      expect(imported.status, imported.output).equal(0)
      expect(required.status, required.output).equal(0)
      // `outpool/register` is imported for what it does.
      if (name !== 'outpool/register') expect(imported.output).not.equal('')
      // Node's own mark on a module with a default export that is required.
      expect(required.output.replace('__esModule ', '')).equal(imported.output)
    })
  }

  it('has no top-level await in any module of dist', () => {
    const modules = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.js'))
      .map((path) => join('dist', path))
    const awaiting = modules.filter((path) => {
      const options = { ecmaVersion: 'latest', sourceType: 'module', allowHashBang: true } as const
      return awaitsOutsideFunctions(parse(readText(path), options))
    })
    expect(modules).not.deep.equal([])
    expect(awaiting).deep.equal([])
  })

  it('would find a top-level await, and does not take one in a function for it', () => {
    const found = (source: string): boolean =>
      awaitsOutsideFunctions(parse(source, { ecmaVersion: 'latest', sourceType: 'module' }))
    expect(found("const fs = await import('node:fs')")).equal(true)
    expect(found('for await (const x of []) {}')).equal(true)
    expect(found('const f = async () => { await f() }')).equal(false)
    expect(found('class A { static async f() { for await (const x of []) {} } }')).equal(false)
  })

  for (const format of ['esm', 'cjs'] as const) {
    it(`says so when it was swallowed by a bundle, in ${format}`, async () => {
      const { outputFiles } = await build({
        stdin: { contents: `import { remote } from 'outpool'\nremote(Math.abs)`, resolveDir: root },
        bundle: true,
        platform: 'node',
        format,
        write: false,
        logLevel: 'silent',
      })
      const { status, output } = runNode([`--input-type=${format === 'esm' ? 'module' : 'commonjs'}`, '-'], {
        input: outputFiles[0]?.text ?? '',
      })
      expect(status, output).not.to.equal(0)
      expect(output).to.contain('Error: outpool was bundled into this program').and.to.contain('--packages=external')
    })
  }

  it('has command lines that are executable and start with a node line', () => {
    for (const path of Object.values(manifest.bin)) {
      expect(readFileSync(join(root, path), 'utf8').split('\n')[0]).equal('#!/usr/bin/env node')
      const { status, output } = runNode(['-e', `fs.accessSync('${path}', fs.constants.X_OK)`])
      expect(status, output).equal(0)
    }
  })

  it('has in it every file that its texts link to', () => {
    const { status, stdout, stderr } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
      cwd: root,
      encoding: 'utf8',
    })
    expect(status, stderr).equal(0)
    const [{ files }] = JSON.parse(stdout) as [{ readonly files: readonly { readonly path: string }[] }]
    const packed = files.map(({ path }) => path)
    const texts = packed.filter((path) => path.endsWith('.md'))
    expect(texts).to.include('README.md')
    const links = texts.flatMap((path) =>
      relativeLinks(readText(path)).map((to) => ({ path, to: join(dirname(path), to) })),
    )
    expect(links.map(({ path }) => path)).to.include('README.md')
    const isThere = (to: string): boolean =>
      packed.some((path) => path === to || path.startsWith(`${to.replace(/\/$/, '')}/`))
    const missing = links.filter(({ to }) => !isThere(to)).map(({ path, to }) => `${path}: ${to}`)
    expect(missing, 'not in the package; name them under `files` in package.json').deep.equal([])
  })

  it('passes publint', () => {
    const { status, output } = runNode([tool('publint/src/cli.js'), '--strict'])
    expect(status, output).equal(0)
  })

  it('has types that resolve from every kind of importer', () => {
    const { status, output } = runNode([
      tool('@arethetypeswrong/cli/dist/index.js'),
      '--profile',
      'esm-only',
      '--pack',
      '.',
    ])
    expect(status, output).equal(0)
  })
})
