/**
 * What stands around a function: its variables, the file and the package that it was written in. Read once for one
 * verdict.
 */
import { isBare } from '../bare-functions.ts'
import { fileOf } from '../captures/file-of-function.ts'
import {
  isNamedByPackage,
  isOfPackage,
  isShared,
  packageName,
  referenceByValue,
} from '../captures/module-references.ts'
import { referenceByFile } from '../captures/package-functions.ts'
import { findVariable, readScopes, type FunctionScopes } from '../captures/scopes.ts'
import { scriptOf } from '../captures/scripts.ts'
import type { FreeVariable } from '../free-variables.ts'
import { isStandardGlobal } from '../standard-globals.ts'
import { behaviourOf, type TextBehaviour } from './behaviour.ts'
import type { Change, SetUp } from './file-bindings.ts'
import { globalEffect } from './known-values.ts'

/** As it is written; an accessor as the method that it is. */
export function textOf(fn: Function): string {
  const text = Function.prototype.toString.call(fn)
  return /^[gs]et\s+[\w$[#'"]/.test(text) ? text.slice(4) : text
}

/** Of what a text uses. */
export interface Variables {
  readonly freeVariables: readonly FreeVariable[]
}

/** What is another thing in strict code: `arguments` follow the parameters, `this` may be the global. */
const unlike = /\b(?:this|arguments)\b/
const isStrictByItself = /^class\b|^[^{]*\{\s*['"]use strict['"]/

export class Surroundings {
  readonly #scopes = new Map<Function, FunctionScopes | undefined>()

  /** The package whose insides a function uses, or Node: nobody's code to be looked into. */
  packageOf(fn: Function, analysis: Variables): string | undefined {
    if (usesNothing(analysis)) return undefined
    const url = this.#urlOf(fn)
    if (url === undefined) return undefined
    return url.startsWith('node:') ? 'Node' : isShared(url) ? packageName(url) : undefined
  }

  /** The package by whose name for it the function goes: a worker has it, and what it uses, as that makes it. */
  exporterOf(fn: Function, analysis: Variables): string | undefined {
    const isText = usesNothing(analysis) && isBare(fn)
    const reference = referenceByValue(fn) ?? (isText ? undefined : referenceByFile(fn))
    return reference !== undefined && isOfPackage(reference) ? packageName(reference.url) : undefined
  }

  /** The file that the function was written in. */
  #urlOf(fn: Function): string | undefined {
    const location = this.#scopesOf(fn)?.location
    return location === undefined ? undefined : scriptOf(location.scriptId)?.url
  }

  #scopesOf(fn: Function): FunctionScopes | undefined {
    if (!this.#scopes.has(fn)) this.#scopes.set(fn, readScopes(fn))
    return this.#scopes.get(fn)
  }

  /** Whether the name is a variable around the function; the global of that name otherwise. */
  captured(fn: Function, name: string): { readonly value: unknown } | undefined {
    const text = behaviourOf(textOf(fn))
    if (isStandardGlobal(name) && !this.#isShadowed(fn, name, text)) return undefined
    const scopes = this.#scopesOf(fn)
    return scopes === undefined ? undefined : findVariable(scopes, name)
  }

  changesAround(fn: Function, name: string): readonly Change[] {
    const file = fileOf(this.#scopesOf(fn)?.location)
    if (file === undefined) return []
    return file.bindings.changesAround(file.offset, name).filter(({ start }) => start >= file.givenUntil)
  }

  setUpOf(fn: Function, name: string): SetUp | undefined {
    const file = fileOf(this.#scopesOf(fn)?.location)
    return file?.bindings.setUpOf(file.offset, name)
  }

  isNamedByPackage(fn: Function, name: string, value: unknown): boolean {
    return isNamedByPackage(this.#scopesOf(fn)?.location?.scriptId, name, value)
  }

  /** A variable of a global's name is looked for once a text. */
  #isShadowed(fn: Function, name: string, text: TextBehaviour): boolean {
    let known = text.shadowed.get(name)
    if (known === undefined) {
      const scopes = readScopes(fn)
      known = scopes !== undefined && findVariable(scopes, name) !== undefined
      text.shadowed.set(name, known)
    }
    return known
  }

  variable(fn: Function, name: string): { readonly value: unknown } | undefined {
    const captured = this.captured(fn, name)
    if (captured !== undefined) return captured
    const isKnown = isStandardGlobal(name) && globalEffect(name) === undefined
    return isKnown ? { value: (globalThis as Record<string, unknown>)[name] } : undefined
  }

  /** Whether it, or a function in it, may be code that is not strict. */
  isSloppy(fn: Function, text: string): boolean {
    if (!unlike.test(text) || isStrictByItself.test(text)) return false
    if (Object.hasOwn(fn, 'arguments')) return true
    if (!/\bfunction\b/.test(text)) return false
    return this.#scopesOf(fn)?.scopes.some(({ description }) => description === 'Module') !== true
  }
}

function usesNothing({ freeVariables }: Variables): boolean {
  return freeVariables.every(({ standardGlobal }) => standardGlobal)
}
