/**
 * Modules of ours that stand for a package of the program and are made over it, as the shim of p-map over the p-map that
 * is installed there. Their exports travel by both names, whichever way they came to who captures them:
 *
 *     outpool:compat/p-map/shim.js?original=file:///app/node_modules/p-map/index.js
 */
import { createRequire } from 'node:module'
import { types } from 'node:util'
import { fileURLToPath } from 'node:url'
import { takeNotes, type Exports } from '../noted-stand-ins.ts'
import { localUrl, portableUrl } from '../own-modules.ts'
import type { ModuleReference } from './module-references.ts'

/** What a module that makes stand-ins exports. */
interface Maker {
  /** The exports, made over those of the module in this file. */
  shimOver(file: string): Exports
}

interface StandIn {
  readonly url: string
  readonly exports: Exports
}

const mark = '?original='
/** By each of their exports that is not the original's own or is a symbol, and by all of them as one object. */
const known = new WeakMap<object | symbol, { readonly of: StandIn; readonly exportName: string }>()

/** Reads what was noted since. */
function read(): typeof known {
  for (const { maker, original, exports, own } of takeNotes()) {
    const of = { url: `${portableUrl(maker)}${mark}${encodeURIComponent(original)}`, exports }
    known.set(exports, { of, exportName: '=' })
    for (const exportName of own) known.set(exports[exportName] as object, { of, exportName })
    for (const [exportName, value] of Object.entries(exports)) if (isUnique(value)) known.set(value, { of, exportName })
  }
  return known
}

/** A symbol that is only one place's: one of the registry is the same everywhere. */
function isUnique(value: unknown): value is symbol {
  return typeof value === 'symbol' && Symbol.keyFor(value) === undefined
}

/** By what it is: an export of a stand-in, or all of them, by `import * as` or `require`. */
export function standInReference(value: object | symbol): ModuleReference | undefined {
  const found = read().get(value)
  if (found !== undefined) return { url: found.of.url, exportName: found.exportName }
  if (!types.isModuleNamespaceObject(value)) return undefined
  const whole = (value as { readonly default?: unknown }).default
  const of = typeof whole === 'function' ? known.get(whole)?.of : undefined
  // A module of the user's may pass the default on, among others.
  const isAll =
    of !== undefined && Object.entries(value).every(([name, one]) => name === '__esModule' || of.exports[name] === one)
  return isAll ? { url: of.url, exportName: '*' } : undefined
}

/** The file URL of the module that a stand-in is made over; undefined for any other module. */
export function originalOf(url: string): string | undefined {
  const at = url.indexOf(mark)
  return at < 0 || !url.startsWith('outpool:') ? undefined : decodeURIComponent(url.slice(at + mark.length))
}

/** Makes it here, over the original in that file URL. */
export function makeStandIn(url: string, original: string): Exports {
  const maker = fileURLToPath(localUrl(url.slice(0, url.indexOf(mark))))
  return (createRequire(import.meta.url)(maker) as Maker).shimOver(fileURLToPath(original))
}
