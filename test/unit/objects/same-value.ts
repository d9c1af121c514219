/** Compares two values as graphs: exact primitives, classes, own keys, holes, and which objects are the same one. */
import { types } from 'node:util'

/** Where the two differ, or undefined where they are the same. */
export function difference(a: unknown, b: unknown): string | undefined {
  return compare(a, b, 'value', new Map(), new Map())
}

function compare(
  a: unknown,
  b: unknown,
  path: string,
  there: Map<object, object>,
  back: Map<object, object>,
): string | undefined {
  if (typeof a !== 'object' || a === null || typeof b !== 'object' || b === null)
    return Object.is(a, b) ? undefined : `${path}: ${String(a)} became ${String(b)}`
  if (there.has(a) || back.has(b))
    return there.get(a) === b && back.get(b) === a ? undefined : `${path}: another identity`
  there.set(a, b)
  back.set(b, a)
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${path}: another class`
  const next = (x: unknown, y: unknown, key: string): string | undefined => compare(x, y, `${path}${key}`, there, back)
  const inner = compareSlots(a, b, path, next)
  if (inner !== undefined) return inner
  if (ArrayBuffer.isView(a)) return undefined
  const [keysA, keysB] = [Object.getOwnPropertyNames(a), Object.getOwnPropertyNames(b)]
  if (keysA.join('\0') !== keysB.join('\0')) return `${path}: keys ${keysA.join()} became ${keysB.join()}`
  for (const key of keysA) {
    const [x, y] = [Object.getOwnPropertyDescriptor(a, key), Object.getOwnPropertyDescriptor(b, key)]
    if (x?.enumerable !== y?.enumerable) return `${path}.${key}: enumerable differs`
    const found = next(Reflect.get(a, key), Reflect.get(b, key), `.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

type Next = (x: unknown, y: unknown, key: string) => string | undefined

function compareSlots(a: object, b: object, path: string, next: Next): string | undefined {
  if (types.isDate(a)) return next(a.getTime(), (b as Date).getTime(), '.getTime()')
  if (types.isRegExp(a)) return next(String(a), String(b), '.source')
  if (types.isBoxedPrimitive(a)) return next(a.valueOf(), b.valueOf(), '.valueOf()')
  if (types.isAnyArrayBuffer(a)) return sameBytes(new Uint8Array(a), new Uint8Array(b as ArrayBuffer), path)
  if (ArrayBuffer.isView(a)) {
    const found = sameBytes(bytesOf(a), bytesOf(b as ArrayBufferView), path)
    return found
  }
  if (types.isMap(a)) return next([...a], [...(b as typeof a)], '.entries()')
  if (types.isSet(a)) return next([...a], [...(b as typeof a)], '.values()')
  if (a instanceof URL || a instanceof URLSearchParams) return next(String(a), String(b), '.toString()')
  return undefined
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
}

function sameBytes(a: Uint8Array, b: Uint8Array, path: string): string | undefined {
  return Buffer.compare(a, b) === 0 ? undefined : `${path}: other bytes`
}
