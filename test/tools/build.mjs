/**
 * Builds dist/ from the sources: compiled beside it and swapped in when it is whole, so that a build that fails, or two
 * at once, never leave half of one. What was in dist/ before is gone.
 *
 * Usage: node test/tools/build.mjs [--if-changed]
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle, filesBelow, sourceFolders } from './bundle.mjs'
import { withLock } from './lock.mjs'

export const root = fileURLToPath(new URL('../../', import.meta.url))
const tools = ['build', 'bundle', 'compiled-scripts', 'lazy-chunks'].map((name) => `test/tools/${name}.mjs`)
const otherInputs = ['tsconfig.json', 'package-lock.json', ...tools]
/** Inside dist/, so that it is swapped in and deleted with what it describes; package.json keeps it out of the package. */
const stampName = '.build.json'
const executables = ['lib/cli/main.js']

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
      await bundle(root, built)
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
