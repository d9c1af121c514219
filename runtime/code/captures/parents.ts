/** From what a function, a class or its prototype inherits, where the text alone does not tell. */
import { types } from 'node:util'
import type { Written } from './function-parts.ts'

/** `object` is what is inherited from. */
export interface Parent {
  readonly object: object | null
}

/** Of the function or class itself; undefined where it is as every other, or as the text of the class says. */
export function parentOfOwn(fn: Function, analysis: Written): Parent | undefined {
  if (analysis.kind === 'class' && analysis.heritage !== undefined) return undefined
  const object = Object.getPrototypeOf(fn) as object | null
  return object !== null && isOfFunctions(object) ? undefined : { object }
}

/** Of the prototype; undefined where there is none, or it is what evaluating the text gives, and for a generator. */
export function parentOfPrototype(fn: Function, prototype: object, analysis: Written): Parent | undefined {
  if (types.isGeneratorFunction(fn)) return undefined
  const object = Object.getPrototypeOf(prototype) as object | null
  if (analysis.kind === 'class' && analysis.heritage !== undefined) {
    const extended = Object.getPrototypeOf(fn) as Function | null
    const written = extended === Function.prototype ? null : (extended?.prototype as object | null | undefined)
    return object === written ? undefined : { object }
  }
  return object !== null && isOfObjects(object) ? undefined : { object }
}

/** Of this realm or another, as test runners have: it inherits from nothing, and is that of a native `Object`. */
function isOfObjects(object: object): boolean {
  if (object === Object.prototype) return true
  if (Object.getPrototypeOf(object) !== null || types.isProxy(object)) return false
  const made: unknown = Object.getOwnPropertyDescriptor(object, 'constructor')?.value
  return typeof made === 'function' && made.name === 'Object' && isNative(made)
}

/** `Function.prototype` of any realm, or what async functions and generators have. */
function isOfFunctions(object: object): boolean {
  if (object === Function.prototype) return true
  if (typeof object === 'function') return object.name === '' && isNative(object)
  const made: unknown = Object.getOwnPropertyDescriptor(object, 'constructor')?.value
  return typeof made === 'function' && /^(?:Async)?(?:Generator)?Function$/.test(made.name) && isNative(made)
}

function isNative(fn: Function): boolean {
  return Function.prototype.toString.call(fn).endsWith('{ [native code] }')
}

/** The function whose prototype the object is. */
export function madeBy(object: object): Function | undefined {
  const made: unknown = Object.getOwnPropertyDescriptor(object, 'constructor')?.value
  return typeof made === 'function' && (made as { prototype?: unknown }).prototype === object ? made : undefined
}
