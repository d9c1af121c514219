/** Reduces the facts of all files to what people want to know. Order and ties are fixed, so equal facts give equal text. */
import { extname, relative, sep } from 'node:path'

const listed = 10

const languages = {
  JavaScript: ['.js', '.mjs', '.cjs', '.jsx'],
  TypeScript: ['.ts', '.mts', '.cts', '.tsx'],
  JSON: ['.json', '.jsonc', '.json5'],
  'source maps': ['.map'],
  Markdown: ['.md', '.markdown'],
  HTML: ['.html', '.htm'],
  CSS: ['.css', '.scss', '.less'],
  YAML: ['.yml', '.yaml'],
  'C and C++': ['.c', '.cc', '.cpp', '.h', '.hpp'],
  'native code': ['.node', '.wasm', '.so', '.dylib', '.dll'],
}
const languageOf = new Map(
  Object.entries(languages).flatMap(([language, extensions]) => extensions.map((extension) => [extension, language])),
)

/**
 * @typedef {{ files: number, bytes: number, gzipBytes: number, lines: number }} Totals
 * @typedef {{ sha256: string, copies: number, bytes: number, wastedBytes: number, first: string }} DuplicateSet
 *
 * @param {ReturnType<typeof import('./facts.mjs').fileFacts>[]} files
 * @param {string} directory Paths are told relative to it.
 * @returns {{
 *   totals: Totals,
 *   packages: (Totals & { name: string })[],
 *   languages: (Totals & { name: string })[],
 *   duplicates: { sets: number, files: number, wastedBytes: number, most: DuplicateSet[] },
 * }}
 */
export function summarise(files, directory) {
  return {
    totals: sum(files),
    packages: largest(groups(files, ({ path }) => packageOf(relative(directory, path)))).slice(0, listed),
    languages: largest(groups(files, ({ path }) => languageOf.get(extname(path).toLowerCase()) ?? 'other')),
    duplicates: duplicates(files, directory),
  }
}

function sum(files) {
  const totals = { files: files.length, bytes: 0, gzipBytes: 0, lines: 0 }
  for (const { bytes, gzipBytes, lines } of files) {
    totals.bytes += bytes
    totals.gzipBytes += gzipBytes
    totals.lines += lines
  }
  return totals
}

function groups(files, nameOf) {
  const byName = new Map()
  for (const file of files) {
    const name = nameOf(file)
    const group = byName.get(name)
    if (group === undefined) byName.set(name, [file])
    else group.push(file)
  }
  return byName
}

function largest(byName) {
  return [...byName]
    .map(([name, files]) => ({ name, ...sum(files) }))
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1))
}

/** `a/node_modules/@b/c/file` belongs to `@b/c`. */
function packageOf(path) {
  const parts = path.split(sep)
  const start = parts.lastIndexOf('node_modules') + 1
  const length = parts[start]?.startsWith('@') ? 2 : 1
  return parts.length - start > length ? parts.slice(start, start + length).join('/') : '(no package)'
}

/** Files with the same content: how many could go, and those that waste most. Empty files waste nothing. */
function duplicates(files, directory) {
  const sets = [...groups(files, ({ sha256 }) => sha256).values()]
    .filter((same) => same.length > 1 && same[0].bytes > 0)
    .map((same) => ({
      sha256: same[0].sha256,
      copies: same.length,
      bytes: same[0].bytes,
      wastedBytes: same[0].bytes * (same.length - 1),
      first: relative(directory, same[0].path),
    }))
    .sort((a, b) => b.wastedBytes - a.wastedBytes || (a.sha256 < b.sha256 ? -1 : 1))
  return {
    sets: sets.length,
    files: sets.reduce((total, { copies }) => total + copies - 1, 0),
    wastedBytes: sets.reduce((total, { wastedBytes }) => total + wastedBytes, 0),
    most: sets.slice(0, listed),
  }
}
