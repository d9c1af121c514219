/** Why a value cannot travel, in words that name the next step. */
import { types } from 'node:util'
import { accessMark, whyItStays } from '../protocol/code-values.ts'

/** Keys of a path that are written out; of a longer one the middle is left out. */
const longestPath = 40

/** `args[0]` and the keys below it, as one would write the access; with `arrows`, `handler -> db -> socket`. */
export function formatPath(root: string, keys: readonly (string | number)[], arrows = false): string {
  if (arrows) return [root, ...keys.map((key) => formatPath('', [key]).replace(/^\./, '') || String(key))].join(' -> ')
  let path = root
  if (keys.length > longestPath)
    return `${formatPath(root, keys.slice(0, longestPath / 2))} ... ${formatPath('', keys.slice(-longestPath / 2))}`
  for (const key of keys) {
    if (typeof key === 'number') path += `[${key}]`
    else if (/^[A-Za-z_$][\w$]*$/.test(key)) path += `.${key}`
    else if (key.startsWith(accessMark)) path += key.slice(accessMark.length)
    else path += `[${JSON.stringify(key)}]`
  }
  return path
}

export function functionReason(value: (...parameters: never[]) => unknown): string {
  const what = types.isProxy(value) ? 'a Proxy' : isClass(value) ? 'a class' : 'a function'
  return `${what}${value.name === '' ? '' : ` (${value.name})`}; only data travels, submit functions as tasks`
}

/** The name of a symbol that every process has: its key, or `Symbol.iterator`; undefined for any other. */
export function symbolName(symbol: symbol): string | undefined {
  const key = Symbol.keyFor(symbol)
  if (key !== undefined) return `@${key}`
  const name = symbol.description
  return name !== undefined && wellKnown(name) === symbol ? name : undefined
}

/** The symbol of a name that `symbolName` gives. */
export function symbolOf(name: string): symbol | undefined {
  return name.startsWith('@') ? Symbol.for(name.slice(1)) : wellKnown(name)
}

function wellKnown(name: string): symbol | undefined {
  const found: unknown = name.startsWith('Symbol.')
    ? (Symbol as unknown as Record<string, unknown>)[name.slice(7)]
    : undefined
  return typeof found === 'symbol' ? found : undefined
}

export function symbolReason(value: symbol): string {
  return `a symbol (${String(value)}); symbols mean nothing in another process, send a string`
}

function isClass(value: (...parameters: never[]) => unknown): boolean {
  return /^class\b/.test(Function.prototype.toString.call(value))
}

/** `root`: what the value is, or is a part of: `result`, `args[0]`. */
export function objectReason(value: object, root: string = ''): string {
  if (types.isProxy(value)) return 'a Proxy; send the plain data behind it'
  if (types.isArrayBuffer(value)) return 'memory that was transferred away; send a copy made before'
  if (types.isGeneratorObject(value)) return generatorReason(root)
  const known = builtInReason(value)
  if (known !== undefined) return known
  const name = className(value)
  if (name === undefined) return 'an object with a prototype of its own; send plain data, for example { ...value }'
  if (holdsHandle(value)) return `${name} holds a native handle; open it inside the function`
  const advice = whyItStays(value) ?? adviceByClass[name]
  if (advice !== undefined) return `${name} ${advice}`
  return `an instance of class ${name}; send plain data, or make the instance inside the task`
}

function builtInReason(value: object): string | undefined {
  if (types.isPromise(value)) return 'a Promise; await it first'
  if (types.isSharedArrayBuffer(value))
    return 'a SharedArrayBuffer; memory cannot be shared with another process, send a copy'
  if (types.isWeakMap(value)) return 'a WeakMap; its entries cannot be listed, send a Map'
  if (types.isWeakSet(value)) return 'a WeakSet; its entries cannot be listed, send a Set'
  if (value instanceof WeakRef) return 'a WeakRef; send what deref() returns'
  if (types.isMapIterator(value) || types.isSetIterator(value)) return 'an iterator; send the array of its items'
  if (types.isModuleNamespaceObject(value)) return 'a module; import it inside the task'
  if (types.isSymbolObject(value)) return 'a symbol; symbols mean nothing in another process, send a string'
  if (types.isExternal(value)) return 'a pointer of a native addon'
  return undefined
}

function generatorReason(root: string): string {
  const what = 'a generator; send the array of its items'
  if (!root.startsWith('result')) return `${what}, or call the generator function inside the task`
  return `${what}, or make the function remote with numReturns: 'streaming'`
}

/** Classes of Node that hold something other than a plain handle. */
const adviceByClass: Readonly<Record<string, string>> = {
  Blob: 'reads asynchronously; send await blob.arrayBuffer()',
  File: 'reads asynchronously; send await file.arrayBuffer()',
  KeyObject: 'holds a key in native memory; send key.export() where that is safe',
  CryptoKey: 'holds a key in native memory; send the exported key where that is safe',
  AbortSignal: 'belongs to this process; pass it as the option `signal` of the call',
  AbortController: 'belongs to this process; pass its signal as the option `signal` of the call',
  ReadableStream: 'belongs to this process; send what it reads',
  WritableStream: 'belongs to this process; write inside the task',
  TransformStream: 'belongs to this process; make it inside the task',
}

const handleClasses: ReadonlySet<string> = new Set([
  'MessagePort',
  'Worker',
  'ChildProcess',
  'FileHandle',
  'FSWatcher',
  'Server',
  'Socket',
  'TLSSocket',
  'ReadStream',
  'WriteStream',
])

function holdsHandle(value: object): boolean {
  try {
    return handleClasses.has(className(value) ?? '') || typeof (value as { _handle?: unknown })._handle === 'object'
  } catch {
    return false
  }
}

/** The name of the class that made the object; undefined where none is to be found. */
export function className(value: object): string | undefined {
  for (let at: unknown = Object.getPrototypeOf(value); at !== null && typeof at === 'object';) {
    const made: unknown = Object.getOwnPropertyDescriptor(at, 'constructor')?.value
    if (typeof made === 'function') return made.name === '' || made === Object ? undefined : made.name
    at = Object.getPrototypeOf(at)
  }
  return undefined
}
