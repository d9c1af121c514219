import { expect } from 'chai'
import { init, remote, shutdown } from 'outpool'
import { BareNode, joinOptions, Project } from './bare-nodes.ts'

/** By what the module names the one that its task runs, and what travels of it. */
const forms: readonly (readonly [what: string, entry: string, files: Readonly<Record<string, string>>])[] = [
  [
    'itself, in a bundle',
    'main.ts',
    {
      'main.ts': `import { remote } from 'outpool'
import { double } from './double.ts'
export const pid = (): number => process.pid
export const child = (n: number): unknown => [double(n), process.pid]
export const parent = (n: number, options: object): unknown => remote(import.meta.url, 'child', options).run(n)
`,
      'double.ts': 'export const double = (n: number): number => n * 2\n',
    },
  ],
  [
    'itself, in a bundle in CommonJS',
    'main.cjs',
    {
      'main.cjs': `const { remote } = require('outpool')
const { double } = require('./double.cjs')
exports.pid = () => process.pid
exports.child = (n) => [double(n), process.pid]
exports.parent = (n, options) => remote(__filename, 'child', options).run(n)
`,
      'double.cjs': 'exports.double = (n) => n * 2\n',
    },
  ],
  [
    'a file beside it',
    'main.ts',
    {
      'main.ts': `import { remote } from 'outpool'
export const pid = (): number => process.pid
const child = remote(new URL('./child.ts', import.meta.url), 'child')
export const parent = (n: number, options: object): unknown => child.options(options).run(n)
`,
      'child.ts': 'export const child = (n: number): unknown => [n * 2, process.pid]\n',
    },
  ],
  [
    'itself, where it was only imported by the module of the task',
    'main.ts',
    {
      'main.ts': "export { parent } from './lib/parent.ts'\nexport const pid = (): number => process.pid\n",
      'lib/parent.ts': `import { remote } from 'outpool'
export const child = (n: number): unknown => [n * 2, process.pid]
export const parent = (n: number, options: object): unknown => remote(import.meta.url, 'child', options).run(n)
`,
    },
  ],
]

describe('a module that a task names, on nodes that have nothing of it', () => {
  let head: BareNode
  let other: BareNode
  const onHead = { resources: { head: 0.01 } }
  const onOther = { resources: { other: 0.01 } }

  before(async () => {
    head = await BareNode.start(['--resources', '{"head": 1}'])
    other = await BareNode.start(['--resources', '{"other": 1}'], head.url)
    await init({ ...joinOptions(head), logToDriver: false })
  })
  after(async () => {
    await shutdown()
    await other.stop()
    await head.stop()
  })

  for (const [what, entry, files] of forms) {
    it(`is there: ${what}`, async () => {
      const made = new Project({ 'package.json': JSON.stringify({ type: 'module' }), ...files }, false)
      const pid = await remote<() => number>(made.url(entry), 'pid', onHead).run()
      // Packed by now: from here on nobody can read it.
      made.remove()
      const parent = remote<(n: number, options: object) => [number, number]>(made.url(entry), 'parent', onHead)
      const [doubled, there] = await parent.run(4, onOther)
      expect(doubled).to.equal(8)
      expect(there).to.not.equal(pid)
      expect(await parent.run(5, onOther)).to.deep.equal([10, there])
    })
  }
})
