/**
 * Loads a script of this package with the bytecode that an earlier process kept, for most of what a process of Node does
 * before its first call is to parse the same code again. The build puts the large chunks of dist/ into this form.
 *
 * The bytecode stands beside the script, in `.compiled/`: who may write there may change the script itself, and it goes
 * when the package goes. Where it cannot be written, is damaged or is of another Node, the script is compiled from its
 * source. `NODE_DISABLE_COMPILE_CACHE=1` switches it off, as it does for Node's own.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cachedDataVersionTag } from 'node:v8'
import { Script } from 'node:vm'

/** By then the functions that a start needs have run, and are kept with the rest. */
const keptAfterMs = 500
const digestBytes = 32
/** The URL of dist/, or '' where this is a source. */
const dist = /^.*\/dist\/(?=runtime\/base\/)/.exec(import.meta.url)?.[0] ?? ''
const keptFolder = dist === '' ? '' : fileURLToPath(new URL('chunks/.compiled', dist))

const beyondLatin1 = /[^\u0000-\u00ff]/g
const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

/** A function expression: takes what the script imports and how it imports more, and gives what it exports. */
type Body = (
  imports: readonly object[],
  importMore: (specifier: string) => Promise<unknown>,
  root: string,
) => readonly unknown[]

function digest(filename: string, bytes: Uint8Array): Buffer {
  return createHash('sha256').update(filename).update(bytes).digest()
}

/**
 * The bytecode of the script `filename`. V8 itself looks at versions and flags only: bytes that were torn by a full disk
 * or a lost power would crash it, and those of a script that was moved would name its old place in stack traces.
 */
export function readCompiled(file: string, filename: string): Buffer | undefined {
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch {
    return undefined
  }
  const compiled = bytes.subarray(digestBytes)
  return bytes.length > digestBytes && digest(filename, compiled).equals(bytes.subarray(0, digestBytes))
    ? compiled
    : undefined
}

/** Written whole or not at all; many processes may do so at once. A folder that cannot be written costs only time. */
export function writeCompiled(file: string, filename: string, compiled: Uint8Array): void {
  const own = `${file}.${process.pid}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    writeFileSync(own, Buffer.concat([digest(filename, compiled), compiled]), { flag: 'wx', mode: 0o644 })
    renameSync(own, file)
  } catch {
    remove(own)
  }
}

function remove(file: string): void {
  try {
    rmSync(file, { force: true })
  } catch {
    // There is not even its folder.
  }
}

/** Keeps the bytecode once what runs at the start has been compiled: after a while, or when the process ends before. */
function keepLater(script: Script, file: string, filename: string): void {
  let kept = false
  const keep = (): void => {
    if (kept) return
    kept = true
    process.off('exit', keep)
    clearTimeout(timer)
    if (readCompiled(file, filename) === undefined || script.cachedDataRejected === true)
      writeCompiled(file, filename, script.createCachedData())
  }
  const timer = setTimeout(keep, keptAfterMs)
  timer.unref()
  process.once('exit', keep)
}

/** `name` says which source it is: V8 itself compares nothing but its length. */
function run(source: string, filename: string, name: string): unknown {
  const off = process.env['NODE_DISABLE_COMPILE_CACHE'] === '1'
  // The tag covers V8's version, its flags and the processor.
  const file = join(keptFolder, `${name}-${cachedDataVersionTag()}`)
  const cachedData = off ? undefined : readCompiled(file, filename)
  const script = new Script(source, { filename, ...(cachedData === undefined ? {} : { cachedData }) })
  if (!off && (cachedData === undefined || script.cachedDataRejected === true)) keepLater(script, file, filename)
  return script.runInThisContext()
}

/** Runs the script at `url`, a `file:` URL, and gives what it exports, in the order of its build. */
export function runCompiled(
  url: string,
  imports: readonly object[],
  importMore: (specifier: string) => Promise<unknown>,
): readonly unknown[] {
  const path = fileURLToPath(url)
  // The build writes nothing but ASCII, so a character takes one byte in memory too; its hash is in the name.
  const body = run(readFileSync(path, 'latin1'), url, basename(path, '.js')) as Body
  return body(imports, importMore, dist)
}

/** `require` for a CommonJS package of one file that itself requires nothing. */
export function requireCompiled(specifier: string): unknown {
  const require = createRequire(import.meta.url)
  // The sources of this package run: where they stand nothing is written.
  if (dist === '') return require(specifier) as unknown
  const path = require.resolve(specifier)
  // One character beyond Latin-1 would make all of them take two bytes in memory.
  const source = readFileSync(path, 'utf8').replace(beyondLatin1, escaped)
  const name = `${basename(path, '.js')}-${digest(path, Buffer.from(source)).toString('hex', 0, 8)}`
  const module = { exports: {} }
  const body = run(`(function (exports, module) {${source}\n})`, path, name) as (
    exports: object,
    module: object,
  ) => void
  body(module.exports, module)
  return module.exports
}
