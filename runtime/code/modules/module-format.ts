/** Which files are modules, of which system, and of which folder: as Node and the loaders for TypeScript see it. */
import { existsSync } from 'node:fs'
import { dirname, extname, join, parse } from 'node:path'
import { homeFolder } from '../../base/home-folder.ts'
import { readJson } from './npm-package.ts'

export const typeScriptExtensions: readonly string[] = ['.ts', '.mts', '.cts', '.tsx']
/** What a worker file may end in. */
export const moduleExtensions: readonly string[] = ['.js', '.mjs', '.cjs', '.jsx', ...typeScriptExtensions]

export function isTypeScript(file: string): boolean {
  return typeScriptExtensions.includes(extname(file)) && !/\.d\.[cm]?ts$/.test(file)
}

const compiledExtensions: Readonly<Record<string, string>> = {
  '.ts': '.js',
  '.tsx': '.js',
  '.mts': '.mjs',
  '.cts': '.cjs',
}

/** The path under which a file is imported where it was compiled. */
export function compiledPath(path: string): string {
  if (!isTypeScript(path)) return path
  const extension = extname(path)
  return path.slice(0, -extension.length) + (compiledExtensions[extension] as string)
}

/** Whether a file is an ES module: by its ending, its package, or else by what it says. */
export function isEsModule(file: string, text: string): boolean {
  const extension = extname(file)
  if (extension === '.mjs' || extension === '.mts') return true
  if (extension === '.cjs' || extension === '.cts') return false
  const folder = packageRootOf(file)
  const type = folder === undefined ? undefined : (readJson(join(folder, 'package.json')) as { type?: unknown })?.type
  return (
    type === 'module' || (type !== 'commonjs' && /^[ \t]*(?:import\s*[\w*{'"]|export\s+|export\s*[*{])/m.test(text))
  )
}

/** The folder of the nearest package.json at or above a file; undefined where there is none. */
export function packageRootOf(file: string): string | undefined {
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json'))) return folder
    if (dirname(folder) === folder) return undefined
  }
}

/**
 * The folder that is shipped for a file: that of its package, else its own. Never a whole home folder or disk, where a
 * stray package.json may lie.
 */
export function projectRootOf(file: string): string {
  const own = dirname(file)
  const root = packageRootOf(file)
  return root === undefined || root === homeFolder() || root === parse(root).root ? own : root
}
