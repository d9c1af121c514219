/**
 * What a copy of an object lacks. Data may do without it; not so what must arrive as it was, because nobody is to tell
 * that it was made in another process.
 */
import { types } from 'node:util'
import { hasItemsAlone } from './packed-numbers.ts'

/** Why the object would not be the same elsewhere, its parts aside. Undefined where it would. Errors keep what they have. */
export function lossOf(value: object): string | undefined {
  if (types.isNativeError(value)) return undefined
  if (!Object.isExtensible(value)) return 'a frozen or sealed object, of which a copy is neither'
  if (Array.isArray(value)) return Object.getOwnPropertySymbols(value).length > 0 ? symbols : undefined
  if (ArrayBuffer.isView(value)) return lossOfView(value)
  if (types.isRegExp(value)) return lossOfPattern(value)
  if (types.isArgumentsObject(value)) return 'the arguments of a function, of which a copy is a plain object'
  if (types.isStringObject(value)) return hasMore(value, value.length + 1) ? beside : undefined
  if (heldInside.has(Object.getPrototypeOf(value))) return hasMore(value, 0) ? beside : undefined
  return lossOfProperties(value)
}

/** What an object of these holds is no property of it. */
const heldInside = new Set<unknown>(
  [Map, Set, Date, Number, Boolean, BigInt, ArrayBuffer, URL, URLSearchParams].map(({ prototype }) => prototype),
)
const symbols = 'an object with symbols for keys, which do not go along'
const beside = 'an object with properties beside what it holds, which do not go along'

function lossOfProperties(value: object): string | undefined {
  const keys = Object.getOwnPropertyNames(value)
  for (const key of keys) {
    const { enumerable, writable, configurable } = Object.getOwnPropertyDescriptor(value, key) as PropertyDescriptor
    if (writable === undefined) return `an object with an accessor (${key}), of which a copy has the value`
    if (enumerable !== true || !writable || configurable !== true)
      return `an object with a property (${key}) that is hidden or fixed, which a copy's is not`
  }
  return Object.getOwnPropertySymbols(value).length > 0 ? symbols : undefined
}

/** A Buffer is mostly a part of some memory, and its users know. */
function lossOfView(view: ArrayBufferView): string | undefined {
  const isPart = !Buffer.isBuffer(view) && view.byteLength !== view.buffer.byteLength
  if (isPart) return 'a view of a part of its memory, of which a copy has that part alone; return a `slice()`'
  const isWhole = 'length' in view ? hasItemsAlone(view) : !hasMore(view, 0)
  return isWhole ? undefined : beside
}

function lossOfPattern(pattern: RegExp): string | undefined {
  if (pattern.lastIndex !== 0) return 'a regular expression with a `lastIndex`, which is 0 in a copy'
  return hasMore(pattern, 1) ? beside : undefined
}

function hasMore(value: object, known: number): boolean {
  return Reflect.ownKeys(value).length > known
}
