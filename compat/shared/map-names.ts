/**
 * Gives the names of packages another meaning in the whole process: `import`, `import()` and `require` of them lead to
 * the shims, but for Outpool itself and for the package of that name.
 *
 * `require` is mapped where Node resolves for it; `import` by `module.registerHooks` where Node has it, else by hooks in
 * its loader thread.
 */
import Module, { register } from 'node:module'
import { fileURLToPath } from 'node:url'
import { shimUrlFor } from './name-resolution.ts'
import { haveOwnNames, requireQuietly, urlOf } from './original-package.ts'

interface Importer {
  readonly filename?: string | null
}
interface ResolveContext {
  readonly parentURL?: string
  readonly conditions: readonly string[]
}
interface ResolveResult {
  readonly url: string
  readonly format?: string | null
  readonly shortCircuit?: boolean
}
interface Internals {
  _cache: Record<string, unknown>
  _resolveFilename(request: string, parent: Importer | undefined, ...rest: unknown[]): string
  registerHooks?(hooks: {
    resolve(
      specifier: string,
      context: ResolveContext,
      next: (specifier: string, context: ResolveContext) => ResolveResult,
    ): ResolveResult
  }): unknown
}

const internals = Module as unknown as Internals
/** Names that are mapped in this process; a worker that is started for it maps them too. */
const mapped = new Set<string>()
const reported = new Set<string>()
/** What `require.resolve` says of mapped names: keys of the cache, and no files. */
const given = new Set<string>()

export function mappedNames(): readonly string[] {
  return [...mapped]
}

/** From now on. What was loaded before keeps its meaning, and is reported where that can be seen. */
export function mapNames(names: readonly string[]): void {
  const more = names.filter((name) => !mapped.has(name))
  if (more.length === 0) return
  const first = mapped.size === 0
  for (const name of more) {
    mapped.add(name)
    if (wasRequired(name))
      report(`'${name}' was loaded before outpool/register: what has it keeps the original. Register first`)
  }
  if (first) mapRequire()
  if (typeof internals.registerHooks !== 'function') {
    register(new URL('loader-hooks.js', import.meta.url).href, import.meta.url, { data: { names: more } })
  } else if (first) mapImport()
}

function mapImport(): void {
  internals.registerHooks?.({
    resolve(specifier, context, next) {
      const original = next(specifier, context)
      // `require` comes here too, and has been mapped below.
      if (!mapped.has(specifier) || haveOwnNames() || context.conditions.includes('require')) return original
      const url = shimUrlFor(specifier, context.parentURL, () => original.url, report)
      return url === undefined ? original : { url, format: 'module', shortCircuit: true }
    },
  })
}

function mapRequire(): void {
  const original = internals._resolveFilename.bind(internals)
  internals._resolveFilename = (request, parent, ...rest) => {
    // `require(require.resolve(name))`
    if (given.has(request)) return request
    const file = original(request, parent, ...rest)
    if (!mapped.has(request) || haveOwnNames()) return file
    const importer = parent?.filename
    const parentUrl = typeof importer === 'string' ? urlOf(importer) : undefined
    const shim = shimUrlFor(request, parentUrl, () => urlOf(file), report)
    return shim === undefined ? file : provided(request, shim, file)
  }
}

/** `require` finds the shim in its cache, as a plain object like the one that a CommonJS package gives. */
function provided(name: string, shim: string, file: string): string {
  const { pathname, searchParams } = new URL(shim)
  const original = searchParams.get('original')
  // Later releases of Node make a URL of it and a path again: nothing in it may change by that, as `//` would.
  const id = fileURLToPath(`file://${pathname}`) + (original === null ? '' : `?original=${fileURLToPath(original)}`)
  if (internals._cache[id] === undefined) {
    const module = new Module(id)
    module.filename = id
    module.loaded = true
    module.exports = exportsOf(name, file)
    internals._cache[id] = module
    given.add(id)
  }
  return id
}

function exportsOf(name: string, file: string): unknown {
  if (name === 'workerpool') {
    const { default: shim } = requireQuietly(fileURLToPath(new URL('../workerpool/index.js', import.meta.url))) as {
      default: object
    }
    return { ...shim }
  }
  const shim = requireQuietly(fileURLToPath(new URL(`../${name}/shim.js`, import.meta.url))) as {
    shimOver(file: string): object
  }
  return shim.shimOver(file)
}

function wasRequired(name: string): boolean {
  const inPackage = new RegExp(`[\\\\/]node_modules[\\\\/]${name}[\\\\/]`)
  return Object.keys(internals._cache).some((file) => inPackage.test(file))
}

function report(text: string): void {
  if (reported.has(text)) return
  reported.add(text)
  console.error(`outpool: ${text}`)
}
