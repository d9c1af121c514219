/**
 * Functions and classes of ES modules of packages, by what they are: their file's scope shows which of its exports one
 * is, whichever way it came to the program; of one that was made there for another file, the scopes of the functions that
 * it was given. (CommonJS shows all that it has loaded; ES modules do not.)
 */
import type { Program } from 'acorn'
import { BoundedMap } from '../../base/bounded-map.ts'
import { parseProgram } from '../parse-function.ts'
import { addPatternNames } from '../scope.ts'
import { isShared, type ModuleReference } from './module-references.ts'
import { isOwnFile, isOwnModule, portableUrl } from '../own-modules.ts'
import { findVariable, readScopes, type FunctionScopes } from './scopes.ts'
import { scriptOf, scriptText } from './scripts.ts'

const known = new WeakMap<Function, ModuleReference | null>()

/** Undefined for functions of the program's own files, and for those that a package does not export. */
export function referenceByFile(fn: Function): ModuleReference | undefined {
  let found = known.get(fn)
  if (found === undefined) known.set(fn, (found = find(fn) ?? null))
  return found ?? undefined
}

function find(fn: Function): ModuleReference | undefined {
  const scopes = readScopes(fn)
  if (scopes?.location === undefined || !isPackageScript(scopes.location.scriptId)) return undefined
  return exportOf(fn, scopes) ?? madeForAnother(fn, scopes)
}

/** What a function of the package made for another of its files, which exports it, and gave it functions of its own for. */
function madeForAnother(fn: Function, around: FunctionScopes): ModuleReference | undefined {
  const closures = around.scopes.filter(({ description }) => description.startsWith('Closure'))
  for (const name of closures.flatMap(({ variables }) => Object.getOwnPropertyNames(variables))) {
    const given = findVariable(around, name)?.value
    const scopes = typeof given === 'function' && given !== fn ? readScopes(given) : undefined
    const scriptId = scopes?.location?.scriptId
    if (scopes === undefined || scriptId === undefined || scriptId === around.location?.scriptId) continue
    const found = isPackageScript(scriptId) ? exportOf(fn, scopes) : undefined
    if (found !== undefined) return found
  }
  return undefined
}

function exportOf(fn: Function, scopes: FunctionScopes): ModuleReference | undefined {
  const scriptId = scopes.location?.scriptId ?? ''
  const url = portableUrl(scriptOf(scriptId)?.url ?? '')
  for (const [exportName, local] of exportsOfScript(scriptId)) {
    const found = findVariable(scopes, local)
    if (found?.isOfModule === true && found.value === fn) return { url, exportName }
  }
  return undefined
}

const maxScripts = 1000
const packageScripts = new BoundedMap<string, boolean>(maxScripts)

/** Whether a script is an ES module of a package. */
export function isPackageScript(scriptId: string): boolean {
  return packageScripts.getOrMake(scriptId, () => {
    const script = scriptOf(scriptId)
    return script?.isModule === true && isNamed(script.url)
  })
}

const byScript = new BoundedMap<string, ReadonlyMap<string, string>>(maxScripts)

/** Our own chunks are shared, and have no name that holds for another machine. */
function isNamed(url: string): boolean {
  if (!url.startsWith('file:') || url.includes('?')) return false
  return isOwnFile(url) ? isOwnModule(portableUrl(url)) : isShared(url)
}

function exportsOfScript(scriptId: string): ReadonlyMap<string, string> {
  return byScript.getOrMake(scriptId, () => exportsOf(scriptText(scriptId) ?? ''))
}

/** The variables of an ES module that it exports, by the names that they have outside. */
function exportsOf(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  let program: Program
  try {
    program = parseProgram(text, 'module')
  } catch {
    return found
  }
  for (const statement of program.body) {
    if (statement.type === 'ExportDefaultDeclaration') {
      const { declaration } = statement
      const name = declaration.type === 'Identifier' ? declaration.name : 'id' in declaration && declaration.id?.name
      if (typeof name === 'string') found.set('default', name)
    } else if (statement.type === 'ExportNamedDeclaration') {
      const { declaration, specifiers, source } = statement
      if (declaration?.type === 'VariableDeclaration') {
        const names = new Set<string>()
        for (const { id } of declaration.declarations) addPatternNames(id, names)
        for (const name of names) found.set(name, name)
      } else if (declaration?.id) found.set(declaration.id.name, declaration.id.name)
      if (source) continue
      for (const { local, exported } of specifiers) {
        const outside = exported.type === 'Identifier' ? exported.name : String(exported.value)
        if (local.type === 'Identifier') found.set(outside, local.name)
      }
    }
  }
  return found
}
