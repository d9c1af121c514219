/**
 * esbuild, which is an optional peer of this package: loaded on first need, from here or from the program's folder.
 *
 * Its work is done by a process that it keeps for its next user. The program may use esbuild itself, so ours is a copy of
 * the module of our own, whose process ends with the last packing that needs it.
 */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type * as esbuild from 'esbuild'

export type Esbuild = Pick<typeof esbuild, 'build'>
type Loaded = Esbuild & { stop?(): Promise<void> | void }

let found: { readonly tool: Loaded | undefined } | undefined
let users = 0

/** `use` gets undefined where it is not installed. `from`: a file of the program. */
export async function withEsbuild<T>(from: string, use: (tool: Esbuild | undefined) => Promise<T>): Promise<T> {
  found ??= { tool: load(from) }
  const { tool } = found
  users++
  try {
    return await use(tool)
  } finally {
    if (--users === 0) await tool?.stop?.()
  }
}

function load(from: string): Loaded | undefined {
  // For tests of what happens without it, and for people who do not want it.
  if (process.env['OUTPOOL_ESBUILD'] === '0') return undefined
  for (const base of [import.meta.url, pathToFileURL(from).href]) {
    const require = createRequire(base)
    let file: string
    try {
      file = require.resolve('esbuild')
    } catch {
      continue
    }
    const others = require.cache[file]
    Reflect.deleteProperty(require.cache, file)
    try {
      return require(file) as Loaded
    } finally {
      if (others === undefined) Reflect.deleteProperty(require.cache, file)
      else require.cache[file] = others
    }
  }
  return undefined
}
