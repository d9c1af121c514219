import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, posix, relative } from 'node:path'
import { expect } from 'chai'
import { folderOf, folders, importedSpecifiers, mayImport } from '../tools/layers.ts'
import { readText, repositoryFiles, root, runNode, tool } from '../tools/tree.ts'

interface Diagnostic {
  readonly code: string
  readonly filename: string
}

const layerRule = 'eslint(no-restricted-imports)'
const pairs = folders.flatMap((from) => folders.filter((to) => to !== from).map((to) => ({ from, to })))

/** A folder with our linter configuration and nothing else, in which sources can be planted. */
class PlantedTree {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'planted-'))

  constructor() {
    for (const name of ['.oxlintrc.json', 'tsconfig.json', 'package.json']) {
      copyFileSync(join(root, name), join(this.folder, name))
    }
    symlinkSync(tool(''), join(this.folder, 'node_modules'))
  }

  plant(path: string, source: string): void {
    const file = join(this.folder, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, source)
  }

  /** The codes of the rules that fire, by file. */
  lint(): Map<string, Set<string>> {
    const { stdout } = runNode([tool('oxlint/bin/oxlint'), '-f', 'json'], { cwd: this.folder })
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: readonly Diagnostic[] }
    const fired = new Map<string, Set<string>>()
    for (const { filename, code } of diagnostics) fired.set(filename, (fired.get(filename) ?? new Set()).add(code))
    return fired
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

function fileName(from: string, to: string, kind: string): string {
  return posix.join(from, `${kind}-${to.replace('/', '-')}.ts`)
}

describe('the layer rule', function () {
  // A tool takes as long as it takes.
  this.timeout(0)

  const tree = new PlantedTree()
  let fired: ReadonlyMap<string, ReadonlySet<string>> = new Map()

  before(() => {
    for (const folder of folders) tree.plant(`${folder}/target.ts`, 'export const target: number = 1\n')
    for (const { from, to } of pairs) {
      const target = posix.join(posix.relative(from, to), 'target.ts')
      tree.plant(fileName(from, to, 'value'), `export { target } from '${target}'\n`)
      tree.plant(fileName(from, to, 'type'), `import type { target } from '${target}'\nexport type T = typeof target\n`)
      // From a folder further down; each layer may have some.
      tree.plant(
        fileName(`${from}/part`, to, 'deep'),
        `import { target } from '../${target}'\nexport const own: number = target\n`,
      )
    }
    for (const folder of folders) {
      tree.plant(`${folder}/by-name.ts`, "export { remote } from 'outpool'\n")
      tree.plant(`${folder}/from-test.ts`, `export { x } from '${posix.relative(folder, 'test')}/tools/x.ts'\n`)
      tree.plant(`${folder}/within.ts`, "export { target } from './target.ts'\n")
      tree.plant(`${folder}/part/within.ts`, "export { target } from '../target.ts'\n")
    }
    fired = tree.lint()
  })

  after(() => tree.remove())

  for (const from of folders) {
    it(`lets ${from} import what is below it and nothing else`, () => {
      for (const { to } of pairs.filter((pair) => pair.from === from)) {
        for (const file of [
          fileName(from, to, 'value'),
          fileName(from, to, 'type'),
          fileName(`${from}/part`, to, 'deep'),
        ]) {
          expect(fired.get(file)?.has(layerRule) ?? false, `${file} is refused`).equal(!mayImport(from, to))
        }
      }
      expect(fired.get(`${from}/by-name.ts`), 'our own package by its name').to.include(layerRule)
      expect(fired.get(`${from}/from-test.ts`), 'something of the tests').to.include(layerRule)
      expect(fired.get(`${from}/within.ts`)?.has(layerRule) ?? false, 'its own files').equal(false)
      expect(fired.get(`${from}/part/within.ts`)?.has(layerRule) ?? false, 'its own files from below').equal(false)
    })
  }

  it('holds for every import in the sources, import() in code and types too', () => {
    const wrong: string[] = []
    for (const path of repositoryFiles('lib', 'compat', 'runtime').filter((name) => name.endsWith('.ts'))) {
      for (const specifier of importedSpecifiers(readText(path)).filter((name) => name.startsWith('.'))) {
        const target = posix.join(posix.dirname(path), specifier)
        if (!mayImport(folderOf(path), folderOf(target))) wrong.push(`${path} imports ${specifier}`)
      }
    }
    expect(wrong).deep.equal([])
  })

  it('sees imports of every form', () => {
    const source = `
      import a from './a.ts'
      import './b.ts'
      export { c } from "./c.ts"
      const d = await import('./d.ts')
      let e: import('./e.ts').E
      const f = require('./f.ts')
    `
    expect(importedSpecifiers(source)).deep.equal(['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `./${name}.ts`))
  })

  it('knows every folder of the sources', () => {
    const below = (top: string): string[] =>
      readdirSync(join(root, top), { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => relative(root, join(root, top, entry.name)))
    for (const folder of [...below('runtime'), ...below('compat')]) expect(folders).to.include(folder)
  })
})

describe('the linter', function () {
  // A tool takes as long as it takes.
  this.timeout(0)

  const tree = new PlantedTree()
  let fired: ReadonlyMap<string, ReadonlySet<string>> = new Map()
  const lines = (count: number, line: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => line(index)).join('\n')
  const planted: Readonly<Record<string, { readonly source: string; readonly rule: string }>> = {
    'runtime/base/long-file.ts': {
      source: `${lines(321, (index) => `export const x${index}: number = ${index}`)}\n`,
      rule: 'eslint(max-lines)',
    },
    'runtime/base/long-function.ts': {
      source: `export function f(n: number): void {\n${lines(80, () => '  globalThis.clearTimeout(n)')}\n}\n`,
      rule: 'eslint(max-lines-per-function)',
    },
    'runtime/base/any.ts': { source: 'export type Loose = any\n', rule: 'typescript(no-explicit-any)' },
    'runtime/base/floating.ts': {
      source: 'export function f(): void {\n  Promise.resolve(1)\n}\n',
      rule: 'typescript(no-floating-promises)',
    },
    'runtime/base/misused.ts': {
      source: 'export function f(work: () => Promise<boolean>): number {\n  return work() ? 1 : 2\n}\n',
      rule: 'typescript(no-misused-promises)',
    },
    'runtime/base/await.ts': {
      source: 'export async function f(): Promise<number> {\n  return await 1\n}\n',
      rule: 'typescript(await-thenable)',
    },
    'runtime/base/unsafe.ts': {
      source: "export function f(): number {\n  return JSON.parse('{}').a\n}\n",
      rule: 'typescript(no-unsafe-return)',
    },
    'runtime/base/cycle-a.ts': { source: "export { b as a } from './cycle-b.ts'\n", rule: 'import(no-cycle)' },
    'runtime/base/cycle-b.ts': { source: "export { a as b } from './cycle-a.ts'\n", rule: 'import(no-cycle)' },
  }

  before(() => {
    for (const [path, { source }] of Object.entries(planted)) tree.plant(path, source)
    tree.plant('runtime/base/fine.ts', 'export const fine: number = 1\n')
    fired = tree.lint()
  })

  after(() => tree.remove())

  for (const [path, { rule }] of Object.entries(planted)) {
    it(`finds ${rule} in a planted file, ${posix.basename(path)}`, () => {
      expect([...(fired.get(path) ?? [])]).to.include(rule)
    })
  }

  it('says nothing about a file that is fine', () => {
    expect(fired.has('runtime/base/fine.ts')).equal(false)
  })
})
