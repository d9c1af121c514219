/**
 * What this program has added to built-in classes, replaced there or deleted: `BigInt.prototype.toJSON`, a method of all
 * arrays, `size` of Map, `parseInt` itself. Workers have Node's own, and the time zone that this
 * process had when they were started. Looking takes some 50 µs.
 */
import { types } from 'node:util'
import vm from 'node:vm'
import { firstZone } from '../../base/timers.ts'
import { isHarmlessGlobal, isNative } from './known-values.ts'

type Key = string | symbol

/** Also called where no text names them. */
const calledUnnamed: ReadonlySet<string> = new Set(['toJSON', 'toString', 'valueOf', 'then', 'exec'])
/** Whose methods ask for the constructor of what they are called on. Next replaces `Date`, whose do not. */
const makesMore: ReadonlySet<string> = new Set(
  ['Object', 'Array', 'Promise', 'RegExp', 'TypedArray'].map((name) => `${name}.prototype`),
)

interface Holder {
  readonly path: string
  readonly of: object
  readonly parent: object | null
  /** What is Node's there: undefined where that was gone, or not Node's any more, when it was looked at first. */
  readonly first: ReadonlyMap<Key, Readonly<PropertyDescriptor> | undefined>
  /** Everybody adds to it. */
  readonly isOpen: boolean
}

/** Next sets it on errors. Only what prints calls it, and whoever names it. */
const printing: Key = Symbol.for('nodejs.util.inspect.custom')
const prints: readonly string[] = ['inspect', 'custom', 'console', 'format', 'assert', 'Symbol', 'ownKeys']

/** In the names of what depends on the time zone: `getHours`, `toLocaleString`, `new Date(2000, 0)`. */
const local: readonly string[] = [
  'Date',
  'Day',
  'Hours',
  'Minutes',
  'Month',
  'Year',
  'Time',
  'Timezone',
  'toLocale',
  'Intl',
]
let holders: readonly Holder[] | undefined

/** By the name of the member; '' for what may be called without being named. */
export function changedBuiltIns(): ReadonlyMap<string, string> {
  const changed = new Map<string, string>()
  holders ??= readHolders()
  for (const holder of holders) look(holder, changed)
  if (process.env['TZ'] !== firstZone) for (const name of local) changed.set(name, 'the time zone')
  return changed
}

function look({ path, of, parent, first, isOpen }: Holder, changed: Map<string, string>): void {
  for (const [key, before] of first) if (!isAsBefore(of, key, before)) note(changed, path, key)
  if (Object.getPrototypeOf(of) !== parent) changed.set('', `what ${path} inherits from`)
  if (isOpen) return
  const keys = Reflect.ownKeys(of)
  // What is gone has been told of.
  if (keys.length !== first.size || changed.size > 0)
    for (const key of keys) if (!first.has(key)) note(changed, path, key)
}

function isAsBefore(of: object, key: Key, before: Readonly<PropertyDescriptor> | undefined): boolean {
  if (before === undefined) return false
  // Whoever deleted it has another one here, that of what the holder inherits from, or nothing.
  if ('value' in before) {
    const now = (of as Readonly<Record<Key, unknown>>)[key]
    return Object.is(now, before.value) && (now !== undefined || Object.hasOwn(of, key))
  }
  const now = Object.getOwnPropertyDescriptor(of, key)
  return now !== undefined && now['get'] === before['get'] && now['set'] === before['set']
}

function note(changed: Map<string, string>, path: string, key: Key): void {
  const isUnnamed = typeof key === 'symbol' || calledUnnamed.has(key) || (key === 'constructor' && makesMore.has(path))
  const names = key === printing ? prints : [isUnnamed ? '' : key]
  for (const name of names) changed.set(name, `${path}${typeof key === 'symbol' ? `[${String(key)}]` : `.${key}`}`)
}

/** The language's own, by how each is reached. */
const paths: readonly string[] = [
  ...['Object', 'Array', 'String', 'Number', 'Boolean', 'BigInt', 'Symbol', 'Date', 'RegExp', 'Map', 'Set', 'Promise'],
  ...['ArrayBuffer', 'DataView', 'WeakMap', 'WeakSet', 'WeakRef'],
  ...['Int8', 'Uint8', 'Uint8Clamped', 'Int16', 'Uint16', 'Int32', 'Uint32', 'Float32', 'Float64'].map(
    (of) => `${of}Array`,
  ),
  ...['BigInt64Array', 'BigUint64Array'],
  ...['Math', 'JSON', 'Reflect'],
].flatMap((name) => (/^(?:Math|JSON|Reflect)$/.test(name) ? [name] : [`${name}.prototype`, name]))
/** A Node may be built without it. */
const international: readonly string[] =
  typeof Intl === 'object'
    ? ['Intl', ...['Collator', 'DateTimeFormat', 'NumberFormat', 'PluralRules'].map((name) => `Intl.${name}.prototype`)]
    : []
const typedArray = 'Object.getPrototypeOf(Uint8Array.prototype)'
const all = [...paths, ...international, 'Function.prototype', 'Error.prototype', typedArray]

/** What is Node's by its look, and by what a new context has: a program may have changed it before this is asked. */
function readHolders(): readonly Holder[] {
  const script = `({ globals: Object.getOwnPropertyNames(globalThis), all: [${all.map((path) => `Reflect.ownKeys(${path})`).join()}] })`
  const fresh = vm.runInNewContext(script) as { readonly globals: readonly string[]; readonly all: readonly Key[][] }
  const here = vm.runInThisContext(`[${all.join()}]`) as readonly object[]
  const found = here.map((of, index): Holder => {
    const path = all[index] === typedArray ? 'TypedArray.prototype' : (all[index] as string)
    const first = new Map<Key, Readonly<PropertyDescriptor> | undefined>()
    const ofLanguage = new Set(fresh.all[index])
    for (const key of ofLanguage) first.set(key, undefined)
    for (const key of Reflect.ownKeys(of)) {
      const property = Object.getOwnPropertyDescriptor(of, key)
      const isNodesToo = ofLanguage.has(key) || mayBeNodes(property)
      if (property !== undefined && isNodesToo && (Object.values(property) as unknown[]).every(isNodes))
        first.set(key, property)
    }
    return { path, of, parent: Object.getPrototypeOf(of) as object | null, first, isOpen: false }
  })
  return [...found, readGlobals(new Set(fresh.globals))]
}

/** `ofLanguage`: names of what is native in every context; of the rest is Node's what stands there. */
function readGlobals(ofLanguage: ReadonlySet<string>): Holder {
  const of = vm.runInThisContext('globalThis') as object
  const first = new Map<Key, Readonly<PropertyDescriptor> | undefined>()
  for (const name of ofLanguage) if (isHarmlessGlobal(name)) first.set(name, undefined)
  for (const [name, property] of Object.entries<PropertyDescriptor>(Object.getOwnPropertyDescriptors(of))) {
    // Node makes some of its own when they are read first: accessors until then.
    if (!isHarmlessGlobal(name) || !('value' in property)) continue
    if (!ofLanguage.has(name) || isNodes(property.value)) first.set(name, property)
  }
  return { path: 'globalThis', of, parent: Object.getPrototypeOf(of) as object | null, first, isOpen: true }
}

/** Node adds functions to the language's own, and well-known symbols. */
function mayBeNodes(property: PropertyDescriptor | undefined): boolean {
  const value: unknown = property?.['get'] ?? property?.value
  return typeof value === 'function' || typeof value === 'symbol'
}

function isNodes(value: unknown): boolean {
  if (typeof value !== 'function') return true
  return !types.isProxy(value) && isNative(value)
}
