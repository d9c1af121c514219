/**
 * TypeScript files of a folder, each compiled to JavaScript beside it, so that a node runs them without a loader. What
 * they import by paths is named by the files that will be there.
 */
import { readFile } from 'node:fs/promises'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import type * as esbuild from 'esbuild'
import { RuntimeEnvSetupError } from '../../base/errors.ts'
import type { ArchiveFile } from './archive.ts'
import type { Esbuild } from './esbuild.ts'
import { compiledPath, isEsModule, isTypeScript } from './module-format.ts'
import { withMadePaths } from './place-facts.ts'

/**
 * The files with the compiled ones among them. A file that cannot be compiled is left as it is (it may be no part of the
 * program), unless it is the `entry`.
 */
export async function compileFolder(
  tool: Esbuild,
  root: string,
  files: readonly ArchiveFile[],
  entry: string | undefined,
): Promise<ArchiveFile[]> {
  const all = new Map(files.map((file) => [file.path, file]))
  const sources = files.filter(({ path }) => isTypeScript(path))
  for (const format of ['esm', 'cjs'] as const) {
    let paths = sources
      .filter(({ path, bytes }) => isEsModule(join(root, path), Buffer.from(bytes).toString()) === (format === 'esm'))
      .map(({ path }) => path)
    // Each round leaves out what it could not compile.
    while (paths.length > 0) {
      const { output, broken } = await compile(tool, root, paths, format)
      for (const file of output) all.set(file.path, file)
      const reason = entry === undefined ? undefined : broken.get(entry)
      if (reason !== undefined) throw notCompiled(join(root, entry as string), reason)
      if (broken.size === 0) break
      paths = paths.filter((path) => !broken.has(path))
    }
  }
  return [...all.values()]
}

interface Compiled {
  readonly output: readonly ArchiveFile[]
  /** Paths that could not be compiled, and why. */
  readonly broken: ReadonlyMap<string, string>
}

async function compile(
  tool: Esbuild,
  root: string,
  paths: readonly string[],
  format: 'esm' | 'cjs',
): Promise<Compiled> {
  try {
    const { outputFiles } = await tool.build({
      entryPoints: Object.fromEntries(paths.map((path) => [path, join(root, path)])),
      absWorkingDir: root,
      outdir: root,
      bundle: true,
      write: false,
      platform: 'node',
      target: 'node20.19',
      format,
      keepNames: true,
      sourcemap: 'external',
      sourcesContent: false,
      logLevel: 'silent',
      plugins: [pathsOnly(root)],
    })
    return { output: outputOf(root, outputFiles), broken: new Map() }
  } catch (error) {
    const broken = new Map<string, string>()
    for (const { text, location } of (error as { errors?: readonly esbuild.Message[] }).errors ?? [])
      if (location !== null) broken.set(location.file, `line ${location.line}: ${text}`)
    if (broken.size === 0 || ![...broken.keys()].every((path) => paths.includes(path))) throw error
    return { output: [], broken }
  }
}

/** Leaves every import as it is, but for paths of files that are compiled: those get the name of the compiled file. */
function pathsOnly(root: string): esbuild.Plugin {
  const ours = 'outpool'
  return {
    name: ours,
    setup(build) {
      build.onResolve({ filter: /./ }, async ({ path, importer, kind, resolveDir, pluginData, with: attributes }) => {
        if (pluginData === ours || kind === 'entry-point') return undefined
        const found = await build.resolve(path, { importer, kind, resolveDir, pluginData: ours, with: attributes })
        const inside = found.errors.length === 0 && found.namespace === 'file' && found.path.startsWith(root + sep)
        if (!inside || found.path.includes(`${sep}node_modules${sep}`)) return { path, external: true }
        const named = relative(dirname(importer), compiledPath(found.path)).split(sep).join('/')
        return { path: named.startsWith('.') ? named : `./${named}`, external: true }
      })
      build.onLoad({ filter: /\.[cm]?tsx?$/ }, async ({ path }) => {
        const text = await readFile(path, 'utf8')
        const left = withMadePaths(text)
        return left === text ? undefined : { contents: left, loader: path.endsWith('x') ? 'tsx' : 'ts' }
      })
    },
  }
}

/** The output of `a.ts` is called `a.ts.js` by esbuild; its map is put into it. */
function outputOf(root: string, files: readonly esbuild.OutputFile[]): ArchiveFile[] {
  const maps = new Map(files.filter(({ path }) => path.endsWith('.map')).map(({ path, text }) => [path, text]))
  const out: ArchiveFile[] = []
  for (const { path, text } of files) {
    if (path.endsWith('.map')) continue
    const source = relative(root, path).replace(/\.js$/, '').split(sep).join('/')
    const map = JSON.parse(maps.get(`${path}.map`) ?? '{"sources":[]}') as { sources: string[] }
    map.sources = map.sources.map((each) => pathToFileURL(resolve(dirname(path), each)).href)
    const inline = Buffer.from(JSON.stringify(map)).toString('base64')
    const bytes = Buffer.from(`${text.trimEnd()}\n//# sourceMappingURL=data:application/json;base64,${inline}\n`)
    out.push({ path: compiledPath(source), executable: false, bytes })
  }
  return out
}

function notCompiled(file: string, reason: string): RuntimeEnvSetupError {
  return new RuntimeEnvSetupError(
    `${file} could not be compiled from TypeScript: ${reason}. Correct it, or ship JavaScript.`,
  )
}
