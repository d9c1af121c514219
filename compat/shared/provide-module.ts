/**
 * Gives a package name another meaning inside this process: a worker script that says `import workerpool from
 * 'workerpool'` gets the shim, as it is, ESM or CommonJS.
 *
 * For a package in CommonJS that is: the module cache holds the shim under the package's file, which both `require` and
 * `import` consult. No loader thread is started for it. Only where the script cannot resolve the name at all are
 * resolution hooks installed.
 */
import Module, { createRequire, register } from 'node:module'
import { pathToFileURL } from 'node:url'

type Exports = Readonly<Record<string, unknown>>
type ResolveResult = { url: string; shortCircuit?: boolean }
type ResolveHook = (
  specifier: string,
  context: unknown,
  next: (specifier: string, context: unknown) => ResolveResult,
) => ResolveResult
interface ModuleInternals {
  _cache: Record<string, unknown>
  _resolveFilename(request: string, ...rest: unknown[]): string
  registerHooks?(hooks: { resolve: ResolveHook }): unknown
}

const internals = Module as unknown as ModuleInternals
const own = createRequire(import.meta.url)

/**
 * `name`, as seen from the file `from` and from this package, is `exports` from now on. The package must be one in
 * CommonJS that this package depends on, and `from` must not have loaded it before.
 */
export function provideModule(name: string, exports: Exports, from: string): void {
  const ownFile = own.resolve(name)
  seed(ownFile, exports)
  let file: string
  try {
    file = createRequire(from).resolve(name)
  } catch {
    redirect(name, ownFile)
    return
  }
  seed(file, exports)
}

function seed(file: string, exports: Exports): void {
  const module = new Module(file)
  module.filename = file
  module.loaded = true
  module.exports = exports
  internals._cache[file] = module
}

/** The script stands where no copy of the package is found: the name leads to this package's copy. */
function redirect(name: string, file: string): void {
  const url = pathToFileURL(file).href
  if (internals.registerHooks !== undefined) {
    internals.registerHooks({
      resolve: (specifier, context, next) =>
        specifier === name ? { url, shortCircuit: true } : next(specifier, context),
    })
    return
  }
  const original = internals._resolveFilename.bind(internals)
  internals._resolveFilename = (request, ...rest) => (request === name ? file : original(request, ...rest))
  const source = `export const resolve = (specifier, context, next) =>
    specifier === ${JSON.stringify(name)} ? { url: ${JSON.stringify(url)}, shortCircuit: true } : next(specifier, context)`
  register(`data:text/javascript,${encodeURIComponent(source)}`, import.meta.url)
}
