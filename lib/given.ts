/** What was given in place of what is needed, in words, for messages. */
import { types } from 'node:util'

/** `undefined`, `null`, `a string`, `an array`, `a Promise: await it first`, `an instance of Map`, `an object`. */
export function given(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  if (types.isPromise(value)) return 'a Promise: await it first'
  if (Array.isArray(value)) return 'an array'
  if (typeof value !== 'object') return `a ${typeof value}`
  const made = (Object.getPrototypeOf(value) as { constructor?: unknown } | null)?.constructor
  const name = typeof made === 'function' ? made.name : ''
  return name === '' || name === 'Object' ? 'an object' : `an instance of ${name}`
}
