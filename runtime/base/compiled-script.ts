/**
 * Loads a script of this package with the bytecode that an earlier process kept, for most of what a process of Node does
 * before its first call is to parse the same code again. The build puts the large chunks of dist/ into this form.
 *
 * The bytecode stands beside the script, in `.compiled/`: who may write there may change the script itself, and it goes
 * when the package goes. Where it cannot be written, is damaged or is of another Node, the script is compiled from its
 * source. `NODE_DISABLE_COMPILE_CACHE=1` switches it off, as it does for Node's own.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

/** After a result the program may have more to do at once: what a start needs has run, and is kept a little later. */
const keptAfterMs = 500
/** Without a result, what has run by then is kept. */
const keptAtLastMs = 10_000
/** The last byte of what is kept of a script: whether its process had a result before. */
const early = 0
const whole = 1
const checksumBytes = 8
const endBytes = 64
const pageBytes = 4096
/** The URL of dist/, or '' where this is a source. */
const dist = /^.*\/dist\/(?=runtime\/base\/)/.exec(import.meta.url)?.[0] ?? ''
const keptFolder = dist === '' ? '' : pathOf(`${dist}chunks/.compiled`)

const beyondLatin1 = /[^\u0000-\u00ff]/g
const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`

const beyondAscii = /[\u0080-\u00ff]+/g

/** What a script exports, by name. */
type Exports = Readonly<Record<string, unknown>>

/** Scripts as a script or a module names them, relative to itself; and parts of Node. */
interface Scripts {
  now(name: string): Exports
  /** Has the script `name` for those that are parts of it. */
  together(name: string): void
  /** What `import()` of a script is. */
  soon(name: string): Promise<Exports>
  /** Stands for what the script exports until the first of it is read; then it is loaded, and told to `replace`. */
  later(name: string, replace: (loaded: Exports) => void): Exports
  /** `import()` of anything else: scripts have none of their own. */
  more(specifier: string): Promise<unknown>
}

/** A function expression: takes where dist/ is and what it may load, and gives what the script exports. */
type Body = (root: string, scripts: Scripts) => Exports

/** `fileURLToPath`, which takes a third of a millisecond when it is first called, for most places without that. */
function pathOf(url: string): string {
  return /^file:\/\/\/[\w/.@+-]+$/.test(url) && sep === '/' ? url.slice('file://'.length) : fileURLToPath(url)
}

/** `new URL(name, url)` for the names that the build writes: `./` or some `../` before a path. */
function besideUrl(name: string, url: string): string {
  const [place = ''] = url.split(/[?#]/, 1)
  let folder = place.slice(0, place.lastIndexOf('/'))
  let rest = name.startsWith('./') ? name.slice(2) : name
  for (; rest.startsWith('../'); rest = rest.slice(3)) folder = folder.slice(0, folder.lastIndexOf('/'))
  return `${folder}/${rest}`
}

/** What the copies of this module in a worker share. */
interface Shared {
  readonly scriptsOf: typeof scriptsOf
}

/**
 * The build makes a CommonJS script of what a worker process begins with, and puts a copy of this module into it: Node then
 * starts without its loader of ES modules. Whatever loads this package by `import` there has the same scripts.
 */
const sharedKey = Symbol.for(`outpool:scripts:${dist}`)
const holder: { [sharedKey]?: Shared } = process as object
const isWorker = dist !== '' && process.argv[1] === pathOf(`${dist}runtime/worker/entry.cjs`)
/** The copy that this process has loaded before. */
const before = isWorker ? holder[sharedKey] : undefined

/** By URL, what is part of another script. */
const parts = new Map<string, Body>()
/** By URL; undefined while it runs. */
const loaded = new Map<string, Exports | undefined>()

/**
 * Of both ends, and of a word in each page between: what was torn lacks pages. Taken of everything, it would be a loop
 * that V8 compiles, or take a hash of Node's, and either costs a process more memory than its scripts do.
 */
function checksum(filename: string, bytes: Uint8Array): Buffer {
  let one = bytes.length
  let other = 0
  const add = (word: number): void => {
    one = Math.imul(one ^ word, 0x5bd1e995)
    one ^= one >>> 15
    other = (Math.imul(other, 31) + word) | 0
  }
  for (let i = 0; i < filename.length; i++) add(filename.charCodeAt(i))
  const { buffer, byteOffset, length } = bytes
  const view = new DataView(buffer, byteOffset, length)
  for (let i = 0; i < Math.min(length, endBytes); i++) add(view.getUint8(i))
  for (let i = pageBytes; i <= length - 4; i += pageBytes) add(view.getInt32(i, true))
  for (let i = Math.max(0, length - endBytes); i < length; i++) add(view.getUint8(i))
  // Not by methods of Buffer: to compile one of them takes a start as long as all of this.
  const result = new DataView(new ArrayBuffer(checksumBytes))
  result.setInt32(0, one, true)
  result.setInt32(4, other, true)
  return Buffer.from(result.buffer)
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
  const compiled = bytes.subarray(checksumBytes)
  return bytes.length > checksumBytes && checksum(filename, compiled).equals(bytes.subarray(0, checksumBytes))
    ? compiled
    : undefined
}

/** Written whole or not at all; many processes may do so at once. A folder that cannot be written costs only time. */
export function writeCompiled(file: string, filename: string, compiled: Uint8Array): void {
  // Processes of two containers, and threads of one process, have the same number.
  const own = `${file}.${process.pid}.${Math.random().toString(36).slice(2)}`
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o755 })
    writeFileSync(own, Buffer.concat([checksum(filename, compiled), compiled]), { flag: 'wx', mode: 0o644 })
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

/** What is to be kept. Each is told whether the process has had a result, and gives whether that was the last of it. */
const toKeep: ((stage: typeof early | typeof whole) => boolean)[] = []
let stage: typeof early | typeof whole = early
let timer: NodeJS.Timeout | undefined
/** The timer is that of a result. */
let isSoon = false

/** At once, and not again: V8 is about to throw away what it has compiled. */
export function keepLast(): void {
  keepCompiled()
  toKeep.length = 0
  process.off('exit', keepCompiled)
}

function keepCompiled(): void {
  if (toKeep.length === 0) return
  clearTimeout(timer)
  timer = undefined
  isSoon = false
  const left = toKeep.splice(0).filter((keep) => !keep(stage))
  toKeep.push(...left)
  if (left.length === 0) process.off('exit', keepCompiled)
}

/** What this process does first has run: its scripts are kept at once. */
export function keepWhole(): void {
  stage = whole
  keepCompiled()
}

/** The same, in a little while: a result is there. */
export function keepSoon(): void {
  stage = whole
  if (toKeep.length === 0 || isSoon) return
  clearTimeout(timer)
  isSoon = true
  timer = setTimeout(keepCompiled, keptAfterMs).unref()
}

/** A worker is killed when it is not needed any more, and calls `keepWhole`: nothing is kept before. */
const waitsToBeTold = isWorker && before === undefined

/** Keeps the bytecode when there is a result; else after a while, or when the process ends before. */
function keepLater(keep: (typeof toKeep)[number]): void {
  if (toKeep.push(keep) > 1 || waitsToBeTold) return
  process.once('exit', keepCompiled)
  timer = setTimeout(keepCompiled, keptAtLastMs).unref()
}

let folderIsWritable: boolean | undefined

/** To compile for nothing takes milliseconds each time. */
function canKeep(): boolean {
  return (folderIsWritable ??= isWritable(keptFolder) || isWritable(dirname(keptFolder)))
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

/**
 * Each version of V8, and each way to start it, keeps bytecode of its own; V8 refuses what is of another all the same.
 * `v8.cachedDataVersionTag` tells more exactly, but to load that module takes a process more than a millisecond.
 */
function versionTag(): string {
  const options = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(' ')]
  const flags = options.flatMap((option) => /^--(?:(?:max|min|stack)[\w-]*=\d+|[\w-]+)/.exec(option) ?? [])
  return checksum([process.versions.v8, process.arch, ...flags].join(' '), none).toString('hex')
}

const none = new Uint8Array()
let tag: string | undefined

const stageOf = (kept: Buffer | undefined): number => kept?.at(-1) ?? -1

const isOff = (): boolean => process.env['NODE_DISABLE_COMPILE_CACHE'] === '1'

/** What `keepBytes` kept under that name beside the bytecode; undefined where nothing is. */
export function keptBytes(name: string): Buffer | undefined {
  return dist === '' || isOff() ? undefined : readCompiled(join(keptFolder, name), name)
}

/** Keeps with the next bytecode what `bytes` gives then, for what is found anew at each start. Call it once for a name. */
export function keepBytes(name: string, bytes: () => Uint8Array): void {
  if (dist === '' || isOff() || !canKeep()) return
  keepLater(() => {
    writeCompiled(join(keptFolder, name), name, bytes())
    return true
  })
}

/**
 * `name` says which source it is, or else `content` has all of its bytes, which are kept with the bytecode to be compared:
 * V8 itself compares nothing but its length.
 */
function run(source: string, filename: string, name: string, content: Uint8Array = none): unknown {
  const off = isOff()
  const file = join(keptFolder, `${name}-${(tag ??= versionTag())}`)
  const read = (): Buffer | undefined => {
    const bytes = readCompiled(file, filename)
    return bytes?.subarray(0, content.length).equals(content) === true ? bytes.subarray(content.length) : undefined
  }
  const kept = off ? undefined : read()
  const script = new Script(source, { filename, ...(kept !== undefined && { cachedData: kept.subarray(0, -1) }) })
  const isRejected = script.cachedDataRejected === true
  let stageKept = isRejected ? -1 : stageOf(kept)
  if (!off && stageKept < whole && canKeep())
    keepLater((now) => {
      // Others may have kept it meanwhile.
      if (stageKept < now && (isRejected || stageOf(read()) < now))
        writeCompiled(file, filename, Buffer.concat([content, script.createCachedData(), Buffer.of(now)]))
      stageKept = now
      return now === whole
    })
  return script.runInThisContext()
}

/** What the script or module at `url`, a `file:` URL, loads by names relative to itself. */
export function scriptsOf(url: string): Scripts {
  if (before !== undefined) return before.scriptsOf(url)
  const urlOf = (name: string): string => besideUrl(name, url)
  const now = (name: string): Exports =>
    name.startsWith('node:') ? (process.getBuiltinModule(name) as object as Exports) : runOnce(urlOf(name))
  return {
    now,
    together(name) {
      const whole = urlOf(name)
      const bodies = compiled(whole) as Readonly<Record<string, Body>>
      for (const [part, body] of Object.entries(bodies)) parts.set(besideUrl(part, whole), body)
    },
    soon: (name) => new Promise((resolve) => resolve(now(name))),
    later(name, replace) {
      const get = (_target: Exports, key: string): unknown => {
        const exports = now(name)
        replace(exports)
        return exports[key]
      }
      return new Proxy<Exports>({}, { get: get as (target: Exports, key: string | symbol) => unknown })
    },
    more: (specifier) => import(specifier.startsWith('.') ? urlOf(specifier) : specifier),
  }
}

/** Runs the script at `url` unless that was done before, and gives what it exports. */
function runOnce(url: string): Exports {
  const known = loaded.get(url)
  if (known !== undefined) return known
  if (loaded.has(url)) throw new Error(`${url} is needed before it has been loaded`)
  loaded.set(url, undefined)
  try {
    const body = parts.get(url) ?? (compiled(url) as Body)
    const exports = body(dist, scriptsOf(url))
    loaded.set(url, exports)
    return exports
  } catch (error) {
    // What was in the way, too many open files say, may be over when it is needed again.
    loaded.delete(url)
    throw error
  }
}

function compiled(url: string): unknown {
  const path = pathOf(url)
  try {
    // The build writes nothing but ASCII, so a character takes one byte in memory too; its hash is in the name.
    return run(readFileSync(path, 'latin1'), url, basename(path, '.js'))
  } catch (error) {
    throw isMissing(error, path) ? new Error(`${path} is not there. ${whyMissing}`, { cause: error }) : error
  }
}

function isMissing(error: unknown, path: string): boolean {
  const { code, path: missing } = error as { readonly code?: unknown; readonly path?: unknown }
  return code === 'ENOENT' && missing === path
}

const whyMissing =
  'If outpool was bundled into the program, leave it outside of the bundle. ' +
  'If it was installed anew while the program ran, start the program again; else install it again'

/**
 * `require` for a CommonJS package of one file that itself requires nothing. `usual` is where in the package that is: Node
 * takes a millisecond to find it.
 */
export function requireCompiled(specifier: string, usual: string): unknown {
  // The sources of this package run: where they stand nothing is written.
  const path = (dist === '' ? undefined : besideUs(join(specifier, usual))) ?? resolved(specifier)
  if (dist === '') return requireFromHere()(path) as unknown
  const content = readFileSync(path)
  // One character beyond Latin-1 would make all of them take two bytes in memory.
  const source = content.toString('latin1').replace(beyondAscii, (run) => {
    return Buffer.from(run, 'latin1').toString().replace(beyondLatin1, escaped)
  })
  const name = `${basename(path, '.js')}-${checksum(path, none).toString('hex')}`
  const module = { exports: {} }
  const body = run(`(function (exports, module) {${source}\n})`, path, name, content) as (
    exports: object,
    module: object,
  ) => void
  body(module.exports, module)
  return module.exports
}

// Not imported: few processes need it.
const requireFromHere = (): NodeJS.Require => process.getBuiltinModule('node:module').createRequire(import.meta.url)
const resolved = (specifier: string): string => requireFromHere().resolve(specifier)

/** A file of a package in the first `node_modules` above us that has the package; undefined where it is not there. */
function besideUs(file: string): string | undefined {
  const [name = ''] = file.split(sep)
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const packages = join(folder, 'node_modules')
    if (existsSync(join(packages, name))) {
      const path = join(packages, file)
      return existsSync(path) ? realpathSync(path) : undefined
    }
    if (folder === dirname(folder)) return undefined
  }
}

/**
 * The classes of errors that the program has. This module is of the program's own realm, which scripts are not in a sandbox
 * (`node:vm`, Jest): they run in that of the process, whose errors are no `Error` to the program.
 */
export const programErrors: readonly (abstract new (...parameters: never[]) => Error)[] = [
  Error,
  TypeError,
  RangeError,
  SyntaxError,
  ReferenceError,
  EvalError,
  URIError,
  AggregateError,
]

// Scripts import it by its name, too.
loaded.set(import.meta.url, {
  ...{ keepBytes, keepLast, keepSoon, keepWhole, keptBytes },
  ...{ programErrors, requireCompiled },
})
if (isWorker && before === undefined) {
  const shared: Shared = { scriptsOf }
  Object.defineProperty(process, sharedKey, { value: shared })
}
