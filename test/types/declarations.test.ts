import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { expect } from 'chai'
import { readText, root } from '../tools/tree.ts'

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, { readonly types?: string }>>
}

const manifest = JSON.parse(readText('package.json')) as Manifest

/** The package that a specifier names, or undefined for what is our own and for what belongs to Node. */
function packageOf(specifier: string): string | undefined {
  if (/^(?:\.|node:|outpool\b)/.test(specifier)) return undefined
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** The packages that declarations name, by the first file that does, over all that an entry leads to. */
function packagesNamed(): Map<string, string> {
  const found = new Map<string, string>()
  const files = Object.values(manifest.exports).flatMap(({ types }) => (types === undefined ? [] : [join(root, types)]))
  const seen = new Set(files)
  for (const file of files) {
    const text = readFileSync(file, 'utf8')
    for (const [, specifier = ''] of text.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
      const name = packageOf(specifier)
      if (name !== undefined) found.set(name, found.get(name) ?? relative(root, file))
      if (!specifier.startsWith('.')) continue
      const next = join(dirname(file), specifier.replace(/\.(?:ts|js)$/, '.d.ts'))
      if (seen.has(next)) continue
      seen.add(next)
      files.push(next)
    }
  }
  return found
}

/** Whether the package itself, and not one of @types, says what its types are. */
function hasOwnTypes(name: string): boolean {
  const folder = join(root, 'node_modules', name)
  const text = readFileSync(join(folder, 'package.json'), 'utf8')
  return /"(?:types|typings)"\s*:/.test(text) || existsSync(join(folder, 'index.d.ts'))
}

describe('the declarations of the package', () => {
  it('name no package that a program which installs it would not have, with its types', () => {
    const known = { ...manifest.dependencies, ...manifest.peerDependencies }
    const named = packagesNamed()
    expect([...named.keys()]).to.include('workerpool')
    const unknown = [...named].filter(([name]) => !Object.hasOwn(known, name) || !hasOwnTypes(name))
    expect(unknown).to.deep.equal([])
  })
})
