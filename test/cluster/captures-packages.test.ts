import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { Project } from './bare-nodes.ts'

const run = promisify(execFile)
const library = new URL('../../dist/lib/index.js', import.meta.url).href
const json = (value: object): string => JSON.stringify(value)

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
  before(() => (project = new Project(files, false)))
  after(() => project.remove())

  it('have it of the same module there: exports named default, JSON, classes that one file makes for another', async () => {
    const env = { ...process.env, NODE_OPTIONS: '' }
    const { stdout } = await run(process.execPath, ['main.js'], { cwd: project.folder, env })
    expect(JSON.parse(stdout)).to.deep.equal([
      ['read a', [true, true, 'a schema'], 9, 'a shape, true'],
      [true, true, true],
      3,
    ])
  })
})
