/** Methods that the language calls where no text names them: by a loop, a template, `await`, `JSON.stringify`. */
import { types } from 'node:util'
import { intrinsicName } from './known-values.ts'
import { isShared } from './resolve.ts'

const unnamed: readonly (string | symbol)[] = [
  Symbol.iterator,
  Symbol.asyncIterator,
  Symbol.toPrimitive,
  'toString',
  'valueOf',
  'toJSON',
  'then',
  'next',
]

/** Those of a value that somebody has written. */
export function unnamedMethods(value: unknown): readonly Function[] {
  if (!isShared(value) || typeof value === 'function') return []
  const found: Function[] = []
  const left = new Set(unnamed)
  for (let at: unknown = value; isShared(at) && !types.isProxy(at); at = Object.getPrototypeOf(at)) {
    if (at !== value && intrinsicName(at) !== undefined) break
    for (const name of left) {
      const property = Object.getOwnPropertyDescriptor(at, name)
      if (property === undefined) continue
      left.delete(name)
      const method: unknown = property.value
      if (typeof method === 'function' && !types.isProxy(method) && intrinsicName(method) === undefined)
        found.push(method)
    }
  }
  return found
}
