/** What pools and executors call: a function whose text travels, or an export of a module. */
import { given } from '../../lib/given.ts'
import type { Callable, RemoteModuleFunction } from '../../lib/pinned.ts'

/** A function of the program, or one of a module: `moduleFunction(url, exportName)`. It may return a promise. */
export type FunctionOf<A extends readonly unknown[], R> = ((...args: A) => R | PromiseLike<R>) | RemoteModuleFunction

/** Throws TypeError for what is no function, nor names one. */
export function checkCallable(value: unknown): void {
  if (isCallable(value)) return
  throw new TypeError(`${given(value)} is not callable: a function, or moduleFunction(url, exportName), is needed`)
}

/** Throws TypeError for a callback that is none; it would be told of when it is too late to see who gave it. */
export function checkCallback(value: unknown, name: string): void {
  if (value !== undefined && value !== null && typeof value !== 'function')
    throw new TypeError(`${name}: a function is needed, not ${given(value)}`)
}

/** A function, or what `moduleFunction` gives. */
export function isCallable(value: unknown): value is Callable {
  return typeof value === 'function' || (typeof value === 'object' && value !== null && 'definition' in value)
}
