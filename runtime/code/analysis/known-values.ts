/**
 * What is known of values of the engine and of Node: which functions only compute, and which names and modules reach
 * the world outside of a function. An allow-list: what is not named here is not known to be harmless.
 */
import { builtinModules, createRequire } from 'node:module'

const harmlessGlobals: ReadonlySet<string> = new Set(
  `Object Function Array Number parseFloat parseInt Boolean String Symbol Date Promise RegExp Error AggregateError
  EvalError RangeError ReferenceError SyntaxError TypeError URIError JSON Math Intl ArrayBuffer SharedArrayBuffer Atomics
  DataView Uint8Array Int8Array Uint16Array Int16Array Uint32Array Int32Array Float16Array Float32Array Float64Array
  Uint8ClampedArray BigUint64Array BigInt64Array Map BigInt Set WeakMap WeakSet Proxy Reflect WeakRef decodeURI
  decodeURIComponent encodeURI encodeURIComponent escape unescape isFinite isNaN Buffer queueMicrotask structuredClone
  atob btoa URL URLSearchParams DOMException AbortController AbortSignal Event EventTarget CustomEvent TextEncoder
  TextDecoder Iterator URLPattern SuppressedError DisposableStack AsyncDisposableStack WebAssembly crypto Crypto Blob
  FinalizationRegistry CompressionStream DecompressionStream FormData Headers arguments __name`
    .trim()
    .split(/\s+/),
)

const effects: ReadonlyMap<string, string> = new Map([
  ['process', 'reads or changes this process, and a worker is another one'],
  ['console', 'prints, which appears elsewhere and at another time'],
  ['fetch', 'does I/O'],
  ['WebSocket', 'does I/O'],
  ['EventSource', 'does I/O'],
  ['BroadcastChannel', 'talks to other threads of this process'],
  ['MessageChannel', 'talks to other threads of this process'],
  ['setTimeout', 'sets timers of its own'],
  ['setInterval', 'sets timers of its own'],
  ['setImmediate', 'sets timers of its own'],
  ['clearTimeout', 'clears a timer, which belongs to one process'],
  ['clearInterval', 'clears a timer, which belongs to one process'],
  ['clearImmediate', 'clears a timer, which belongs to one process'],
  ['performance', "reads this process's own clock"],
  ['globalThis', 'reaches the globals of its process'],
  ['global', 'reaches the globals of its process'],
  ['eval', 'runs text that cannot be looked into'],
  ['navigator', 'reads facts of its machine'],
])

/** Whether a global of that name only computes. */
export function isHarmlessGlobal(name: string): boolean {
  return harmlessGlobals.has(name)
}

/** What a global of that name reaches; undefined where it only computes. */
export function globalEffect(name: string): string | undefined {
  if (harmlessGlobals.has(name)) return undefined
  return effects.get(name) ?? 'is a global that is not known to be the same in a worker'
}

const computingModules: ReadonlySet<string> = new Set(
  'path path/posix path/win32 url util util/types querystring buffer string_decoder punycode assert assert/strict crypto zlib events constants'.split(
    ' ',
  ),
)

/** Whether functions of a module of Node only compute. */
export function computes(module: string): boolean {
  return computingModules.has(module.replace(/^node:/, ''))
}

/** By `module.export`: they read or set what is this process's own, its working folder above all. */
const asking: ReadonlySet<string> = new Set(
  `path.resolve path.relative url.pathToFileURL url.resolve util.parseArgs util.inherits util.deprecate util.debuglog util.debug
  util.getCallSites util.setTraceSigInt util.getSystemErrorMap events.setMaxListeners events.on events.once
  crypto.setEngine crypto.setFips crypto.getFips crypto.secureHeapUsed`
    .trim()
    .split(/\s+/),
)

/** Whether a function of a module that computes asks the process for something. */
export function asksProcess(module: string, exportName: string): boolean {
  return asking.has(`${module.replace(/^node:|\/(?:posix|win32)$/g, '')}.${exportName}`)
}

/** Node warns when these are loaded. */
const deprecated = /^(_|punycode$|sys$)/
const moduleOf = new Map<unknown, { readonly module: string; readonly exportName: string }>()
let modulesRead = 0

/** The module of Node, among those that are loaded, that exports the value. */
export function builtInExport(value: unknown): { readonly module: string; readonly exportName: string } | undefined {
  const known = moduleOf.get(value)
  if (known !== undefined) return known
  const { moduleLoadList } = process as unknown as { readonly moduleLoadList?: readonly string[] }
  if (moduleLoadList === undefined || moduleLoadList.length === modulesRead) return undefined
  modulesRead = moduleLoadList.length
  const loaded = new Set(
    moduleLoadList.filter((entry) => entry.startsWith('NativeModule ')).map((entry) => entry.slice(13)),
  )
  const require = createRequire(import.meta.url)
  for (const name of builtinModules) {
    if (!loaded.has(name) || deprecated.test(name)) continue
    try {
      readModule(name, require(`node:${name}`))
    } catch {
      // Loaded by Node for itself, and not to be had by programs here.
    }
  }
  return moduleOf.get(value)
}

/** As `builtInExport`, of the modules that were looked at. */
export function isBuiltInModule(value: unknown): boolean {
  return moduleOf.has(value)
}

function readModule(name: string, exported: unknown): void {
  const module = `node:${name}`
  if (typeof exported === 'function' && !moduleOf.has(exported))
    moduleOf.set(exported, { module, exportName: 'default' })
  if ((typeof exported !== 'object' && typeof exported !== 'function') || exported === null) return
  if (!moduleOf.has(exported)) moduleOf.set(exported, { module, exportName: '*' })
  for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(exported))) {
    const isThing = typeof value === 'function' || (typeof value === 'object' && value !== null)
    if (isThing && !moduleOf.has(value)) moduleOf.set(value, { module, exportName: key })
  }
}

/** Whether the engine or a binary made it, and not a text. */
export function isNative(fn: Function): boolean {
  return Function.prototype.toString.call(fn).endsWith('{ [native code] }')
}

let intrinsics: ReadonlyMap<unknown, string> | undefined

/** The way to a function or prototype of the language itself: `Math.max`, `Array.prototype.map`. */
export function intrinsicName(value: unknown): string | undefined {
  intrinsics ??= readIntrinsics()
  return intrinsics.get(value)
}

function readIntrinsics(): ReadonlyMap<unknown, string> {
  const names = new Map<unknown, string>()
  for (const name of harmlessGlobals) {
    const value: unknown = (globalThis as Record<string, unknown>)[name]
    if ((typeof value !== 'function' && typeof value !== 'object') || value === null) continue
    if (!names.has(value)) names.set(value, name)
    addMembers(names, value, name)
    const { prototype } = value as { readonly prototype?: unknown }
    if (typeof prototype === 'object' && prototype !== null) {
      names.set(prototype, `${name}.prototype`)
      addMembers(names, prototype, `${name}.prototype`)
    }
  }
  return names
}

function addMembers(names: Map<unknown, string>, of: object, path: string): void {
  for (const [key, { value }] of Object.entries(Object.getOwnPropertyDescriptors(of))) {
    if (typeof value === 'function' && key !== 'constructor' && !names.has(value)) names.set(value, `${path}.${key}`)
  }
}
