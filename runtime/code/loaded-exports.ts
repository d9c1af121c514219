/**
 * Finds a function among the exports of the CommonJS modules that this process has loaded. (Which ES module exports a
 * function cannot be found out.) Each module is read once, after it has finished loading.
 */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

export interface LoadedExport {
  readonly url: string
  readonly exportName: string
  /** It belongs to the program's main module, which must not be imported again: that would run the program again. */
  readonly main: boolean
}

const found = new WeakMap<Function, LoadedExport>()
const read = new Set<string>()

export function findLoadedExport(fn: Function): LoadedExport | undefined {
  const known = found.get(fn)
  if (known !== undefined) return known
  const { cache, main } = createRequire(import.meta.url)
  for (const [filename, loaded] of Object.entries(cache)) {
    // A loader may keep versions of a module under names with a query; those are no files.
    if (loaded === undefined || read.has(filename) || filename.includes('?')) continue
    if (loaded.loaded) read.add(filename)
    // `import` of a CommonJS module gives `module.exports` as its default export.
    readExports(loaded.exports, (value, name) => {
      if (found.has(value)) return
      const exportName = name === undefined ? 'default' : `default.${name}`
      found.set(value, { url: pathToFileURL(filename).href, exportName, main: filename === mainFile(main) })
    })
  }
  return found.get(fn)
}

function mainFile(main: NodeJS.Module | undefined): string | undefined {
  return main?.filename ?? process.argv[1]
}

function readExports(exported: unknown, add: (value: Function, name: string | undefined) => void): void {
  if (typeof exported === 'function') add(exported, undefined)
  if ((typeof exported !== 'object' && typeof exported !== 'function') || exported === null) return
  try {
    // Compilers export through getters; elsewhere a getter may do work, and is left alone.
    const compiled = Object.hasOwn(exported, '__esModule')
    for (const [name, property] of Object.entries(Object.getOwnPropertyDescriptors(exported))) {
      if (name.includes('.') || name === '') continue
      const value: unknown = property.get !== undefined && compiled ? Reflect.get(exported, name) : property.value
      if (typeof value === 'function' && name !== 'constructor') add(value, name)
    }
  } catch {
    // An export that throws when looked at (a proxy, a getter) is not one that can be named.
  }
}
