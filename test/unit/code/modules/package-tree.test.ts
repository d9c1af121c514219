import { expect } from 'chai'
import fc from 'fast-check'
import type { NpmPackage } from '../../../../runtime/code/modules/npm-package.ts'
import { layOut, type PackageTree } from '../../../../runtime/code/modules/package-tree.ts'

/** Packages `name@version`; each has its dependencies by name, with the version that it finds. */
type Graph = Readonly<Record<string, Readonly<Record<string, string>>>>

function packageOf(graph: Graph, id: string): NpmPackage {
  const [name = '', version = ''] = id.split('@')
  return { name, version, folder: id, dependencies: Object.keys(graph[id] ?? {}), optional: [], native: false }
}

function lay(graph: Graph, roots: readonly string[]): PackageTree {
  return layOut(
    roots.map((id) => packageOf(graph, id)),
    (name, from) => {
      const version = graph[from]?.[name]
      return version === undefined ? undefined : packageOf(graph, `${name}@${version}`)
    },
  )
}

/** What Node finds for a name, from a package at `path`. */
function found(tree: PackageTree, path: string, name: string): string | undefined {
  for (let level = path; ; level = level.slice(0, Math.max(0, level.lastIndexOf('/node_modules/')))) {
    const there = tree.placed.find((placed) => placed.path === `${level === '' ? '' : `${level}/`}node_modules/${name}`)
    if (there !== undefined) return there.npm.folder
    if (level === '') return undefined
  }
}

function check(graph: Graph, tree: PackageTree): void {
  for (const { npm, path } of tree.placed) {
    for (const [name, version] of Object.entries(graph[npm.folder] ?? {}))
      expect(found(tree, path, name), `${name} from ${path}`).to.equal(`${name}@${version}`)
  }
  expect(new Set(tree.placed.map(({ path }) => path)).size).to.equal(tree.placed.length)
}

describe('the layout of shipped packages', () => {
  it('puts everything at the top where nothing is in two versions', () => {
    const graph: Graph = { 'a@1': { b: '1', c: '1' }, 'b@1': { c: '1' }, 'c@1': { a: '1' } }
    const tree = lay(graph, ['a@1'])
    expect(tree.placed.map(({ path }) => path).sort()).to.deep.equal([
      'node_modules/a',
      'node_modules/b',
      'node_modules/c',
    ])
    check(graph, tree)
  })

  it('puts a second version below the package that needs it', () => {
    const graph: Graph = { 'a@1': { b: '1', c: '2' }, 'b@1': { c: '1' }, 'c@1': {}, 'c@2': {} }
    const tree = lay(graph, ['a@1', 'c@1'])
    expect(tree.placed.map(({ path }) => path)).to.include('node_modules/a/node_modules/c')
    check(graph, tree)
  })

  it('tells what is missing, and what code itself names in two versions', () => {
    const tree = layOut(
      [
        packageOf({}, 'a@1'),
        packageOf({}, 'a@2'),
        { ...packageOf({}, 'b@1'), dependencies: ['gone'], optional: ['maybe'] },
      ],
      () => undefined,
    )
    expect(tree.twice).to.deep.equal(['a'])
    expect(tree.missing).to.deep.equal(['gone (needed by b)'])
  })

  it('leaves out what every node has, and misses it nowhere', () => {
    const graph: Graph = { 'a@1': { b: '1', here: '1' }, 'b@1': {}, 'here@1': {} }
    const tree = layOut([packageOf(graph, 'a@1')], (name) => packageOf(graph, `${name}@1`), ['here'])
    expect(tree.placed.map(({ path }) => path)).to.deep.equal(['node_modules/a', 'node_modules/b'])
    expect(tree.missing).to.deep.equal([])
  })

  it('gives every package the versions that it had, for any graph with circles', () => {
    const names = ['a', 'b', 'c']
    const ids = names.flatMap((name) => ['1', '2'].map((version) => `${name}@${version}`))
    const dependencies = fc.dictionary(fc.constantFrom(...names), fc.constantFrom('1', '2'), { maxKeys: 2 })
    const graphs = fc
      .tuple(...ids.map(() => dependencies))
      .map((all): Graph => Object.fromEntries(ids.map((id, i) => [id, all[i] ?? {}])))
    fc.assert(
      fc.property(
        graphs,
        fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1, maxLength: 3, selector: (id) => id[0] }),
        (graph, roots) => {
          const tree = lay(graph, roots)
          // Some circles cannot be laid out; that is told.
          fc.pre(tree.twice.length === 0)
          for (const root of roots) expect(found(tree, '', root.slice(0, 1))).to.equal(root)
          check(graph, tree)
        },
      ),
      { numRuns: 300 },
    )
  })
})
