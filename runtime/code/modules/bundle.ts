/**
 * A module with everything that it imports as one file, by esbuild, where that means the same as the files would.
 *
 * Packages that cannot be part of one (binaries, `require` of an expression, files beside them) stay outside, by name and
 * version. Where the program's own files are such, there is no bundle, and the reasons are told.
 */
import { readFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { dirname, extname, join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type * as esbuild from 'esbuild'
import type { ArchiveFile } from './archive.ts'
import type { Esbuild } from './esbuild.ts'
import { extendedBy } from './manifest.ts'
import { isEsModule } from './module-format.ts'
import { installedPackageOf, packageNameOf, type NpmPackage } from './npm-package.ts'
import { importsExpression, mentionsPlace, namesItself, placeDefines, reachesBeside, withPlace } from './place-facts.ts'

/** What was found on the way, bundle or not. */
export interface BundleFacts {
  /** Packages that stay outside. */
  readonly external: readonly NpmPackage[]
  /** Packages that the program's own files name. */
  readonly direct: readonly NpmPackage[]
  /** The program's own files that are reached. */
  readonly files: readonly string[]
}

export type Bundled =
  | (BundleFacts & { readonly kind: 'bundle'; readonly entry: string; readonly output: readonly ArchiveFile[] })
  | (BundleFacts & { readonly kind: 'unfaithful'; readonly reasons: readonly string[] })

/** Warnings by which esbuild says that it left something to be found at run time. */
const unfaithful: readonly string[] = [
  'unsupported-require-call',
  'unsupported-dynamic-import',
  'require-resolve-not-external',
  'indirect-require',
]
const loaders: Readonly<Record<string, esbuild.Loader>> = {
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
  '.jsx': 'jsx',
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
}
const requireForModules =
  "import { createRequire as __outpoolRequire } from 'node:module';const require = __outpoolRequire(import.meta.url);"
/** A package that has to stay outside may show another one only then. */
const maxRounds = 8

export interface BundleOptions {
  /** Packages that every node has: this one, and those that a shim stands for. */
  readonly provided: readonly string[]
  /** Packages that stay outside by their names. */
  readonly apart?: readonly string[]
}

interface Round {
  readonly entry: string
  readonly provided: readonly string[]
  readonly apart: readonly string[]
  /** Folders of packages that stay outside. */
  readonly outside: Map<string, NpmPackage>
  readonly direct: Map<string, NpmPackage>
  readonly files: Set<string>
  readonly reasons: Set<string>
}

export async function bundleModule(tool: Esbuild, file: string, options: BundleOptions): Promise<Bundled> {
  const outside = new Map<string, NpmPackage>()
  for (let number = 1; ; number++) {
    const known = outside.size
    const round: Round = {
      entry: file,
      provided: options.provided,
      apart: options.apart ?? [],
      outside,
      direct: new Map(),
      files: new Set(),
      reasons: new Set(),
    }
    const result = await build(tool, file, round)
    const facts = { external: [...outside.values()], direct: [...round.direct.values()], files: [...round.files] }
    if (outside.size > known && number < maxRounds) continue
    if (outside.size > known) round.reasons.add('its packages could not be sorted out')
    if (result === undefined || round.reasons.size > 0)
      return { kind: 'unfaithful', reasons: [...round.reasons], ...facts }
    return { kind: 'bundle', ...result, ...facts }
  }
}

async function build(
  tool: Esbuild,
  file: string,
  round: Round,
): Promise<{ entry: string; output: ArchiveFile[] } | undefined> {
  // A CommonJS module stays one: its code may rely on being sloppy.
  const format = isEsModule(file, await readFile(file, 'utf8')) ? 'esm' : 'cjs'
  const folder = dirname(file)
  const name = format === 'esm' ? 'module.mjs' : 'module.cjs'
  let result: esbuild.BuildResult<{ write: false; metafile: true }>
  try {
    result = await tool.build({
      entryPoints: [file],
      absWorkingDir: folder,
      outfile: join(folder, name),
      bundle: true,
      write: false,
      metafile: true,
      platform: 'node',
      target: 'node20.19',
      format,
      // Of a package's variants the one that Node itself takes, not the one for bundlers.
      conditions: [],
      keepNames: true,
      sourcemap: 'external',
      sourcesContent: false,
      logLevel: 'silent',
      logLimit: 0,
      logOverride: Object.fromEntries(unfaithful.map((id) => [id, 'warning' as const])),
      define: { ...placeDefines },
      ...(format === 'esm' && { banner: { js: requireForModules } }),
      plugins: [plugin(round)],
    })
  } catch (error) {
    for (const message of (error as { errors?: readonly esbuild.Message[] }).errors ?? []) note(round, folder, message)
    if (round.reasons.size === 0) round.reasons.add(`esbuild failed: ${(error as Error).message}`)
    return undefined
  }
  for (const warning of result.warnings) if (unfaithful.includes(warning.id)) note(round, folder, warning)
  return { entry: name, output: outputOf(result.outputFiles, folder, name) }
}

/** What stands in the way: a package stays outside for it; in a file of the program it is a reason. */
function note(round: Round, folder: string, { text, location }: esbuild.Message): void {
  const file = location === null ? undefined : resolve(folder, location.file)
  const npm = file === undefined ? undefined : installedPackageOf(file)
  if (npm !== undefined) round.outside.set(npm.folder, npm)
  else round.reasons.add(file === undefined ? text : `${relative(folder, file)}:${String(location?.line)}: ${text}`)
}

const ours = 'outpool'

function plugin(round: Round): esbuild.Plugin {
  return {
    name: ours,
    setup(build) {
      // What a package imports by a path is its own: only names and aliases are looked at.
      build.onResolve(
        { filter: /^[^./]/ },
        async ({ path, importer, kind, resolveDir, pluginData, with: attributes }) => {
          if (pluginData === ours || kind === 'entry-point' || isBuiltin(path)) return undefined
          const name = packageNameOf(path)
          const extended = extendedBy(path)
          const isOurs = name !== undefined && round.provided.includes(name)
          if (isOurs && extended === undefined) return { path, external: true }
          const as = { importer, kind, resolveDir, pluginData: ours, with: attributes }
          const found = await build.resolve(extended ?? path, as)
          const isFile = found.errors.length === 0 && !found.external && found.namespace === 'file'
          const npm = isFile ? installedPackageOf(found.path) : undefined
          if (isOurs) {
            // What it extends comes along as the program has it.
            if (npm !== undefined) round.outside.set(npm.folder, npm)
            return { path, external: true }
          }
          // What is not there may be optional: esbuild says so where it is required outside of a try.
          if (!isFile) return undefined
          if (npm === undefined) return found
          if (installedPackageOf(importer) === undefined) round.direct.set(npm.folder, npm)
          if (npm.native || round.apart.includes(npm.name)) round.outside.set(npm.folder, npm)
          if (!round.outside.has(npm.folder)) return found
          return { path, external: true }
        },
      )
      build.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: 'file' }, async ({ path }) => {
        const text = await readFile(path, 'utf8')
        const npm = installedPackageOf(path)
        if (npm === undefined) round.files.add(path)
        const made = importsExpression(text)
        const placed = mentionsPlace(text)
        if (made === undefined && !placed) return undefined
        const use = made ?? reachesBeside(text) ?? (path === round.entry ? undefined : namesItself(text))
        if (npm !== undefined) round.outside.set(npm.folder, npm)
        else if (use !== undefined) round.reasons.add(`${path}:${use.line}: uses ${use.what}`)
        if (!placed) return undefined
        const place = { url: pathToFileURL(path).href, dirname: dirname(path), filename: path }
        return { contents: withPlace(text, place), loader: loaders[extname(path)] ?? 'js' }
      })
    },
  }
}

/** The map names the original files by URL, so that a stack does. */
function outputOf(files: readonly esbuild.OutputFile[], folder: string, name: string): ArchiveFile[] {
  const out: ArchiveFile[] = []
  for (const { path, text } of files) {
    if (path.endsWith('.map')) {
      const map = JSON.parse(text) as { sources: string[] }
      map.sources = map.sources.map((source) => originalUrl(resolve(folder, source)))
      out.push({ path: `${name}.map`, executable: false, bytes: Buffer.from(JSON.stringify(map)) })
    } else {
      const withMap = `${text.trimEnd()}\n//# sourceMappingURL=${name}.map\n`
      out.push({ path: name, executable: false, bytes: Buffer.from(withMap) })
    }
  }
  return out
}

function originalUrl(path: string): string {
  try {
    return pathToFileURL(path.startsWith('file:') ? fileURLToPath(path) : path).href
  } catch {
    return path
  }
}
