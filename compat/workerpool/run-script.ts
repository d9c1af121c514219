/**
 * Runs a worker script as the original runs it, in its processes as in its threads: a script in CommonJS is the main
 * module, so that `require.main === module` holds in it.
 */
import { readFileSync } from 'node:fs'
import Module from 'node:module'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import vm from 'node:vm'
import { fileForRequire, isReadByRequire } from '../../lib/require-hooks.ts'

const internals = Module as unknown as { _load(file: string, parent: null, isMain: boolean): unknown }

export async function runScript(url: string): Promise<void> {
  const file = fileURLToPath(url)
  if (isCommonJs(file)) return void internals._load(file, null, true)
  try {
    await import(url)
  } catch (error) {
    if (fileForRequire(url, error) === undefined) throw error
    internals._load(file, null, true)
  }
}

/** As Node decides it: by the ending, by the package, and where neither says it by what the text is. */
function isCommonJs(file: string): boolean {
  const ending = extname(file)
  if (ending === '.cjs') return true
  // Newer releases of Node import such a file, too; only its main file is what `require.main` names.
  if (ending === '.ts') return isReadByRequire(file) && packageType(file) === 'commonjs'
  if (ending !== '.js' && ending !== '') return false
  const type = packageType(file)
  return type === 'commonjs' || (type !== 'module' && compilesAsCommonJs(file))
}

function packageType(file: string): unknown {
  for (let folder = dirname(file), below = ''; folder !== below; below = folder, folder = dirname(folder)) {
    try {
      return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { type?: unknown }).type
    } catch {
      // None there.
    }
  }
  return undefined
}

function compilesAsCommonJs(file: string): boolean {
  try {
    new vm.Script(Module.wrap(readFileSync(file, 'utf8').replace(/^#!.*/, '')), { filename: file })
    return true
  } catch {
    // Its own loader says what is wrong with it.
    return false
  }
}
