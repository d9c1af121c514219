/**
 * What this program has added to built-in classes, or replaced there: `BigInt.prototype.toJSON`, a method of all arrays.
 * Workers have Node's own. Looking takes some 50 µs.
 */
import { types } from 'node:util'

/** Also called where no text names them. */
const calledUnnamed: ReadonlySet<string> = new Set(['toJSON', 'toString', 'valueOf', 'then', 'constructor', 'exec'])

interface Holder {
  readonly path: string
  readonly of: object
  readonly keys: readonly (string | symbol)[]
  /** What stood there first; undefined for accessors. */
  readonly values: readonly unknown[]
}

let holders: readonly Holder[] | undefined

/** By the name of the member; '' for what may be called without being named. */
export function changedBuiltIns(): ReadonlyMap<string, string> {
  const changed = new Map<string, string>()
  holders ??= readHolders()
  for (const holder of holders) {
    const { of, keys, values } = holder
    if (Reflect.ownKeys(of).length === keys.length && keys.every((key, index) => isAsBefore(of, key, values[index])))
      continue
    for (const key of Reflect.ownKeys(of)) {
      const index = keys.indexOf(key)
      if (index < 0 || !isAsBefore(of, key, values[index])) note(changed, holder.path, key)
    }
  }
  return changed
}

function isAsBefore(of: object, key: string | symbol, before: unknown): boolean {
  return before === undefined || (of as Record<string | symbol, unknown>)[key] === before
}

function note(changed: Map<string, string>, path: string, key: string | symbol): void {
  const isUnnamed = typeof key === 'symbol' || calledUnnamed.has(key)
  changed.set(isUnnamed ? '' : key, `${path}${typeof key === 'symbol' ? `[${String(key)}]` : `.${key}`}`)
}

/** What was there when this was first asked, without what is not Node's by its look. */
function readHolders(): readonly Holder[] {
  const found: Holder[] = []
  const add = (path: string, of: object): void => {
    const keys: (string | symbol)[] = []
    const values: unknown[] = []
    for (const key of Reflect.ownKeys(of)) {
      const property = Object.getOwnPropertyDescriptor(of, key)
      if (property === undefined || !(Object.values(property) as unknown[]).every(isNodes)) continue
      keys.push(key)
      values.push(typeof property.value === 'function' ? property.value : undefined)
    }
    found.push({ path, of, keys, values })
  }
  const classes = { Object, Function, Array, String, Number, Boolean, BigInt, Symbol, Date, RegExp, Map, Set, Promise }
  for (const [name, one] of Object.entries(classes)) {
    add(`${name}.prototype`, one.prototype as object)
    if (one !== Function) add(name, one)
  }
  add('Error.prototype', Error.prototype)
  add('TypedArray.prototype', Object.getPrototypeOf(Uint8Array.prototype) as object)
  add('Math', Math)
  add('JSON', JSON)
  add('Reflect', Reflect)
  return found
}

function isNodes(value: unknown): boolean {
  if (typeof value !== 'function') return true
  return !types.isProxy(value) && Function.prototype.toString.call(value).endsWith('{ [native code] }')
}
