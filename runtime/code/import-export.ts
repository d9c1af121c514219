/** Imports a module and finds one of its exports, in the process that runs it. */
import { fileURLToPath } from 'node:url'
import { RuntimeEnvSetupError } from '../base/errors.ts'
import type { LoadedFunction } from './evaluate-source.ts'
import { localUrl } from './own-modules.ts'
import { importOrRequire } from './require-hooks.ts'

/**
 * The function that `exportName` names in the module at `url`. A dotted one ('default.method') is called on what it
 * belongs to. `named`: what the module is called in messages, where it was packed.
 *
 * Rejects with RuntimeEnvSetupError: the module is missing or threw (`cause`), has no such export, or it is no function.
 */
export async function importExport(url: string, exportName: string, named: string = url): Promise<LoadedFunction> {
  const what = `function '${exportName}' of ${named}`
  const details = { url: named, exportName }
  let namespace: object
  try {
    namespace = await importOrRequire(localUrl(url))
  } catch (cause) {
    throw new RuntimeEnvSetupError(`${what}: the module could not be loaded: ${loadFailure(cause)}`, {
      cause,
      details,
    })
  }
  const found = findExport(namespace, exportName)
  if (found === undefined) {
    const names = Object.keys(namespace)
    throw new RuntimeEnvSetupError(
      `${what}: the module has no such export; it has ${names.length === 0 ? 'none' : names.join(', ')}. ` +
        'Check the name, and that this node has the same version of the module.',
      { details },
    )
  }
  const { value, holder } = found
  if (typeof value !== 'function' || /^class\b/.test(Function.prototype.toString.call(value))) {
    const type = value === null ? 'null' : typeof value === 'function' ? 'a class' : `of type ${typeof value}`
    throw new RuntimeEnvSetupError(`${what}: the export is ${type}, not a function. Name a function.`, { details })
  }
  return (holder === undefined ? value : value.bind(holder)) as LoadedFunction
}

/** The folder of this package's code. */
const ownRoot = (): string => fileURLToPath(new URL('../../', import.meta.url))

/** What went wrong, and what to do about it. */
function loadFailure(cause: unknown): string {
  if (!(cause instanceof Error)) return `${String(cause)}. ${seeWhole}`
  const { code } = cause as { code?: unknown }
  const text = `${cause.name}: ${cause.message}`
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION')
    return `${text}. Compile it, or start the workers with a loader for its language.`
  if (code !== 'ERR_MODULE_NOT_FOUND') return `${text}. ${seeWhole}`
  const [, what = text, importer = ''] = /^(.*) imported from (.*)$/s.exec(text) ?? []
  // Who asked for the module itself are we.
  if (importer.startsWith(ownRoot())) return `${what}. ${checkPath}`
  return `${text}. Install it, or put it there, on every node that runs it.`
}

const checkPath =
  'Check the path: neither the machine of the program, which would send it along, nor this node has such a file. ' +
  'A bundler leaves out what is named by a URL: make it an entry of its own, too.'
const seeWhole = 'Run it alone with node on this machine to see the whole error.'

interface Found {
  readonly value: unknown
  /** What the function belongs to; undefined for the export of a module itself. */
  readonly holder: object | undefined
}

/**
 * Also looks in and above `default`: which names of a CommonJS module are exports of their own, and which only
 * properties of its default, differs between Node, its versions and compilers' loaders.
 */
function findExport(namespace: object, exportName: string): Found | undefined {
  const path = exportName.split('.')
  const found = follow(namespace, path) ?? follow(namespace, ['default', ...path])
  return found ?? (path[0] === 'default' && path.length > 1 ? follow(namespace, path.slice(1)) : undefined)
}

function follow(namespace: object, path: readonly string[]): Found | undefined {
  let holder: unknown
  let value: unknown = namespace
  for (const name of path) {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || !(name in value))
      return undefined
    holder = value
    value = (value as Record<string, unknown>)[name]
  }
  return { value, holder: path.length > 1 ? (holder as object) : undefined }
}
