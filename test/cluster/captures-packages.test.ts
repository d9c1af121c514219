import { execFile } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { Project } from './bare-nodes.ts'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../', import.meta.url))
const built = (path: string): string => new URL(`../../dist/${path}/index.js`, import.meta.url).href
const library = built('lib')
/** What packages export that programs set up: the same by an ES module and by CommonJS. */
const exported = `
class Settings {
  constructor() { this.rate = 1 }
  times(x) { return x * this.rate }
}
class Scale {
  constructor(x) { this.x = x }
  get() { return this.x * (Scale.rate ?? 1) }
}
class Patched {
  get(x) { return x }
}
const settings = { rate: 1 }
const single = new Settings()
const scale = (x) => x * settings.rate
function plain(x) { return x * (plain.rate ?? 1) }
function pure(x) { return x * 5 }
const replaced = (x) => x
`
const names = 'settings, single, scale, plain, pure, replaced, Scale, Patched'
const json = (value: object): string => JSON.stringify(value)

/** Prints what is not 10, and how many calls ran on workers, where each is 10 in this process. */
const shims = `import pLimit from '${built('compat/p-limit')}'
import pMap from '${built('compat/p-map')}'
import PQueue from '${built('compat/p-queue')}'
import { explain, shutdown } from '${library}'
import * as esm from 'new'
import { ${names} } from 'new'
import old from 'old'
for (const each of [esm, old]) {
  each.settings.rate = each.single.rate = each.plain.rate = each.Scale.rate = 5
  each.Patched.prototype.get = (x) => x * 5
}
old.replaced = (x) => x * 5
old.added = (x) => x * 5
const nested = { old, list: [old.single] }
const slow = () => { for (let i = 0; i < 1e6; i++) if (i < 0) return NaN; return 0 }
const calls = {
  settings: () => settings.rate * 2 + slow(),
  namespace: () => esm.settings.rate * 2 + slow(),
  single: () => single.times(2) + slow(),
  scale: () => scale(2) + slow(),
  plain: () => plain(2) + slow(),
  pure: () => pure(2) + slow(),
  Scale: () => new Scale(2).get() + slow(),
  Patched: () => new Patched().get(2) + slow(),
  oldSettings: () => old.settings.rate * 2 + slow(),
  oldSingle: () => old.single.times(2) + slow(),
  oldScale: () => new old.Scale(2).get() + slow(),
  replaced: () => old.replaced(2) + slow(),
  added: () => old.added(2) + slow(),
  nested: () => nested.old.plain(2) + nested.list[0].times(2) - 10 + slow(),
}
const queue = new PQueue()
const limit = pLimit(2)
const found = {}
for (const [name, call] of Object.entries(calls)) found[name] = await queue.add(call)
for (const mapper of ['scale', 'plain', 'pure'])
  for (const from of [esm, old]) found[mapper + (from === old)] = (await pMap([2], from[mapper]))[0]
for (const mapper of ['replaced', 'added']) found['mapper ' + mapper] = (await pMap([2], old[mapper]))[0]
const rate = (of) => of.rate * 2
for (const from of [esm, old]) {
  found['settings given' + (from === old)] = await limit(rate, from.settings)
  found['single given' + (from === old)] = await limit((of) => of.times(2), from.single)
  found['class given' + (from === old)] = await limit((Of) => new Of(2).get(), from.Scale)
}
const { worker, caller } = explain(queue)
const wrong = Object.entries(found).filter(([, value]) => value !== 10)
console.log(JSON.stringify({ wrong, calls: worker + caller, isSent: worker >= 10 }))
await shutdown()
`

const setUp = `import { remote, shutdown } from '${library}'
import { settings, scale, pure } from 'new'
import old from 'old'
const own = { rate: 1 }
own.rate = 5
settings.rate = 5
await old.single.setRate?.(5)
const from = (fn) => remote(fn).run(2)
console.log(JSON.stringify([
  await from((x) => x * settings.rate),
  await from((x) => old.single.times(x)),
  await from((x) => pure(x) * own.rate),
]))
await shutdown()
`

const files = {
  'package.json': json({ type: 'module' }),
  'main.js': `import { remote, shutdown } from '${library}'
import compiled from 'compiled'
import { Square } from 'shapes'
const parser = new compiled.Parser()
const square = new Square({ side: 3 })
const tell = remote(() => [parser.read('a'), parser.check(), square.area(), square.describe()])
const isOne = remote(() => [square instanceof Square, parser instanceof compiled.Parser, parser.reader === compiled.default])
console.log(JSON.stringify([await tell.run(), await isOne.run(), await remote(compiled.fit).run(5)]))
await shutdown()
`,
  // As compilers write it: to who imports it, `default` is all of it.
  'node_modules/compiled/package.json': json({ name: 'compiled', version: '1.0.0', main: './main.js' }),
  'node_modules/compiled/main.js': `Object.defineProperty(exports, '__esModule', { value: true })
const reader = require('./reader.js').default
exports.default = reader
exports.fit = require('./fit.js').default
exports.Parser = class Parser {
  constructor() {
    this.reader = reader
    this.schema = require('./schema.json')
  }
  read(text) {
    return this.reader.read(text)
  }
  check() {
    return [this.reader === reader, this.schema === require('./schema.json'), this.schema.title]
  }
}
`,
  'node_modules/compiled/reader.js': `const known = new WeakSet()
exports.__esModule = true
exports.default = { read: (text) => known.has(exports.default) && 'read ' + text }
known.add(exports.default)
`,
  'node_modules/compiled/fit.js': `let most = 3
exports.__esModule = true
exports.default = function fit(n) { return (most = Math.min(n, most)) }
`,
  'node_modules/compiled/schema.json': json({ title: 'a schema' }),
  'shims.js': shims,
  'set-up.js': setUp,
  'node_modules/new/package.json': json({ name: 'new', version: '1.0.0', type: 'module', exports: './main.js' }),
  'node_modules/new/main.js': `${exported}export { ${names} }\n`,
  'node_modules/old/package.json': json({ name: 'old', version: '1.0.0', main: './main.js' }),
  'node_modules/old/main.js': `${exported}module.exports = { ${names} }\n`,
  // One file makes the classes that another one exports.
  'node_modules/shapes/package.json': json({
    name: 'shapes',
    version: '1.0.0',
    type: 'module',
    exports: './shapes.js',
  }),
  'node_modules/shapes/define.js': `export function define(initialize, options) {
  const made = new WeakSet()
  function Shape(facts) {
    const shape = this
    made.add(shape)
    initialize(shape, facts)
    shape.describe = () => (options?.prefix ?? 'a shape, ') + (shape instanceof Shape)
  }
  return Shape
}
`,
  'node_modules/shapes/shapes.js': `import { define } from './define.js'
export const Square = define((square, { side }) => {
  square.area = () => side ** 2
})
`,
}

describe('functions that capture what packages made', () => {
  let project: Project
  before(() => {
    project = new Project(files, false)
    for (const name of ['p-limit', 'p-map', 'p-queue'])
      symlinkSync(join(root, 'node_modules', name), project.path(`node_modules/${name}`))
  })
  after(() => project.remove())

  const play = (program: string): Promise<{ stdout: string; stderr: string }> =>
    run(process.execPath, [program], { cwd: project.folder, env: { ...process.env, NODE_OPTIONS: '' } })

  it('have it of the same module there: exports named default, JSON, classes that one file makes for another', async () => {
    const { stdout } = await play('main.js')
    expect(JSON.parse(stdout)).to.deep.equal([
      ['read a', [true, true, 'a schema'], 9, 'a shape, true'],
      [true, true, true],
      3,
    ])
  })

  it('give what they give here, where shims decide: with what this program has made of it', async () => {
    expect(JSON.parse((await play('shims.js')).stdout)).to.deep.equal({ wrong: [], calls: 14, isSent: true })
  })

  it('are told of, where a program sends them and its file sets up a package: that is not done there', async () => {
    const { stdout, stderr } = await play('set-up.js')
    expect(JSON.parse(stdout)).to.deep.equal([2, 2, 50])
    const told = stderr.split('\n').filter((line) => line.startsWith('outpool: '))
    expect(told, stderr).to.have.length(2)
    expect(told[0]).to.include("it reads 'settings' (line 1), which line 6 of its file sets up (rate)")
    expect(told[1]).to.include("it reads 'old' (line 1), which line 7 of its file sets up (setRate())")
  })
})
