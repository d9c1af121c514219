/** What is shared among what a source may be. Pure. */
import { types } from 'node:util'
import { intrinsicName } from './known-values.ts'
import { isShared, type Resolved } from './resolve.ts'

export function isSharedSome({ values, unknown: more }: Resolved): boolean {
  if (more) return true
  for (const value of values) if (isShared(value) && intrinsicName(value) === undefined) return true
  return false
}

/** As it is, or in something new. Functions are none: what they do is looked into. */
export function hasShared({ values, unknown: more, held = new Set() }: Resolved): boolean {
  if (more) return true
  for (const value of [...values, ...held])
    if (typeof value === 'object' && value !== null && intrinsicName(value) === undefined) return true
  return false
}

/** Whether one that is shared may have a method of that name. */
export function mayHave({ values, unknown: more }: Resolved, name: string): boolean {
  if (more) return true
  for (const value of values) {
    if (!isShared(value) || intrinsicName(value) !== undefined) continue
    // What is written to by way of a view.
    if (types.isProxy(value) || types.isAnyArrayBuffer(value)) return true
    if (name === 'a method' || name in value) return true
  }
  return false
}

export function isAsyncLocalStorage(value: unknown): boolean {
  if (!isShared(value) || types.isProxy(value)) return false
  return (value as { constructor?: { name?: unknown } }).constructor?.name === 'AsyncLocalStorage'
}

/** It has methods of the language beside what it holds. */
export function isCollection(value: unknown): boolean {
  return Array.isArray(value) || types.isMap(value) || types.isSet(value) || ArrayBuffer.isView(value)
}
