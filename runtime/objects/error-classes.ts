/**
 * The classes by whose names errors arrive: built-in ones, Outpool's and those that the program registers. Apart from the
 * rest of `value-errors.ts`, which a process loads when it meets the first error.
 */
import type Assert from 'node:assert'
import { createRequire } from 'node:module'
import { programErrors } from '../base/compiled-script.ts'
import { errorClasses } from '../base/errors.ts'

type ErrorClass = abstract new (...parameters: never[]) => Error

export const builtInClasses: readonly ErrorClass[] = programErrors

const knownClasses = new Map<string, ErrorClass>()
for (const type of builtInClasses) knownClasses.set(type.name, type)
for (const [name, type] of Object.entries(errorClasses())) knownClasses.set(name, type)
const reservedNames: ReadonlySet<string> = new Set([...knownClasses.keys(), 'AssertionError', 'DOMException'])

export function knownClass(name: string): ErrorClass | undefined {
  // To load it costs each start two milliseconds, and few ever need it.
  if (name === 'AssertionError' && !knownClasses.has(name)) {
    const { AssertionError } = createRequire(import.meta.url)('node:assert') as typeof Assert
    knownClasses.set(name, AssertionError)
  }
  return knownClasses.get(name)
}

/**
 * Errors of this class that other processes send arrive as instances of it. The class is known by its name; its
 * constructor is not run.
 * @throws TypeError where the class has no name, is not an error, or has the name of a built-in class or of Outpool's.
 */
export function registerErrorClass(type: ErrorClass): void {
  if (typeof type !== 'function' || !(type.prototype instanceof Error))
    throw new TypeError('registerErrorClass takes a class that extends Error')
  if (type.name === '') throw new TypeError('registerErrorClass: the class has no name, by which it would be known')
  if (reservedNames.has(type.name))
    throw new TypeError(`registerErrorClass: ${type.name} is the name of a class that is known already; rename yours`)
  knownClasses.set(type.name, type)
}
