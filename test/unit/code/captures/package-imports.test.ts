import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { takeApart } from '../../../../runtime/code/captures/function-parts.ts'
import { resolveImport } from '../../../../runtime/code/captures/resolve-import.ts'
import { codeCodec, type TextSink } from '../../../../runtime/code/captures/send-code.ts'
import type { ModuleReference } from '../../../../runtime/code/captures/module-references.ts'
import { commonJsExport, whileNothingLoads } from '../../../../runtime/code/common-js-exports.ts'
import { defineFunction } from '../../../../runtime/code/function-source.ts'
import { decodeValue, encodeValue, type RefCodec } from '../../../../runtime/objects/value.ts'

const json = (value: object): string => JSON.stringify(value)

/** Its tokens are known by a set that no other copy of the module has. */
const tokens = `
const made = new WeakSet()
export class Token { constructor(text) { this.text = text; made.add(this) } }
export const make = (text) => new Token(text)
function isToken(value) { return made.has(value) }
export { isToken as knows }
export default function whole() { return made instanceof WeakSet }
export const step = () => 'step of the package'
export function countdown() {
  const step = (n) => (n > 0 ? step(n - 1) : 'step of countdown')
  return step
}
`

const files: Readonly<Record<string, string>> = {
  'package.json': json({
    name: 'program',
    type: 'module',
    exports: { './self': './self.js' },
    imports: { '#own': './own.js', '#npm': { browser: './no.js', default: 'only-import/deep/a' } },
  }),
  'main.js': `
    import { knows, make } from 'only-import'
    export { make, Token, knows } from 'only-import'
    export { default as whole } from 'only-import'
    export const resolve = (specifier) => import.meta.resolve(specifier)
    export const asked = (text) => knows(make(text))
  `,
  'hides.js': `
    import { make, knows } from 'only-import'
    import path from 'node:path'
    export { countdown } from 'only-import'
    export const imported = { make, path }
    const using = (make) => (text) => make(text)
    export const own = using((text) => 'own ' + text)
    const along = (path) => () => path.join('-')
    export const list = along(['a', 'b'])
    const changing = (knows) => [(text) => knows(text), (next) => (knows = next)]
    export const [asks, setKnows] = changing((text) => 'first ' + text)
    export class Shape { get area() { return path = 3, () => path; var path } }
  `,
  'self.js': '',
  'own.js': '',
  'inner/package.json': json({ name: 'inner', type: 'module' }),
  'inner/main.js': 'export const resolve = (specifier) => import.meta.resolve(specifier)',
  'inner/node_modules/only-import/package.json': json({ name: 'only-import', version: '9.0.0', exports: './nine.js' }),
  'inner/node_modules/only-import/nine.js': '',
  'node_modules/only-import/package.json': json({
    name: 'only-import',
    version: '1.0.0',
    type: 'module',
    exports: {
      '.': { types: './index.d.ts', import: './index.js' },
      './sub': { browser: './browser.js', node: { require: './sub.cjs', import: './sub.js' }, default: './no.js' },
      './deep/*': { import: './deep/*.js' },
      './deep/hidden': null,
      './missing': './missing.js',
    },
  }),
  'node_modules/only-import/index.js': tokens,
  'node_modules/only-import/sub.js': '',
  'node_modules/only-import/sub.cjs': '',
  'node_modules/only-import/deep/a.js': '',
  'node_modules/only-import/deep/hidden.js': '',
  'node_modules/@scope/plain/package.json': json({ name: '@scope/plain', version: '1.0.0', main: './lib/main' }),
  'node_modules/@scope/plain/lib/main.js': '',
  'node_modules/@scope/plain/lib/other.js': '',
  'node_modules/passes-on/package.json': json({ name: 'passes-on', version: '1.0.0' }),
  'node_modules/passes-on/index.js': 'module.exports = { reset: String, log: console }',
  'node_modules/loaded-late/package.json': json({ name: 'loaded-late', version: '1.0.0' }),
  ...Object.fromEntries(['first', 'second', 'third'].map((name) => [`node_modules/loaded-late/${name}.js`, ''])),
  'elsewhere/linked/package.json': json({ name: 'linked', exports: { import: './x.mjs' } }),
  'elsewhere/linked/x.mjs': '',
}

interface Main {
  readonly resolve: (specifier: string) => string
  readonly make: (text: string) => object
  readonly Token: Function
  readonly knows: (value: object) => boolean
  readonly whole: () => boolean
  readonly asked: (text: string) => boolean
}

interface Hides {
  readonly own: (text: string) => string
  readonly list: () => string
  readonly asks: (text: string) => string
  readonly setKnows: (next: (text: string) => string) => void
  readonly Shape: new () => { readonly area: () => number }
  readonly countdown: () => (n: number) => string
}

describe('imports of packages', () => {
  let folder: string
  let main: Main
  const url = (name: string): string => pathToFileURL(join(folder, name)).href

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'imports-'))
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    symlinkSync(join(folder, 'elsewhere/linked'), join(folder, 'node_modules/linked'))
    main = (await import(url('main.js'))) as Main
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  const specifiers = [
    ...['only-import', 'only-import/sub', 'only-import/deep/a', 'only-import/deep/hidden', 'only-import/missing'],
    ...['only-import/index.js', 'only-import/package.json', '@scope/plain', '@scope/plain/lib/other.js', 'linked'],
    ...['#own', '#npm', '#nothing', 'program/self', 'program', 'not-installed', './self.js', '../x.js'],
  ]
  for (const from of ['main.js', 'inner/main.js']) {
    it(`mean the file that Node says, seen from ${from}`, async () => {
      const { resolve } = (await import(url(from))) as Main
      for (const specifier of specifiers) {
        let wanted: string | undefined
        try {
          wanted = resolve(specifier)
        } catch {
          wanted = undefined
        }
        // Node names some files that are not there; nobody can import those.
        if (specifier === 'only-import/missing') wanted = undefined
        expect(resolveImport(specifier, url(from)), specifier).to.equal(wanted)
      }
    })
  }

  function sent(fn: Function): { readonly modules: readonly ModuleReference[]; readonly made: Function } {
    const modules: ModuleReference[] = []
    const sink: TextSink = {
      add: () => undefined,
      variable: () => undefined,
      module: (one) => void modules.push(one),
    }
    const none = (): never => {
      throw new Error('no refs here')
    }
    const codec: RefCodec = {
      isRef: () => false,
      describe: none,
      revive: none,
      code: codeCodec(sink, undefined, true),
    }
    return { modules, made: decodeValue(encodeValue(fn, 'fn', codec), codec) as Function }
  }

  it('travel by name where only `import` reaches the package, whichever way its functions came', () => {
    const index = url('node_modules/only-import/index.js')
    const { make, Token, knows, whole } = main
    const [kept] = [{ make, Token }]
    const fn = (text: string): unknown => [knows(make(text)), kept.make(text) instanceof Token, kept.make === make]
    const { modules } = sent(fn)
    expect(modules.map((one) => `${one.url} ${one.exportName}`)).to.have.members(
      ['make', 'Token', 'knows'].map((name) => `${index} ${name}`),
    )
    expect(sent(() => whole()).modules).deep.equal([{ url: index, exportName: 'default' }])
    expect(sent(main.asked).modules.map(({ url: each }) => each)).deep.equal([index, index])
  })

  it('are not what a variable of the same name is, as in minified bundles', async () => {
    const { own, list, Shape, countdown } = (await import(url('hides.js'))) as Hides
    // A function that comes back to its own process is itself: what counts is what would be asked for elsewhere.
    const modules = (fn: Function): unknown => sent(fn).modules
    expect(modules(own)).deep.equal([])
    expect(modules(list)).deep.equal([])
    expect(modules(() => new Shape().area)).deep.equal([])
    expect((sent(countdown()).made as (n: number) => string)(2)).equal('step of countdown')
  })

  it('are not what decides whether a variable of the same name keeps its value', async () => {
    const { asks, setKnows } = (await import(url('hides.js'))) as Hides
    const second = (text: string): string => `second ${text}`
    expect(takeApart(asks)).to.have.property('name', '')
    setKnows(second)
    expect(takeApart(asks)).to.have.nested.property('variables[0].value', second)
  })

  it('are not what a package passes on that every process has', () => {
    const { reset, log } = createRequire(url('main.js'))('passes-on') as { reset: typeof String; log: Console }
    const [text, out] = [reset, log]
    class Label extends text {}
    expect(sent(() => [text(1), typeof out]).modules).deep.equal([])
    expect(sent(() => new Label('a')).modules).deep.equal([])
  })

  it('of CommonJS are looked for once while nothing can be loaded, and else each time', () => {
    const require = createRequire(url('main.js'))
    const load = (name: string): object => require(`loaded-late/${name}.js`) as object
    const first = load('first')
    const found = whileNothingLoads(() => [commonJsExport(first)?.exportName, commonJsExport(load('second'))])
    expect(found).to.deep.equal(['=', undefined])
    expect(commonJsExport(load('second'))).to.deep.equal({
      url: url('node_modules/loaded-late/second.js'),
      exportName: '=',
    })
    expect(commonJsExport(load('third'))).to.have.property('exportName', '=')
  })

  it('are what a function of such a package is submitted by', () => {
    const { source } = defineFunction(main.knows)
    expect(source).to.include({ kind: 'module', url: url('node_modules/only-import/index.js'), exportName: 'knows' })
  })
})
