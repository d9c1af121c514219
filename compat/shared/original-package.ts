/** Finds and loads the packages that shims extend: those that the user's program resolves, not copies of our own. */
import { readFileSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { codePlaces, noteStandIn, startFolder } from '../../lib/stand-ins.ts'
import { isCycle, leadsBack } from './leads-back.ts'
import { shimFacts } from './shim-names.ts'

/** The folder of this package's code. */
const ownRoot = fileURLToPath(new URL('../../', import.meta.url))

export interface PackageFacts {
  /** The folder of its package.json. */
  readonly folder: string
  readonly version: string
  /** It depends on Outpool: what is called so there is the shim, under the name of the original. */
  readonly isAlias: boolean
}

/** The package of this name that `file` belongs to. */
export function packageOf(file: string, name: string): PackageFacts | undefined {
  for (let folder = dirname(file), parent = ''; folder !== parent; parent = folder, folder = dirname(folder)) {
    let manifest: { name?: unknown; version?: unknown; dependencies?: object; peerDependencies?: object }
    try {
      manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as typeof manifest
    } catch {
      continue
    }
    if (manifest.name !== name) continue
    const isAlias = 'outpool' in { ...manifest.dependencies, ...manifest.peerDependencies }
    return { folder, version: String(manifest.version), isAlias }
  }
  return undefined
}

export function isSupported(name: string, version: string): boolean {
  const majors = shimFacts.find((shim) => shim.name === name)?.majors ?? []
  return majors.includes(Number.parseInt(version, 10))
}

export function supportedVersions(name: string): string {
  return (shimFacts.find((shim) => shim.name === name)?.majors ?? []).join(' or ')
}

/** The newest that this Node can run: p-queue 10 needs Node 22. */
function toInstall(name: string): string {
  const majors = shimFacts.find((shim) => shim.name === name)?.majors ?? []
  const isOld = Number.parseInt(process.versions.node, 10) < 22
  return `${name}@${majors.at(isOld ? 0 : -1) ?? ''}`
}

let unmapped = 0

/** While this runs, names have their own meaning: registration looks away. */
export function withOwnNames<T>(body: () => T): T {
  unmapped++
  try {
    return body()
  } finally {
    unmapped--
  }
}

/** Whether names have their own meaning just now. */
export function haveOwnNames(): boolean {
  return unmapped > 0
}

/**
 * The file of the package that a shim extends: the one that registration found for the importer (`?original=` in the
 * shim's own URL), else the one that the program's main file resolves, or in a worker the modules that it runs, else one
 * that is installed beside Outpool.
 *
 * @throws Error that says what to install, where it is missing or of another version.
 */
export function originalFile(name: string, shimUrl: string): string {
  const asked = new URL(shimUrl).searchParams.get('original')
  const file = asked === null ? findOriginal(name) : fileURLToPath(asked)
  const version = packageOf(file, name)?.version
  if (version === undefined || !isSupported(name, version)) {
    throw new Error(
      `outpool/${name} extends ${name} ${supportedVersions(name)}, and found ${version ?? 'another package'} at ${file}. ` +
        `Install ${toInstall(name)}`,
    )
  }
  return file
}

const made = new Map<string, object>()

/**
 * What `make` makes of the exports of the original in `file`: once, however they are asked for, so that they are the same
 * for `import`, `require` and what was captured. `maker` is the URL of the module that exports this as `shimOver`.
 */
export function madeOver<T extends object>(maker: string, file: string, make: (original: T) => T): T {
  const known = made.get(file)
  if (known !== undefined) return known as T
  const original = loaded(maker, file) as T & Readonly<Record<string, unknown>>
  const exports = make(original) as T & Readonly<Record<string, unknown>>
  made.set(file, exports)
  noteStandIn(
    maker,
    urlOf(file),
    exports,
    Object.keys(exports).filter((name) => exports[name] !== original[name]),
  )
  return exports
}

function loaded(maker: string, file: string): unknown {
  try {
    return requireQuietly(file)
  } catch (error) {
    throw isCycle(error) ? leadsBack(basename(dirname(fileURLToPath(maker))), file, error) : error
  }
}

function findOriginal(name: string): string {
  let alias: string | undefined
  for (const from of [...codePlaces(), mainFile(), join(startFolder, 'package.json'), import.meta.url]) {
    try {
      const file = withOwnNames(() => createRequire(from).resolve(name))
      if (packageOf(file, name)?.isAlias !== true) return file
      alias = file
    } catch {
      // The next one may know it.
    }
  }
  if (alias !== undefined) throw leadsBack(name, alias)
  throw new Error(
    `outpool/${name} extends the package ${name}, which is not installed here. Run: npm install ${toInstall(name)}`,
  )
}

/** Where the program began, with links followed as Node follows them; Outpool's own entry is of no program. */
function mainFile(): string {
  const file = process.argv[1]
  if (file === undefined) return join(startFolder, 'package.json')
  try {
    const real = realpathSync(file)
    return real.startsWith(ownRoot) ? join(startFolder, 'package.json') : real
  } catch {
    return join(startFolder, 'package.json')
  }
}

const own = createRequire(import.meta.url)

/**
 * Loads a module, ESM too, without Node's remark that this is experimental; users can do nothing about it.
 * @throws Error that says what to do, on a Node that cannot load it like this.
 */
export function requireQuietly(file: string): unknown {
  const heard = Object.getOwnPropertyDescriptor(process, 'emitWarning')
  process.emitWarning = () => undefined
  try {
    return own(file)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ERR_MODULE_NOT_FOUND' && process.versions['pnp'] !== undefined) throw notByPnp(file, error)
    if (code !== 'ERR_REQUIRE_ESM') throw error
    return requireOutside(file, error)
  } finally {
    if (heard === undefined) Reflect.deleteProperty(process, 'emitWarning')
    else Object.defineProperty(process, 'emitWarning', heard)
  }
}

/**
 * Jest gives the modules that it runs a `require` of its own, which takes no ES modules; this code, which is a script of
 * the process, finds Node's.
 */
function requireOutside(file: string, cause: unknown): unknown {
  const { createRequire: nodes } = process.getBuiltinModule('node:module')
  if (nodes === createRequire) throw cannotRequire(file, cause)
  return nodes(import.meta.url)(file)
}

/** Yarn's Plug'n'Play tells `import` where packages are, and not `require` of an ES module. */
function notByPnp(file: string, cause: unknown): Error {
  return new Error(
    `Outpool has to load ${file} by \`require\`, and Plug'n'Play of Yarn does not find what that ES module imports: ` +
      `${(cause as Error).message.split('\n', 1)[0]}. Install with \`nodeLinker: node-modules\` in .yarnrc.yml`,
    { cause },
  )
}

/** Nodes 21 and 22.0 to 22.11 are older than 20.19 in this; and it can be switched off. */
function cannotRequire(file: string, cause: unknown): Error {
  return new Error(
    `Outpool has to load ${file} by \`require\`, which Node ${process.versions.node} does not do here with ES modules. ` +
      'Use Node 20.19 or 22.12 and later, or start with NODE_OPTIONS=--experimental-require-module',
    { cause },
  )
}

/** The same as the URL that `import` knows it by. */
export function urlOf(file: string): string {
  return pathToFileURL(file).href
}
