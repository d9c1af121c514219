/**
 * Builds dist/ from the sources: compiled beside it and swapped in when it is whole, so that a build that fails, or two
 * at once, never leave half of one. What was in dist/ before is gone.
 *
 * Usage: node test/tools/build.mjs [--if-changed]
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.mjs'

export const root = fileURLToPath(new URL('../../', import.meta.url))
const sourceFolders = ['lib', 'compat', 'runtime']
const otherInputs = ['tsconfig.json', 'package-lock.json', 'test/tools/build.mjs']
/** Inside dist/, so that it is swapped in and deleted with what it describes; package.json keeps it out of the package. */
const stampName = '.build.json'
const executables = ['lib/cli/main.js']

function filesBelow(folder) {
  if (!existsSync(folder)) return []
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

/** SHA-256 over the names and bytes of everything that the build reads. */
function sourcesHash() {
  const hash = createHash('sha256')
  const sources = sourceFolders.flatMap((folder) => filesBelow(join(root, folder)))
  for (const file of [...sources, ...otherInputs.map((name) => join(root, name))]) {
    const bytes = readFileSync(file)
    hash.update(`${relative(root, file)}\0${bytes.length}\0`).update(bytes)
  }
  return hash.digest('hex')
}

function stampOf(folder) {
  try {
    return JSON.parse(readFileSync(join(folder, stampName), 'utf8')).sources
  } catch {
    return undefined
  }
}

/** Checks the types and writes the declarations. */
function compile(outDir) {
  // By path, not through node_modules/.bin: the older compiler of the type tests has a `tsc` too.
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const options = [
    '-p',
    join(root, 'tsconfig.json'),
    '--outDir',
    outDir,
    '--noEmitOnError',
    '--incremental',
    'false',
    '--emitDeclarationOnly',
  ]
  const { status, error, stdout, stderr } = spawnSync(process.execPath, [tsc, ...options], {
    cwd: root,
    encoding: 'utf8',
  })
  // The compiler reports on stdout, which belongs to the program that is built for (`npm start -- --json`).
  process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`)
  if (error) throw error
  if (status !== 0) throw new Error('the TypeScript compiler found errors, see above; dist/ is as it was')
}

/** Processes of their own, by a path that depends on whether the sources run. */
const startedByPath = ['runtime/worker/entry.ts', 'runtime/cluster/daemon-entry.ts']
/** What tests need of the built package beside that. */
const testedByPath = [
  'lib/pinned.ts',
  'runtime/cluster/detach.ts',
  'runtime/code/function-source.ts',
  'runtime/owner/current.ts',
]

function publishedEntries() {
  const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const paths = [...Object.values(bin), ...Object.values(exports).map((entry) => entry.default ?? '')]
  return paths.flatMap((path) => /^(?:\.\/)?dist\/(.+)\.js$/.exec(path)?.slice(1) ?? []).map((name) => `${name}.ts`)
}

/** What is published, and what no import names: processes and threads of their own, and what is imported by its URL. */
function entryPoints() {
  const entries = new Set([...publishedEntries(), ...startedByPath, ...testedByPath])
  for (const file of sourceFolders.flatMap((folder) => filesBelow(join(root, folder)))) {
    // A shim of what is loaded under the original's name.
    if (basename(file) === 'shim.ts') entries.add(relative(root, file))
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/new URL\('([\w./-]+)\.js', import\.meta\.url\)/g)) {
      const named = relative(root, join(dirname(file), `${path}.ts`))
      if (existsSync(join(root, named))) entries.add(named)
    }
  }
  return [...entries]
}

/**
 * A module that becomes a part of a chunk still knows its own place in dist/: `import.meta.url` is the URL that it would
 * have there. What is published keeps the real one, with whatever query they are imported by.
 */
function ownUrls(transform) {
  const published = new Set(publishedEntries().map((name) => join(root, name)))
  return {
    name: 'own-urls',
    setup({ onLoad }) {
      onLoad({ filter: /\.ts$/ }, async ({ path }) => {
        const source = readFileSync(path, 'utf8')
        if (published.has(path) || !source.includes('import.meta.url')) return { contents: source, loader: 'ts' }
        const { code } = await transform(source, {
          loader: 'ts',
          target: 'node20',
          define: { 'import.meta.url': 'ownUrl' },
        })
        const place = relative(root, path).replace(/\.ts$/, '.js')
        return { contents: `const ownUrl = outpoolRoot + ${JSON.stringify(place)}\n${code}`, loader: 'js' }
      })
    },
  }
}

/** The bundler gives a class that speaks of itself a second name, and users see that one. */
function withClassNames(text, path) {
  const renamed = /\bclass ([A-Za-z]+\d+)\b/.exec(text)?.[1]
  if (renamed !== undefined)
    throw new Error(`two classes of one name met in ${path}, see ${renamed}: rename one of them`)
  let named = text
  for (const [, name] of text.matchAll(/^var (\w+) = class _\1\b/gm))
    named = named.replaceAll(new RegExp(`\\b_${name}\\b`, 'g'), name)
  return named
}

/**
 * A file for each entry and for what several of them share, so that a process starts without resolving hundreds of
 * modules, and each module still exists once. Not minified: stack traces and shipped functions stay readable.
 */
async function bundle(outDir) {
  const { build: esbuild, transform } = await import('esbuild')
  const { outputFiles } = await esbuild({
    absWorkingDir: root,
    entryPoints: entryPoints(),
    outdir: outDir,
    outbase: root,
    chunkNames: 'chunks/[hash]',
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    charset: 'utf8',
    plugins: [ownUrls(transform)],
    banner: { js: "const outpoolRoot = import.meta.url.slice(0, import.meta.url.lastIndexOf('/dist/') + 6);" },
    logLevel: 'warning',
    write: false,
  })
  for (const { path, text } of outputFiles) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, withClassNames(text, path))
  }
}

function swapIn(built, dist) {
  const old = join(root, `dist.${process.pid}.old`)
  rmSync(old, { recursive: true, force: true })
  if (existsSync(dist)) renameSync(dist, old)
  renameSync(built, dist)
  rmSync(old, { recursive: true, force: true })
}

/** Builds dist/; with `ifChanged` only when the sources are not those that it was built from. Says whether it built. */
export function build({ ifChanged = false } = {}) {
  return withLock(join(root, '.cache/build.lock'), async () => {
    const dist = join(root, 'dist')
    const sources = sourcesHash()
    if (ifChanged && stampOf(dist) === sources) return false
    const built = join(root, `dist.${process.pid}.new`)
    try {
      rmSync(built, { recursive: true, force: true })
      compile(built)
      await bundle(built)
      for (const name of executables) if (existsSync(join(built, name))) chmodSync(join(built, name), 0o755)
      writeFileSync(join(built, stampName), `${JSON.stringify({ sources })}\n`)
      swapIn(built, dist)
    } finally {
      rmSync(built, { recursive: true, force: true })
    }
    return true
  })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await build({ ifChanged: process.argv.includes('--if-changed') })
  } catch (error) {
    console.error(error.message)
    process.exitCode = 1
  }
}
