/** What JavaScript files import, found without a bundler: by the literal names in their text. */
import { readFile } from 'node:fs/promises'
import { statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { moduleExtensions } from './module-format.ts'

const pattern = /\b(?:from|import|require)\s*\(?\s*(['"])([^'"\n]+)\1/g
/** In the order in which `require` tries them. */
const endings: readonly string[] = ['', '.js', '.json', '.cjs', '.mjs', '.ts', '/index.js', '/index.ts']

/** The files that are reached from `entry` by paths, it included, and the names that they import beside those. */
export async function staticImports(entry: string): Promise<{ files: string[]; names: Map<string, string> }> {
  const files = new Set<string>([entry])
  /** Each name, and a folder from where it is imported. */
  const names = new Map<string, string>()
  for (const file of files) {
    if (!moduleExtensions.some((extension) => file.endsWith(extension))) continue
    const text = await readFile(file, 'utf8')
    for (const [, , specifier = ''] of text.matchAll(pattern)) {
      if (!specifier.startsWith('.')) names.set(specifier, dirname(file))
      else {
        const found = existing(resolve(dirname(file), specifier))
        if (found !== undefined) files.add(found)
      }
    }
  }
  return { files: [...files], names }
}

function existing(path: string): string | undefined {
  const source = path.replace(/\.([cm]?)js$/, '.$1ts')
  return [...endings.map((ending) => path + ending), source].find((candidate) => {
    return statSync(candidate, { throwIfNoEntry: false })?.isFile() === true
  })
}
