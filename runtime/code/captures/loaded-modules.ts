/**
 * Modules that captured variables stand for, in the process that runs the function. Those that are known before are
 * imported before; what comes within arguments or results is loaded when it is read, by `require`, which loads ES modules
 * too.
 */
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { RuntimeEnvSetupError } from '../../base/errors.ts'
import { workingFolder } from '../../base/working-folder.ts'
import { commonJsDefault } from '../common-js-exports.ts'
import type { LocateModule } from '../load.ts'
import { installedPackageOf, readJson } from '../modules/npm-package.ts'
import { localUrl } from '../own-modules.ts'
import { makeStandIn, originalOf } from './stand-ins.ts'
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
  const npm = packageOf(originalOf(url) ?? url)
  return npm === undefined ? { url } : { url, package: npm, ...(pack !== undefined && { pack }) }
}

/** By the URL of the file. What has been packed is sent on when the package is not there any more. */
const packages = new Map<string, NonNullable<NeededModule['package']>>()

function packageOf(url: string): NeededModule['package'] {
  const known = packages.get(url)
  if (known !== undefined || !url.startsWith('file:')) return known
  const file = fileURLToPath(url)
  const npm = installedPackageOf(file)
  if (npm === undefined) return undefined
  const found = { name: npm.name, version: npm.version, path: relative(npm.folder, realpathSync(file)) }
  packages.set(url, found)
  return found
}

interface Loaded {
  readonly namespace: object
  /** Its URL here. */
  readonly at: string
}

const loaded = new Map<string, Loaded>()
const own = createRequire(import.meta.url)

/** Imports modules, so that `loadedModule` has them. Rejects with RuntimeEnvSetupError. */
export async function loadModules(needed: readonly NeededModule[], locate: LocateModule): Promise<void> {
  for (const one of needed) {
    if (loaded.has(one.url)) continue
    const original = originalOf(one.url)
    const named = original ?? one.url
    // What was packed is what is meant, whatever this machine has by that name.
    const url = one.pack === undefined ? (findModule(named, one.package) ?? named) : await locate(named, one.pack)
    try {
      const at = localUrl(url)
      const namespace = original === undefined ? await imported(at) : makeStandIn(one.url, at)
      loaded.set(one.url, { namespace, at })
    } catch (cause) {
      throw notLoaded(one, cause)
    }
  }
}

/** JSON, which CommonJS has required, is imported with an attribute alone. */
async function imported(at: string): Promise<object> {
  return at.startsWith('file:') && at.endsWith('.json') ? namespaceNow(at) : ((await import(at)) as object)
}

export function areLoaded(needed: readonly NeededModule[]): boolean {
  return needed.every(({ url }) => loaded.has(url))
}

/** The export of a module: '*' is its namespace, '=' what `require` gives. Throws RuntimeEnvSetupError. */
export function loadedModule(url: string, exportName: string): unknown {
  const { namespace, at } = loaded.get(url) ?? loadNow(url)
  if (exportName === '*') return namespace
  if (exportName === '=') return whole(url, namespace, at)
  if (exportName === commonJsDefault) return (whole(url, namespace, at) as { readonly default: unknown }).default
  const values = namespace as Readonly<Record<string, unknown>>
  if (exportName in values) return values[exportName]
  const all = values['default']
  if (((typeof all === 'object' && all !== null) || typeof all === 'function') && exportName in all)
    return (all as Readonly<Record<string, unknown>>)[exportName]
  throw new RuntimeEnvSetupError(
    `the module ${url} has no export '${exportName}' here; install the same version of it`,
    {
      details: { url, exportName },
    },
  )
}

/** What `require` gives: of a CommonJS module what it exports, of an ES module its namespace, of a stand-in all of it. */
function whole(url: string, namespace: object, at: string): unknown {
  if (originalOf(url) !== undefined) return namespace
  if (url.startsWith('file:')) return required(at)
  return 'default' in namespace ? namespace.default : namespace
}

function required(at: string): unknown {
  return own(at.startsWith('file:') ? fileURLToPath(at) : at)
}

function loadNow(url: string): Loaded {
  try {
    const at = originalOf(url) ?? localUrl(url)
    const namespace = originalOf(url) === undefined ? namespaceNow(at) : makeStandIn(url, at)
    const made = { namespace, at }
    loaded.set(url, made)
    return made
  } catch (cause) {
    throw notLoaded({ url }, cause)
  }
}

function namespaceNow(at: string): object {
  const exported = required(at)
  const isNamespace =
    typeof exported === 'object' && exported !== null && Object.prototype.toString.call(exported) === '[object Module]'
  return isNamespace ? exported : { default: exported }
}

/** The file itself, or that of the same version of its package in a folder above the working folder. */
function findModule(url: string, npm: NeededModule['package']): string | undefined {
  if (!url.startsWith('file:') || existsSync(fileURLToPath(url))) return url
  if (npm === undefined) return undefined
  for (let folder = workingFolder(); ; folder = dirname(folder)) {
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
