/**
 * Loads `koffi` by its binary. Its own entry has Node read every export of `fs` and `util`, getters too, and searches for
 * the binary with code of its own: 10 ms and 0.7 MB in each process, for what is found in one place nearly always.
 */
import { existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, toNamespacedPath } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cLibrary } from '../base/c-library.ts'

type Koffi = typeof import('koffi')

/** The binary that was loaded here, or is to be. */
let known: string | undefined

/** Where `loadKoffi` found the binary in this process; undefined where it did not. */
export function koffiBinary(): string | undefined {
  return known
}

/** Where another process with these packages has found it: to search takes as long as to load it. */
export function expectKoffiAt(path: string): void {
  known = path
}

/** Throws where there is no binary for this platform, or the optional package was left out. */
export function loadKoffi(): Koffi {
  const binary = known ?? binaryOf(process.platform, process.arch)
  if (binary === undefined) return byItsEntry()
  const module = { exports: {} }
  try {
    process.dlopen(module, toNamespacedPath(binary))
  } catch {
    known = undefined
    // It may know of another one.
    return byItsEntry()
  }
  known = binary
  return module.exports as Koffi
}

function byItsEntry(): Koffi {
  return createRequire(import.meta.url)('koffi') as Koffi
}

/** In the package for this platform, which npm, yarn and pnpm put beside `koffi` itself. */
function binaryOf(platform: string, arch: string): string | undefined {
  const koffi = installed('koffi')
  if (koffi === undefined) return undefined
  const kind = `${cLibrary() === 'musl' ? 'musl' : platform}_${arch}`
  const path = join(dirname(koffi), '@koromix', `koffi-${platform}-${arch}`, kind, 'koffi.node')
  return existsSync(path) ? path : undefined
}

/** The folder that `require` would find from here. */
function installed(name: string): string | undefined {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const path = join(folder, 'node_modules', name)
    if (existsSync(path)) return realpathSync(path)
    if (folder === dirname(folder)) return undefined
  }
}
