/** What pools and executors call: a function whose text travels, or an export of a module. */
import type { Callable, RemoteModuleFunction } from '../../lib/pinned.ts'

/** A function of the program, or one of a module: `moduleFunction(url, exportName)`. It may return a promise. */
export type FunctionOf<A extends readonly unknown[], R> = ((...args: A) => R | PromiseLike<R>) | RemoteModuleFunction

/** A function, or what `moduleFunction` gives. */
export function isCallable(value: unknown): value is Callable {
  return typeof value === 'function' || (typeof value === 'object' && value !== null && 'definition' in value)
}
