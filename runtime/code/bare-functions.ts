/** Functions that are no more than their text. */
import { types } from 'node:util'

const usualKeys: ReadonlySet<string | symbol> = new Set(['length', 'name', 'arguments', 'caller', 'prototype'])

/** Without properties of its own, and methods for who makes instances: `EventEmitter` has both, and names only itself. */
export function isBare(fn: Function): boolean {
  if (types.isProxy(fn)) return false
  const { prototype } = fn as { readonly prototype?: unknown }
  const inherited = typeof prototype === 'object' && prototype !== null ? Reflect.ownKeys(prototype) : []
  return Reflect.ownKeys(fn).every((key) => usualKeys.has(key)) && inherited.every((key) => key === 'constructor')
}
