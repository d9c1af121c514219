/**
 * What a function consists of, for who sends it: its text, and the variables around it that the text uses, as they are
 * now. Refusals say why there is no such thing.
 */
import { types } from 'node:util'
import { BoundedMap } from '../../base/bounded-map.ts'
import { analyseFunction, type FreeVariable, type FunctionAnalysis } from '../free-variables.ts'
import { injectedHelper, refusals, refusalText } from '../refusal.ts'
import { commonJsRemedy, isStandardGlobal } from '../standard-globals.ts'
import { isGiven, isStillMade, madeAgain, type WrittenClass } from './class-made-again.ts'
import { fileOf } from './file-of-function.ts'
import { isNamedByPackage } from './module-references.ts'
import { findVariable, readScopes, type FunctionScopes, type Variable } from './scopes.ts'
import { scriptOf } from './scripts.ts'
import { whyUndefined } from './uninitialized.ts'

export type Written = Extract<FunctionAnalysis, { kind: 'function' | 'class' }>

export interface CapturedVariable {
  readonly name: string
  readonly value: unknown
  /** What an import of that name is; a variable of a function in the module hides such an import. */
  readonly isOfModule: boolean
}

export interface FunctionParts {
  readonly analysis: Written
  readonly name: string
  readonly variables: readonly CapturedVariable[]
  /** Where it was written, where it uses variables and that is known. */
  readonly location: FunctionScopes['location']
}

const maxNameLength = 200

interface Fixed {
  readonly parts: FunctionParts
  readonly given: ReadonlyMap<string, unknown>
  /** Of a class: what is known of its own text. */
  readonly written: WrittenClass | undefined
}

/** Parts of functions whose variables all keep the values that they have. */
const fixed = new WeakMap<Function, Fixed>()

/** The parts, or why it cannot be taken apart: a clause, then what to do. */
export function takeApart(fn: Function): FunctionParts | string {
  const known = fixed.get(fn)
  if (known === undefined) return takeApartNow(fn)
  const { parts, given, written } = known
  // What a class extends, and where its methods are, may have changed since.
  return written === undefined || isStillMade(fn, written, given, parts.analysis) ? parts : takeApartNow(fn)
}

function takeApartNow(fn: Function): FunctionParts | string {
  const name = nameOf(fn)
  if (types.isProxy(fn)) return 'a Proxy, behind which nobody can look; pass the function itself'
  const form = formOf(fn)
  if (form === undefined) return 'a class whose text cannot be told; export it from a package'
  const { analysis, given, written } = form
  const hidden = written?.privateFields.static ?? []
  if (hidden.length > 0)
    return `a class (${name}) whose static ${hidden.join(', ')} cannot be read; make it a property with a name, or pass it as an argument`
  if (analysis.kind !== 'function' && analysis.kind !== 'class') return refusal(analysis, name)
  const bound = refusals({ ...analysis, kind: 'function', freeVariables: [] }, name, () => false)
  if (bound.length > 0) return bound.map((one) => `a function: ${refusalText(one)}`).join(' ')
  const wanted = analysis.freeVariables.filter((variable) => needsLook(fn, variable))
  if (wanted.length === 0) return { analysis, name, variables: [], location: undefined }
  const inside = wanted.filter((variable) => !isGiven(variable.name))
  if (inside.length === 0)
    return { analysis, name, variables: wanted.map((variable) => givenVariable(given, variable)), location: undefined }
  const scopes = readScopes(fn)
  if (scopes === undefined) return noInspector(inside)
  const { location } = scopes
  if (location !== undefined && scriptOf(location.scriptId)?.url.startsWith('node:') === true)
    return "a function of Node's own insides, which every process has for itself; make what it belongs to inside the function"
  const variables: CapturedVariable[] = []
  for (const variable of wanted) {
    const found = isGiven(variable.name) ? givenVariable(given, variable) : lookUp(scopes, variable)
    if (typeof found === 'string') return found
    if (found !== undefined) variables.push({ ...found, name: variable.name })
    else if (analysis.kind === 'class' && !variable.typeofOnly && !isStandardGlobal(variable.name))
      return notKept(variable)
  }
  const parts: FunctionParts = { analysis, name, variables, location }
  if (keepValues(variables, scopes)) fixed.set(fn, { parts, given, written })
  return parts
}

/** Whether nothing in the file gives one of the variables another value. Objects may change all the same. */
function keepValues(variables: FunctionParts['variables'], { location }: FunctionScopes): boolean {
  const file = fileOf(location)
  if (file === undefined) return false
  return variables.every(({ name, value, isOfModule }) => {
    if (isGiven(name)) return true
    if (value === undefined) return false
    return isOfModule && file.isImport(name)
      ? isSettled(value, name, location?.scriptId)
      : file.bindings.isFixed(file.offset, name)
  })
}

/** An import follows the variable of another file, which may get another object; functions and packages are left as they are. */
function isSettled(value: unknown, name: string, scriptId: string | undefined): boolean {
  if (typeof value === 'function' || types.isModuleNamespaceObject(value)) return true
  return typeof value === 'object' && value !== null && isNamedByPackage(scriptId, name, value)
}

/** How a function is sent. */
interface Form {
  readonly analysis: FunctionAnalysis
  /** Values of variables of ours. */
  readonly given: ReadonlyMap<string, unknown>
  /** Of a class: what is known of its own text. */
  readonly written: WrittenClass | undefined
}

const nothing: ReadonlyMap<string, unknown> = new Map()

function formOf(fn: Function): Form | undefined {
  const analysis = analyseFunction(Function.prototype.toString.call(fn))
  if (analysis.kind !== 'class')
    return { analysis: analysis.kind === 'accessor' ? analysis.half : analysis, given: nothing, written: undefined }
  const again = madeAgain(fn, analysis)
  return again && { ...again, written: analysis }
}

function givenVariable(given: ReadonlyMap<string, unknown>, { name }: FreeVariable): CapturedVariable {
  return { name, value: given.get(name), isOfModule: false }
}

function notKept({ name, line }: FreeVariable): string {
  return (
    `a class that uses '${name}' (line ${line}) only while it is made, of which nothing is left to read; ` +
    'use it in a method or a static field, or export the class from a package'
  )
}

function nameOf(fn: Function): string {
  const name: unknown = Object.getOwnPropertyDescriptor(fn, 'name')?.value
  return typeof name === 'string' ? name.slice(0, maxNameLength) : ''
}

function refusal(analysis: FunctionAnalysis, name: string): string {
  const [first] = refusals(analysis, name, () => false)
  return first === undefined ? 'a function that cannot be read' : `a function: ${refusalText(first)}`
}

function noInspector(wanted: readonly FreeVariable[]): string {
  const list = wanted.map(({ name, line }) => `'${name}' (line ${line})`).join(', ')
  return (
    `a function that uses ${list} from outside itself, and this Node has no inspector that could read it; ` +
    'pass it as an argument, or define it inside the function'
  )
}

const maxShadowed = 10_000
const shadowed = new BoundedMap<string, boolean>(maxShadowed)

/** Globals are looked for once a text: whether a variable of that name stands around it cannot change. */
function needsLook(fn: Function, { name, standardGlobal }: FreeVariable): boolean {
  if (name === injectedHelper || name === 'undefined') return false
  if (!standardGlobal) return true
  return shadowed.getOrMake(`${name}\0${Function.prototype.toString.call(fn)}`, () => {
    const scopes = readScopes(fn)
    return scopes !== undefined && findVariable(scopes, name) !== undefined
  })
}

/** Undefined where there is no such variable: using it is the same error there as here. */
function lookUp(scopes: FunctionScopes, { name, line, typeofOnly }: FreeVariable): Variable | string | undefined {
  const found = findVariable(scopes, name)
  if (found === undefined) {
    if (isStandardGlobal(name) || typeofOnly || !(name in globalThis)) return undefined
    return `a function that uses '${name}' (line ${line}), a global that this program has set; pass it as an argument`
  }
  const remedy = name.startsWith('__') || name === 'exports' ? undefined : commonJsRemedy(name)
  if (remedy !== undefined)
    return `a function that uses '${name}' (line ${line}), which a worker does not have; ${remedy}`
  if (found.isEarly === true)
    return `a function that uses '${name}' (line ${line}), which is not initialised yet; give it a value before the call`
  const why = found.value === undefined ? whyUndefined(scopes, name) : undefined
  if (why !== undefined) return `a function that uses '${name}' (line ${line}), ${why}`
  return found
}
