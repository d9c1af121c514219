/**
 * Things that are known to be exports of modules that every node has, or can get: those of Node, of npm packages, of
 * Outpool itself. They travel by name, never as their text.
 */
import { isBuiltin } from 'node:module'
import { fileURLToPath } from 'node:url'
import { builtInExport, isBuiltInModule } from '../analysis/known-values.ts'
import { commonJsExport, isCommonJsExport, isThing, type ModuleReference } from '../common-js-exports.ts'
import { installedPackageOf } from '../modules/npm-package.ts'
import { isOwnFile, portableUrl } from '../own-modules.ts'
import { importsOf, type Import } from './imports.ts'
import { resolveImport } from './resolve-import.ts'
import { scriptOf, scriptText } from './scripts.ts'

export type { ModuleReference } from '../common-js-exports.ts'

/** Whether a file is that of an npm package, or of Outpool: code that nobody changes while we run. */
export function isShared(url: string): boolean {
  if (isOwnFile(url)) return true
  return url.startsWith('file:') && installedPackageOf(fileURLToPath(url)) !== undefined
}

/** The package that a file belongs to, for people. */
export function packageName(url: string): string {
  return installedPackageOf(fileURLToPath(url))?.name ?? 'outpool'
}

/** Whether it names what a package exports: neither Node's nor Outpool's own. */
export function isOfPackage({ url }: ModuleReference): boolean {
  return url.startsWith('file:')
}

/** By what it is: an export of Node, or of a CommonJS package that is loaded. */
export function referenceByValue(value: object): ModuleReference | undefined {
  return nodesExport(value) ?? commonJsExport(value)
}

/** An export of Node. At the first time all of Node's that are loaded are read, which takes some milliseconds. */
function nodesExport(value: object): ModuleReference | undefined {
  const builtIn = builtInExport(value)
  if (builtIn === undefined) return undefined
  const { module, exportName } = builtIn
  return { url: module, exportName: exportName === '*' ? '=' : exportName }
}

/** Whether the object was found to be (of) a module before: no module is looked at anew. */
export function isKnownModule(value: object): boolean {
  return isCommonJsExport(value) || isBuiltInModule(value)
}

/** By the import that gave a name of a script its value; undefined for imports of the program's own files. */
export function referenceByImport(scriptId: string, name: string): ModuleReference | undefined {
  const script = scriptOf(scriptId)
  if (script === undefined || !script.isModule) return undefined
  const found = importsOfScript(scriptId).get(name)
  if (found === undefined) return undefined
  const url = sharedModule(found.specifier, script.url)
  return url === undefined ? undefined : { url, exportName: found.exportName }
}

/** Whether the value of a variable of a script goes by the name that a package exports it by. */
export function isNamedByPackage(scriptId: string | undefined, name: string, value: unknown): boolean {
  const byImport = scriptId === undefined ? undefined : referenceByImport(scriptId, name)
  const reference = byImport ?? (isThing(value) ? referenceByValue(value) : undefined)
  return reference !== undefined && isOfPackage(reference)
}

const byScript = new Map<string, ReadonlyMap<string, Import>>()

/** The names that an ES module imports. */
export function importsOfScript(scriptId: string): ReadonlyMap<string, Import> {
  let found = byScript.get(scriptId)
  if (found === undefined) byScript.set(scriptId, (found = importsOf(scriptText(scriptId) ?? '')))
  return found
}

function sharedModule(specifier: string, from: string): string | undefined {
  if (isBuiltin(specifier)) return specifier.startsWith('node:') ? specifier : `node:${specifier}`
  if (!from.startsWith('file:')) return undefined
  const url = resolveImport(specifier, from)
  if (url === undefined || !isShared(url)) return undefined
  return portableUrl(url)
}
