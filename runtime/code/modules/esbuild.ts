/** esbuild, which is an optional peer of this package: loaded on first need, from here or from the program's folder. */
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type * as esbuild from 'esbuild'

export type Esbuild = Pick<typeof esbuild, 'build'>

let found: Promise<Esbuild | undefined> | undefined

/** undefined where it is not installed. `from`: a file of the program. */
export function loadEsbuild(from: string): Promise<Esbuild | undefined> {
  found ??= load(from)
  return found
}

async function load(from: string): Promise<Esbuild | undefined> {
  // For tests of what happens without it, and for people who do not want it.
  if (process.env['OUTPOOL_ESBUILD'] === '0') return undefined
  for (const base of [import.meta.url, pathToFileURL(from).href]) {
    try {
      const file = createRequire(base).resolve('esbuild')
      const module = (await import(pathToFileURL(file).href)) as { default?: Esbuild } & Esbuild
      return module.default ?? module
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }
  return undefined
}

function isMissing(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return code === 'MODULE_NOT_FOUND' || code === 'ERR_MODULE_NOT_FOUND'
}
