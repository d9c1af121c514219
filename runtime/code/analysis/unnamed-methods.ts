/** Methods that the language calls where no text names them: by a loop, a template, `await`, `JSON.stringify`. */
import { types } from 'node:util'
import { intrinsicName, isNative } from './known-values.ts'
import { namesOfUnnamed } from './member-name.ts'
import { isShared } from './resolve.ts'

/** Longer arrays have elements alone, as far as is looked. */
export const mostElements = 1_000

const symbols: ReadonlySet<symbol> = new Set(
  [
    Symbol.iterator,
    Symbol.asyncIterator,
    Symbol.toPrimitive,
    Symbol.hasInstance,
    Symbol.match,
    Symbol.matchAll,
    Symbol.replace,
    Symbol.search,
    Symbol.split,
    Symbol.species,
    Symbol.toStringTag,
    Symbol.for('nodejs.util.inspect.custom'),
    // Of newer releases of Node.
    (Symbol as { readonly dispose?: symbol }).dispose,
    (Symbol as { readonly asyncDispose?: symbol }).asyncDispose,
  ].filter((symbol) => symbol !== undefined),
)

export function isUnnamedKey(key: string | symbol): boolean {
  return typeof key === 'string' ? namesOfUnnamed.has(key) : symbols.has(key)
}

/**
 * What of an object the language may call so, its own and what it inherits from the program: accessors, too. Whoever
 * assigns to something that others share has changed it: only of something new the setters matter.
 */
export function unnamedOf(value: unknown, isNew: boolean): Function[] {
  const found: Function[] = []
  for (
    let at = value;
    isShared(at) && !types.isProxy(at) && intrinsicName(at) === undefined;
    at = Object.getPrototypeOf(at)
  ) {
    if (at === Function.prototype || ArrayBuffer.isView(at)) break
    if (Array.isArray(at) && at.length > mostElements) continue
    for (const key of Reflect.ownKeys(at)) {
      const property: Readonly<Record<string, unknown>> = { ...Object.getOwnPropertyDescriptor(at, key) }
      const methods =
        'value' in property
          ? isUnnamedKey(key)
            ? [property['value']]
            : []
          : [property['get'], isNew ? property['set'] : undefined]
      for (const method of methods)
        if (typeof method === 'function' && !types.isProxy(method) && !isNative(method)) found.push(method)
    }
  }
  return found
}
