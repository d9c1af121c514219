/** Which files a command line means: `[--dir PATH] [--files N]`. */
import { readdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const nodeModules = fileURLToPath(new URL('../../../node_modules', import.meta.url))

/**
 * Every file below the directory (default: node_modules of this project), the largest first, so that no worker is left
 * with a large one at the end. Symbolic links are not followed. With `--files N` the first N by path. What tools keep in
 * node_modules/.cache is no input: they may change it meanwhile.
 */
export function readInput(args) {
  const options = { dir: { type: 'string', default: nodeModules }, files: { type: 'string' } }
  const { values } = parseArgs({ args, options })
  const directory = resolve(values.dir)
  const files = filesBelow(directory, join(directory, '.cache'))
    .sort((a, b) => (a < b ? -1 : 1))
    .slice(0, values.files === undefined ? undefined : Number(values.files))
    .map((path) => ({ path, bytes: statSync(path).size }))
    .sort((a, b) => b.bytes - a.bytes)
  return { directory, files }
}

/** @returns {string[]} */
function filesBelow(folder, except) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (entry.isFile()) return [path]
    return entry.isDirectory() && path !== except ? filesBelow(path, except) : []
  })
}
