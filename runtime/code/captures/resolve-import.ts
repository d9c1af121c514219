/**
 * The file that an import means, by the rules for `import` and not those for `require`: a package may have another file
 * for each, or nothing for `require`. Node tells it with a parent only behind a flag.
 */
import { existsSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type * as Rules from 'resolve.exports'
import { packageNameOf } from '../modules/npm-package.ts'

type Scope = { readonly folder: string; readonly json: Rules.Package }

let rules: typeof Rules | undefined
let conditions: readonly string[] | undefined

/** The URL of what `specifier` means in the ES module `from`, a file URL; undefined where there is no such file. */
export function resolveImport(specifier: string, from: string): string | undefined {
  if (/^(\.\.?)?\//.test(specifier)) return new URL(specifier, from).href
  if (specifier.startsWith('file:')) return specifier
  try {
    const path = fileURLToPath(from)
    return specifier.startsWith('#') ? privateImport(specifier, path) : packageImport(specifier, path)
  } catch {
    return undefined
  }
}

/** `#name`, which the package of the importing file defines. */
function privateImport(specifier: string, from: string): string | undefined {
  const scope = scopeOf(from)
  if (scope?.json.imports === undefined) return undefined
  const target = theRules().imports(scope.json, specifier, { conditions: ownConditions() })?.[0]
  if (target === undefined) return undefined
  return target.startsWith('./') ? fileIn(scope, target) : packageImport(target, from)
}

function packageImport(specifier: string, from: string): string | undefined {
  const name = packageNameOf(specifier)
  if (name === undefined) return undefined
  const scope = packageOf(name, from)
  if (scope === undefined) return undefined
  // Without `exports` both follow `main`, but for files without their ending, which only `require` finds.
  if (scope.json.exports === undefined || scope.json.exports === null)
    return pathToFileURL(createRequire(from).resolve(specifier)).href
  const subPath = `.${specifier.slice(name.length)}`
  const target = theRules().exports(scope.json, subPath, { conditions: ownConditions() })?.[0]
  return target === undefined ? undefined : fileIn(scope, target)
}

/** The package of that name: the file's own, if it has `exports`, else the one in the nearest `node_modules`. */
function packageOf(name: string, from: string): Scope | undefined {
  const own = scopeOf(from)
  if (own?.json.name === name && own.json.exports !== undefined) return own
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    const found = join(folder, 'node_modules', name)
    // The first folder of that name counts, whatever is in it.
    if (!folder.endsWith(`${sep}node_modules`) && isFolder(found)) return readScope(found)
    if (dirname(folder) === folder) return undefined
  }
}

/** The nearest folder above a file that has a package.json. */
function scopeOf(from: string): Scope | undefined {
  for (let folder = dirname(from); ; folder = dirname(folder)) {
    if (folder.endsWith(`${sep}node_modules`)) return undefined
    if (existsSync(join(folder, 'package.json'))) return readScope(folder)
    if (dirname(folder) === folder) return undefined
  }
}

function readScope(folder: string): Scope | undefined {
  const path = join(folder, 'package.json')
  if (!existsSync(path)) return { folder, json: { name: '' } }
  return { folder, json: JSON.parse(readFileSync(path, 'utf8')) as Rules.Package }
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true
}

/** Node knows a file by its real path, unless told otherwise. */
function fileIn({ folder }: Scope, target: string): string | undefined {
  const path = join(folder, target)
  if (!existsSync(path)) return undefined
  const isAsNamed = optionsOfNode().includes('--preserve-symlinks')
  return pathToFileURL(isAsNamed ? path : realpathSync(path)).href
}

function theRules(): typeof Rules {
  return (rules ??= createRequire(import.meta.url)('resolve.exports') as typeof Rules)
}

function optionsOfNode(): readonly string[] {
  return [...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/), ...process.execArgv]
}

/** Conditions beside `node`, `import` and `default`, which the rules know: of this Node, and of its command line. */
function ownConditions(): readonly string[] {
  if (conditions !== undefined) return conditions
  const { require_module: requires } = process.features as { readonly require_module?: unknown }
  const found = requires === true ? ['module-sync', 'node-addons'] : ['node-addons']
  const options = optionsOfNode()
  options.forEach((option, index) => {
    const given = /^(?:-C|--conditions)(?:=(.+))?$/.exec(option)
    if (given !== null) found.push(given[1] ?? options[index + 1] ?? '')
  })
  return (conditions = found)
}
