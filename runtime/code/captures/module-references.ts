/**
 * Things that are known to be exports of modules that every node has, or can get: those of Node, of npm packages, of
 * Outpool itself. They travel by name, never as their text.
 */
import { createRequire, isBuiltin } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { builtInExport, isBuiltInModule } from '../analysis/known-values.ts'
import { installedPackageOf } from '../modules/npm-package.ts'
import { isOwnFile, isOwnModule, portableUrl } from '../own-modules.ts'
import { importsOf, type Import } from './imports.ts'
import { resolveImport } from './resolve-import.ts'
import { scriptOf, scriptText } from './scripts.ts'

export interface ModuleReference {
  /** `node:fs`, `outpool:lib/objects.js`, or the file URL of a package's file, as it is here. */
  readonly url: string
  /** '*' is all of the module, as `import * as` has it; '=' all of it, as `require` has it; else a dotted way. */
  readonly exportName: string
}

/** Whether a file is that of an npm package, or of Outpool: code that nobody changes while we run. */
export function isShared(url: string): boolean {
  if (isOwnFile(url)) return true
  return url.startsWith('file:') && installedPackageOf(fileURLToPath(url)) !== undefined
}

/** The package that a file belongs to, for people. */
export function packageName(url: string): string {
  return installedPackageOf(fileURLToPath(url))?.name ?? 'outpool'
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
  return commonJs.has(value) || isBuiltInModule(value)
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

const commonJs = new WeakMap<object, ModuleReference>()
const read = new Set<string>()
let ownRequire: NodeJS.Require | undefined

/** The export of a CommonJS package that the value is, by identity. */
export function commonJsExport(value: object): ModuleReference | undefined {
  const known = commonJs.get(value)
  if (known !== undefined) return known
  const { cache } = (ownRequire ??= createRequire(import.meta.url))
  for (const filename of Object.keys(cache)) {
    if (read.has(filename) || filename.includes('?')) continue
    const loaded = cache[filename]
    if (loaded?.loaded !== true) continue
    read.add(filename)
    const url = portableUrl(pathToFileURL(filename).href)
    if (isOwnModule(url) || installedPackageOf(filename) !== undefined) readExports(url, loaded.exports)
  }
  return commonJs.get(value)
}

function readExports(url: string, exported: unknown): void {
  if ((typeof exported !== 'object' && typeof exported !== 'function') || exported === null) return
  // The file that defines a thing is read before those that pass it on.
  if (!commonJs.has(exported)) commonJs.set(exported, { url, exportName: '=' })
  // Compilers export by getters; elsewhere a getter may do work, and is left alone.
  const isCompiled = Object.hasOwn(exported, '__esModule')
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(exported))) {
    const value: unknown = isCompiled && property.get !== undefined ? Reflect.get(exported, name) : property.value
    const isThing = (typeof value === 'object' && value !== null) || typeof value === 'function'
    if (isThing && !name.includes('.') && name !== '' && name !== 'prototype' && !commonJs.has(value))
      commonJs.set(value, { url, exportName: name })
  }
}
