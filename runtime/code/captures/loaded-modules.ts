/**
 * Modules that captured variables stand for, in the process that runs the function. Those that are known before are
 * imported before; what comes within arguments or results is loaded when it is read, by `require`, which loads ES modules
 * too.
 */
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { RuntimeEnvSetupError } from '../../base/errors.ts'
import type { LocateModule } from '../load.ts'
import { installedPackageOf, readJson } from '../modules/npm-package.ts'
import { localUrl } from '../own-modules.ts'
import type { RefTuple } from '../../protocol/messages.ts'

/** A module that a function needs, as it is sent. */
export interface NeededModule {
  readonly url: string
  /** Its package, where it belongs to one: how it is found on a machine that has no such file. */
  readonly package?: { readonly name: string; readonly version: string; readonly path: string }
  /** What says how it is made where it is not to be found. */
  readonly pack?: RefTuple
}

/** What is sent of a module: where it is here, and which file of which package that is. */
export function describeModule(url: string, pack: RefTuple | undefined): NeededModule {
  const npm = url.startsWith('file:') ? installedPackageOf(fileURLToPath(url)) : undefined
  if (npm === undefined) return { url }
  const path = relative(npm.folder, realpathSync(fileURLToPath(url)))
  return { url, package: { name: npm.name, version: npm.version, path }, ...(pack !== undefined && { pack }) }
}

const loaded = new Map<string, object>()

/** Imports modules, so that `loadedModule` has them. Rejects with RuntimeEnvSetupError. */
export async function loadModules(needed: readonly NeededModule[], locate: LocateModule): Promise<void> {
  for (const one of needed) {
    if (loaded.has(one.url)) continue
    // What was packed is what is meant, whatever this machine has by that name.
    const url = one.pack === undefined ? (findModule(one) ?? one.url) : await locate(one.url, one.pack)
    try {
      loaded.set(one.url, (await import(localUrl(url))) as object)
    } catch (cause) {
      throw notLoaded(one, cause)
    }
  }
}

export function areLoaded(needed: readonly NeededModule[]): boolean {
  return needed.every(({ url }) => loaded.has(url))
}

/** The export of a module: '*' is its namespace, '=' what `require` gives. Throws RuntimeEnvSetupError. */
export function loadedModule(url: string, exportName: string): unknown {
  const namespace = loaded.get(url) ?? loadNow(url)
  if (exportName === '*') return namespace
  const values = namespace as Readonly<Record<string, unknown>>
  // Node gives what a CommonJS module exports as the default of its namespace.
  if (exportName === '=')
    return 'module.exports' in values ? values['module.exports'] : 'default' in values ? values['default'] : namespace
  if (exportName in values) return values[exportName]
  const whole = values['default']
  if (((typeof whole === 'object' && whole !== null) || typeof whole === 'function') && exportName in whole)
    return (whole as Readonly<Record<string, unknown>>)[exportName]
  throw new RuntimeEnvSetupError(
    `the module ${url} has no export '${exportName}' here; install the same version of it`,
    {
      details: { url, exportName },
    },
  )
}

function loadNow(url: string): object {
  try {
    const local = localUrl(url)
    const exported = createRequire(import.meta.url)(local.startsWith('file:') ? fileURLToPath(local) : local) as unknown
    const isNamespace =
      typeof exported === 'object' &&
      exported !== null &&
      Object.prototype.toString.call(exported) === '[object Module]'
    const namespace = isNamespace ? exported : { default: exported }
    loaded.set(url, namespace)
    return namespace
  } catch (cause) {
    throw notLoaded({ url }, cause)
  }
}

/** The file itself, or that of the same version of its package in a folder above the working folder. */
function findModule({ url, package: npm }: NeededModule): string | undefined {
  if (!url.startsWith('file:') || existsSync(fileURLToPath(url))) return url
  if (npm === undefined) return undefined
  for (let folder = process.cwd(); ; folder = dirname(folder)) {
    const root = join(folder, 'node_modules', npm.name)
    if (readJson(join(root, 'package.json'))?.version === npm.version && existsSync(join(root, npm.path)))
      return pathToFileURL(join(root, npm.path)).href
    if (dirname(folder) === folder) return undefined
  }
}

function notLoaded({ url, package: npm }: NeededModule, cause: unknown): RuntimeEnvSetupError {
  const what = npm === undefined ? url : `${npm.name}@${npm.version} (${npm.path})`
  const reason = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause)
  return new RuntimeEnvSetupError(
    `${what}, which the function uses, could not be loaded here: ${reason}. Install it on this node, or name the function's own module by its URL.`,
    { cause, details: { url } },
  )
}
