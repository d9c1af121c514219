/**
 * Adds the optional packages of other platforms that `npm install` left out of the lock file.
 *
 * A registry that does not carry a platform's prebuilt package makes `npm install` drop its entry without a word, and
 * then `npm ci` refuses the whole lock file ("Missing ... from lock file"). Their versions are pinned exactly by the
 * packages that want them, and which platform they are for is in their names, so the entries can be completed: `npm ci`
 * then skips them by `os` and `cpu`. They carry no integrity, because nobody here has seen their bytes.
 *
 * Usage: node test/tools/complete-lock.mjs [--check] [lock file]
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const systems = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32']
const processors = ['arm64', 'arm', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64']

/** Whether `name` is resolved from the package at `path`, as Node would: here, then in each folder above. */
function isLocked(packages, path, name) {
  for (let base = path; ; base = base.slice(0, Math.max(0, base.lastIndexOf('node_modules/') - 1))) {
    if (packages[`${base === '' ? '' : `${base}/`}node_modules/${name}`] !== undefined) return true
    if (base === '') return false
  }
}

function entryFor(name, version, parent) {
  const words = name.split(/[-/]/)
  const os = systems.find((system) => words.includes(system))
  const cpu = processors.find((processor) => words.includes(processor))
  if (os === undefined || cpu === undefined) {
    throw new Error(`${name}@${version} is optional, is not in the lock file, and its name does not tell its platform`)
  }
  if (!/^\d+\.\d+\.\d+/.test(version)) {
    throw new Error(`${name}@${version} is optional, is not in the lock file, and its version is not pinned`)
  }
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : undefined
  return {
    ...{ version, cpu: [cpu], ...(parent.dev ? { dev: true } : {}) },
    ...(os === 'linux' && libc !== undefined ? { libc } : {}),
    ...{ optional: true, os: [os] },
  }
}

/** The entries that are missing, by their paths. The lock file is not changed. */
export function missingEntries(lock) {
  const missing = new Map()
  for (const [path, parent] of Object.entries(lock.packages)) {
    for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
      if (!isLocked(lock.packages, path, name)) missing.set(`node_modules/${name}`, entryFor(name, version, parent))
    }
  }
  return missing
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const options = process.argv.slice(2)
  const file = options.find((option) => !option.startsWith('--')) ?? 'package-lock.json'
  const lock = JSON.parse(readFileSync(file, 'utf8'))
  const missing = missingEntries(lock)
  console.error(`${missing.size} optional packages of other platforms were missing in ${file}`)
  if (options.includes('--check')) process.exitCode = missing.size === 0 ? 0 : 1
  else if (missing.size > 0) {
    const byPath = ([left], [right]) => (left < right ? -1 : left > right ? 1 : 0)
    lock.packages = Object.fromEntries([...Object.entries(lock.packages), ...missing].sort(byPath))
    writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
  }
}
