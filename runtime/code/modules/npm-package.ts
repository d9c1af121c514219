/** What is known of an installed npm package from its folder: name, version, and whether it can be part of a bundle. */
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'

export interface NpmPackage {
  readonly name: string
  readonly version: string
  /** Its real folder. */
  readonly folder: string
  readonly dependencies: readonly string[]
  /** Those whose absence is no error: optional ones, and peers. */
  readonly optional: readonly string[]
  /** Whether it is, or loads, a binary that was made for one kind of machine. */
  readonly native: boolean
}

interface PackageJson {
  readonly name?: unknown
  readonly version?: unknown
  readonly gypfile?: unknown
  readonly binary?: unknown
  readonly napi?: unknown
  readonly cpu?: unknown
  readonly libc?: unknown
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** Packages whose work is to find and load a binary. */
const loaders: readonly string[] = [
  'bindings',
  'node-gyp-build',
  'node-gyp-build-optional-packages',
  'prebuild-install',
  'node-pre-gyp',
  '@mapbox/node-pre-gyp',
  'pkg-prebuilds',
  'cmake-js',
]

const byFolder = new Map<string, NpmPackage>()

/** The folder of the package that a file belongs to, when it lies in a node_modules; undefined for a file of one's own. */
function packageFolderOf(file: string): string | undefined {
  const marker = `${sep}node_modules${sep}`
  const at = file.lastIndexOf(marker)
  if (at < 0) return undefined
  const [first = '', second = ''] = file.slice(at + marker.length).split(sep)
  if (first === '' || first.startsWith('.')) return undefined
  return join(file.slice(0, at + marker.length - 1), first.startsWith('@') ? join(first, second) : first)
}

/** The package that a file belongs to; undefined for a file of one's own. */
export function installedPackageOf(file: string): NpmPackage | undefined {
  const folder = packageFolderOf(file)
  return folder === undefined ? undefined : readPackage(folder)
}

/** The package in a folder; undefined where there is no readable package.json. Packages do not change while we run. */
export function readPackage(folder: string): NpmPackage | undefined {
  let real: string
  try {
    real = realpathSync(folder)
  } catch {
    return undefined
  }
  const known = byFolder.get(real)
  if (known !== undefined) return known
  const json = readJson(join(real, 'package.json'))
  if (json === undefined || typeof json.name !== 'string') return undefined
  const optional = [...Object.keys(json.optionalDependencies ?? {}), ...Object.keys(json.peerDependencies ?? {})]
  const found: NpmPackage = {
    name: json.name,
    version: typeof json.version === 'string' ? json.version : '',
    folder: real,
    dependencies: Object.keys(json.dependencies ?? {}).filter((name) => !optional.includes(name)),
    optional,
    native: isNative(real, json),
  }
  byFolder.set(real, found)
  return found
}

/** The package that `name` means to the code in `from`, a folder; undefined where it is not installed. */
export function findPackage(name: string, from: string): NpmPackage | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    if (!folder.endsWith(`${sep}node_modules`)) {
      const found = join(folder, 'node_modules', name)
      if (existsSync(join(found, 'package.json'))) return readPackage(found)
    }
    if (dirname(folder) === folder) return undefined
  }
}

/** The name of the package in a specifier such as `@scope/name/sub`; undefined for paths, URLs and built-in modules. */
export function packageNameOf(specifier: string): string | undefined {
  if (/^(?:[./#]|[a-z]+:)/i.test(specifier)) return undefined
  const [first = '', second] = specifier.split('/')
  if (!first.startsWith('@')) return first
  return second === undefined ? undefined : `${first}/${second}`
}

export function readJson(path: string): PackageJson | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'))
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}

function isNative(folder: string, json: PackageJson): boolean {
  if (json.gypfile === true || json.binary !== undefined || json.napi !== undefined) return true
  if (json.cpu !== undefined || json.libc !== undefined) return true
  if (Object.keys(json.dependencies ?? {}).some((name) => loaders.includes(name))) return true
  for (const name of Object.keys(json.optionalDependencies ?? {})) {
    const installed = findPackage(name, folder)
    if (loaders.includes(name) || (installed !== undefined && readJson(join(installed.folder, 'package.json'))?.cpu))
      return true
  }
  return existsSync(join(folder, 'binding.gyp')) || hasBinary(folder, 3)
}

/** Binaries lie in `build/Release`, `prebuilds/<platform>`, or beside the package.json. */
function hasBinary(folder: string, depth: number): boolean {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.endsWith('.node')) return true
    if (depth === 0 || !entry.isDirectory() || entry.name === 'node_modules') continue
    if (
      /^(?:build|prebuilds?|bin|lib|binding|native|dist|Release|[\w-]*(?:linux|darwin|win32)[\w-]*)$/.test(entry.name)
    )
      if (hasBinary(join(folder, entry.name), depth - 1)) return true
  }
  return false
}
