/**
 * What the CommonJS packages that are loaded export. Every function that is to travel is looked for among that, so it is
 * told without loading what reads captures, where no such package is loaded.
 */
import { Module } from 'node:module'
import { pathToFileURL } from 'node:url'
import { installedPackageOf } from './modules/npm-package.ts'
import { isOwnModule, portableUrl } from './own-modules.ts'

export interface ModuleReference {
  /** `node:fs`, `outpool:lib/objects.js`, or the file URL of a package's file, as it is here. */
  readonly url: string
  /** '*' is all of the module, as `import * as` has it; '=' all of it, as `require` has it; else a dotted way. */
  readonly exportName: string
}

/** What a CommonJS module exports as `default`: to who imports it, `default` is all of the module. */
export const commonJsDefault = '=.default'

const known = new WeakMap<object, ModuleReference>()
const read = new Set<string>()
/** 'no': modules may be loaded at any time. 'nothing-read' and 'read': none is while something is looked into. */
let holds: 'no' | 'nothing-read' | 'read' = 'no'

/** While `body` runs, which must load no module, it is looked once what is loaded: with 3,000 modules that takes 0.3 ms. */
export function whileNothingLoads<T>(body: () => T): T {
  if (holds !== 'no') return body()
  holds = 'nothing-read'
  try {
    return body()
  } finally {
    holds = 'no'
  }
}

/** The export of a CommonJS package that the value is, by identity. */
export function commonJsExport(value: object): ModuleReference | undefined {
  const before = known.get(value)
  if (before !== undefined || holds === 'read') return before
  readLoaded()
  if (holds === 'nothing-read') holds = 'read'
  return known.get(value)
}

function readLoaded(): void {
  // What `require.cache` of any `require` is; to make one takes a start a millisecond.
  const { _cache: cache } = Module as unknown as { readonly _cache: NodeJS.Require['cache'] }
  for (const filename of Object.keys(cache)) {
    if (read.has(filename) || filename.includes('?')) continue
    const loaded = cache[filename]
    if (loaded?.loaded !== true) continue
    read.add(filename)
    const url = portableUrl(pathToFileURL(filename).href)
    if (isOwnModule(url) || installedPackageOf(filename) !== undefined) readExports(url, loaded.exports)
  }
}

function readExports(url: string, exported: unknown): void {
  if (!isThing(exported)) return
  // The file that defines a thing is read before those that pass it on.
  if (!known.has(exported)) known.set(exported, { url, exportName: '=' })
  // Compilers export by getters; elsewhere a getter may do work, and is left alone.
  const isCompiled = Object.hasOwn(exported, '__esModule')
  for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(exported))) {
    const value: unknown = isCompiled && property.get !== undefined ? Reflect.get(exported, name) : property.value
    if (isThing(value) && !name.includes('.') && name !== '' && name !== 'prototype' && !known.has(value))
      known.set(value, { url, exportName: name === 'default' ? commonJsDefault : name })
  }
}

/** Whether it is told apart by its identity. */
export function isThing(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function'
}

/** Whether the object was found to be one of them before: no module is looked at anew. */
export function isCommonJsExport(value: object): boolean {
  return known.has(value)
}
