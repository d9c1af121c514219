import { expect } from 'chai'
import { remote, type RemoteFunction } from 'outpool'
import { moduleFunction, Pool } from 'outpool/multiprocessing'
import { onHead, onOther, Project, useTwoNodes } from './bare-nodes.ts'

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
  useTwoNodes()

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

  /** Has a child that tells of itself, and a file beside it. */
  const project = (): Project =>
    new Project(
      {
        'package.json': JSON.stringify({ type: 'module' }),
        'child.ts': `import { existsSync } from 'node:fs'
import { remote } from 'outpool'
export const child = (n: number): unknown => [n * 2, existsSync('note.txt')]
export const itself = (options: object): unknown => remote(import.meta.url, 'child', options)
`,
        'note.txt': 'here',
      },
      false,
    )
  type Child = (n: number) => [number, boolean]

  it('is there: of a remote function that the task captured, or was given', async () => {
    const made = project()
    const child = remote<Child>(made.url('child.ts'), 'child', onOther)
    await child.run(1)
    made.remove()
    const captured = remote((n: number) => child.run(n), onHead)
    expect(await captured.run(4)).to.deep.equal([8, false])
    const given = remote(
      (its: RemoteFunction<[number], [number, boolean]>) => its.options({ priority: 1 }).run(5),
      onHead,
    )
    expect(await given.run(child)).to.deep.equal([10, false])
  })

  it('is there: of a remote function that a task returned', async () => {
    const made = project()
    const itself = remote<(options: object) => RemoteFunction<[number], [number, boolean]>>(
      made.url('child.ts'),
      'itself',
      onHead,
    )
    await itself.run({})
    made.remove()
    const child = await itself.run(onOther)
    expect(await child.run(6)).to.deep.equal([12, false])
  })

  it('is there: of a function of a module that the task gives to its own pool', async () => {
    const made = project()
    const child = moduleFunction(made.url('child.ts'), 'child')
    const pool = new Pool(1)
    expect(await pool.apply(child, [1])).to.deep.equal([2, false])
    await pool.terminate()
    made.remove()
    const apply = remote(async (n: number) => {
      const own = new Pool(1)
      try {
        return await own.apply(child, [n])
      } finally {
        await own.terminate()
      }
    }, onHead)
    expect(await apply.run(7)).to.deep.equal([14, false])
  })

  it('is there with the working folder that a captured function asks for', async () => {
    const made = project()
    const runtimeEnv = { workingDir: made.folder }
    const child = remote<Child>(made.url('child.ts'), 'child', { ...onOther, runtimeEnv })
    expect(await child.run(1)).to.deep.equal([2, true])
    const { readFileSync } = await import('node:fs')
    const note = remote(() => readFileSync('note.txt', 'utf8'), { ...onOther, runtimeEnv })
    expect(await note.run()).to.equal('here')
    made.remove()
    const both = remote(async (n: number) => [await child.run(n), await note.run()], onHead)
    expect(await both.run(8)).to.deep.equal([[16, true], 'here'])
  })
})
