/**
 * How a function is turned into something that a worker can load: the module export that it is known to be, else its
 * own text where that needs nothing from outside itself, else an export of a loaded CommonJS module, else a refusal
 * that names what stands in the way.
 */
import { FunctionCaptureError } from '../base/errors.ts'
import { analyse } from './analysis/verdict.ts'
import { isBare } from './bare-functions.ts'
import { fileOf } from './captures/file-of-function.ts'
import { takeApart } from './captures/function-parts.ts'
import { capturedNames, findVariable, inspectorSession, readScopes } from './captures/scopes.ts'
import { referenceByValue } from './captures/module-references.ts'
import { referenceByFile } from './captures/package-functions.ts'
import { commonJsDefault, commonJsExport, whileNothingLoads, type ModuleReference } from './common-js-exports.ts'
import { closureDefinition, createDefinition, moduleExport, type FunctionDefinition } from './definition.ts'
import { analyseFunction, type FunctionAnalysis } from './free-variables.ts'
import { findLoadedExport } from './loaded-exports.ts'
import { globalsOf, keepGlobals, mayBeKnown } from './known-sources.ts'
import { noteFunction } from './noted-functions.ts'
import { injectedHelper, refusals, refusalText, standsInTheWay, type Refusal } from './refusal.ts'
import { commonJsRemedy } from './standard-globals.ts'
import { textCache } from './text-cache.ts'

export {
  decodeDefinition,
  isClosure,
  moduleExport,
  withPack,
  type FunctionDefinition,
  type FunctionSource,
} from './definition.ts'

export interface DefineOptions {
  /** The call that the error message begins with; 'remote' unless given. */
  readonly caller?: string
  /** What its user has in place of `remote(url, exportName)`, for the next step that the message tells. */
  readonly naming?: string
}

export type FunctionDescription =
  | { readonly ships: true; readonly how: 'module' | 'source' | 'captures'; readonly reasons: readonly string[] }
  | { readonly ships: false; readonly how: undefined; readonly reasons: readonly string[] }

type Outcome =
  | { readonly kind: 'shipped'; readonly definition: FunctionDefinition }
  | { readonly kind: 'refused'; readonly refusals: readonly Refusal[] }

/** A function with a definition keeps it; refusals are kept by text only, as a module may yet come to export it. */
const byIdentity = new WeakMap<Function, FunctionDefinition>()
const byText = textCache<Outcome>()
const maxNameLength = 200

/**
 * The definition of `fn`. A function that was seen before costs a map look-up, a new closure of a known text two.
 *
 * Shipped as text, a function runs in strict mode wherever its text is valid strict code. Its own properties stay
 * behind, unless it names itself to read them, and changes none: then they go along, as captured variables do. Throws
 * FunctionCaptureError, naming each free variable, where it cannot be shipped.
 */
export function defineFunction(fn: Function, options: DefineOptions = {}): FunctionDefinition {
  const known = typeof fn === 'function' ? byIdentity.get(fn) : undefined
  if (known !== undefined) return known
  const outcome = whileNothingLoads(() => resolve(fn))
  if (outcome.kind === 'refused') throw captureError(fn, outcome.refusals, options)
  byIdentity.set(fn, outcome.definition)
  return outcome.definition
}

/** Marks `fn` as the module export that `definition` names, so that it travels as that whatever its text. */
export function markFunction(fn: Function, definition: FunctionDefinition): void {
  byIdentity.set(fn, definition)
}

/** Whether and how `fn` would travel, and why (not). Throws nothing. */
export function describeFunction(fn: Function): FunctionDescription {
  const known = typeof fn === 'function' ? byIdentity.get(fn) : undefined
  const outcome: Outcome = known === undefined ? resolve(fn) : { kind: 'shipped', definition: known }
  if (outcome.kind === 'refused')
    return { ships: false, how: undefined, reasons: outcome.refusals.map((refusal) => refusalText(refusal)) }
  const { source } = outcome.definition
  if (source.kind === 'module') {
    return { ships: true, how: 'module', reasons: [`it is the export '${source.exportName}' of ${source.url}`] }
  }
  if (source.kind === 'closure')
    return { ships: true, how: 'captures', reasons: ['its variables are read at each call, and go with it'] }
  return { ships: true, how: 'source', reasons: ['it needs nothing from outside itself'] }
}

/**
 * Whether nothing stands in the way of `fn` but names that are variables of nowhere here: as text, it has the globals of
 * that name that its worker may have.
 */
export function namesUnknownGlobals(fn: Function): boolean {
  const analysis = analyseFunction(Function.prototype.toString.call(fn))
  if (analysis.kind !== 'function' || inspectorSession() === undefined) return false
  const scopes = readScopes(fn)
  if (scopes === undefined || refusals({ ...analysis, freeVariables: [] }, nameOf(fn), () => false).length > 0)
    return false
  return analysis.freeVariables.every(
    ({ name }) => findVariable(scopes, name) === undefined && commonJsRemedy(name) === undefined,
  )
}

function resolve(fn: Function): Outcome {
  if (typeof fn !== 'function') {
    const given = fn === null ? 'null' : typeof fn
    return {
      kind: 'refused',
      refusals: [{ reason: `is no function but ${given}`, remedy: 'Pass a function.', everywhere: true }],
    }
  }
  const outcome = resolvePackaged(fn)
  const isMoreThanText = outcome.kind === 'refused' || outcome.definition.source.kind === 'closure'
  // Of an ES module of a package all that it uses is there with it.
  const packaged = isMoreThanText ? referenceByFile(fn) : undefined
  if (packaged !== undefined) return { kind: 'shipped', definition: moduleExport(packaged.url, packaged.exportName) }
  if (outcome.kind === 'refused') return resolveLoadedExport(fn, outcome.refusals) ?? outcome
  const { source } = outcome.definition
  if (source.kind !== 'closure' || !readsState(fn)) return outcome
  const loaded = resolveLoadedExport(fn, [])
  return loaded?.kind === 'shipped' ? loaded : outcome
}

function resolveText(fn: Function): Outcome {
  const text = Function.prototype.toString.call(fn)
  const name = nameOf(fn)
  const key = `${name}\0${text}`
  const known = byText.get(key)
  if (known !== undefined) return known
  const outcome = knownSource(fn, text, name) ?? analysed(fn, text, name)
  // The same text may stand where its variables are.
  if (outcome.kind === 'shipped' || standsInTheWay(outcome.refusals).length > 0) byText.set(key, outcome)
  return outcome
}

function analysed(fn: Function, text: string, name: string): Outcome {
  const analysis = analyseFunction(text)
  const found = refusals(analysis, name, analysis.kind === 'function' ? shadowing(fn) : () => false)
  const outcome = outcomeOf(fn, analysis, found, name)
  if (found.length === 0 && outcome.kind === 'shipped' && analysis.kind === 'function' && analysis.text === text) {
    const globals = analysis.freeVariables.filter((variable) => variable.name !== injectedHelper)
    keepGlobals(
      outcome.definition.id,
      globals.map((variable) => variable.name),
    )
  }
  return outcome
}

/** Where an earlier process found that the text needs nothing but globals, and none of them is a variable here. */
function knownSource(fn: Function, text: string, name: string): Outcome | undefined {
  if (!mayBeKnown()) return undefined
  const definition = createDefinition({ kind: 'source', text, name })
  const globals = globalsOf(definition.id)
  if (globals === undefined || globals.some(shadowing(fn))) return undefined
  noteFunction(text, fn)
  return { kind: 'shipped', definition }
}

/**
 * Whether the function uses variables that its file changes. One that a CommonJS module exports then runs as that
 * module's: the state is the worker's own, as an initializer may have set it.
 */
function readsState(fn: Function): boolean {
  const parts = takeApart(fn)
  if (typeof parts === 'string') return true
  const file = fileOf(readScopes(fn)?.location)
  return parts.variables.some(({ name }) => (file?.bindings.changesAround(file.offset, name) ?? []).length > 0)
}

function outcomeOf(fn: Function, analysis: FunctionAnalysis, found: readonly Refusal[], name: string): Outcome {
  if (analysis.kind !== 'function') return { kind: 'refused', refusals: found }
  if (found.length === 0) return { kind: 'shipped', definition: sourceOf(fn, analysis.text, name) }
  const scopes = inspectorSession() === undefined ? undefined : readScopes(fn)
  if (scopes === undefined || standsInTheWay(found).length > 0) return { kind: 'refused', refusals: found }
  // What is around the function goes along with it; what is nowhere, or a global of this program, cannot.
  const missing = analysis.freeVariables.filter(
    ({ name: variable, typeofOnly }) => !typeofOnly && findVariable(scopes, variable) === undefined,
  )
  const left = refusals({ ...analysis, freeVariables: missing }, name, () => false)
  if (left.length > 0) return { kind: 'refused', refusals: left }
  return { kind: 'shipped', definition: closureDefinition(analysis.text, name) }
}

function sourceOf(fn: Function, text: string, name: string): FunctionDefinition {
  noteFunction(text, fn)
  return createDefinition({ kind: 'source', text, name })
}

/**
 * A function of a package is an export of it, whatever its text. So is one of Node, unless it is no more than a text that
 * needs nothing from outside: most functions of a program are so, and Node's exports are not read for their sake.
 */
function resolvePackaged(fn: Function): Outcome {
  const isMore = !isBare(fn)
  const text = !isMore && commonJsExport(fn) === undefined ? resolveText(fn) : undefined
  if (text?.kind === 'shipped' && text.definition.source.kind === 'source') return text
  const found = referenceByValue(fn)
  if (found !== undefined) return exportOf(found)
  const outcome = text ?? resolveText(fn)
  return isMore && outcome.kind === 'shipped' ? withWhatItReads(fn, outcome) : outcome
}

/**
 * The text of a function that was set something, and that names itself to read it, or to make instances, goes with that.
 * One that changes what is set on it, as those do that keep what they have computed, has that of its worker.
 */
function withWhatItReads(fn: Function, outcome: Extract<Outcome, { kind: 'shipped' }>): Outcome {
  const { source } = outcome.definition
  if (source.kind !== 'source' || !readsItself(source.text)) return outcome
  if (analyse(fn).reasons.some(({ kind }) => kind === 'change')) return outcome
  return { kind: 'shipped', definition: closureDefinition(source.text, source.name) }
}

/** Whether the function uses its own name for more than to call itself, or for what every function has. */
function readsItself(text: string): boolean {
  const own = /^(?:async\s+)?function[\s*]+([\w$]+)\s*\(/.exec(text)
  if (own === null) return false
  const name = (own[1] as string).replaceAll('$', '\\$')
  const more = String.raw`(?!\s*(?:\(|\??\.\s*(?:name|length)\b))`
  return new RegExp(String.raw`(?<![\w$])(?:new\s+${name}(?![\w$])|(?<!\.)${name}(?![\w$])${more})`).test(
    text.slice(own[0].length),
  )
}

function exportOf({ url, exportName }: ModuleReference): Outcome {
  return { kind: 'shipped', definition: moduleExport(url, importPath(url, exportName)) }
}

function importPath(url: string, exportName: string): string {
  if (exportName === '=' || exportName === 'default') return 'default'
  if (exportName === commonJsDefault) return 'default.default'
  return url.startsWith('node:') ? exportName : `default.${exportName}`
}

/**
 * Whether a name that would be a global in a worker is a variable around `fn` here; looked up on first need. Where this
 * Node cannot tell, it is taken for the global.
 */
function shadowing(fn: Function): (name: string) => boolean {
  let names: ReadonlySet<string> | undefined
  return (name) => {
    if (name === 'undefined' || name === injectedHelper) return false
    names ??= capturedNames(fn) ?? new Set()
    return names.has(name)
  }
}

function resolveLoadedExport(fn: Function, found: readonly Refusal[]): Outcome | undefined {
  const loaded = findLoadedExport(fn)
  if (loaded === undefined || found.some(({ everywhere }) => everywhere === true)) return undefined
  if (!loaded.main) return { kind: 'shipped', definition: moduleExport(loaded.url, loaded.exportName) }
  const main: Refusal = {
    reason:
      'is exported by the main module of the program, which a worker cannot load without running the program again',
    remedy: 'Move it to a module of its own.',
  }
  return { kind: 'refused', refusals: [...found, main] }
}

function nameOf(fn: Function): string {
  const name: unknown = fn.name
  return typeof name === 'string' ? name.slice(0, maxNameLength) : ''
}

function captureError(
  fn: Function,
  found: readonly Refusal[],
  { caller = 'remote', naming }: DefineOptions,
): FunctionCaptureError {
  const name = typeof fn === 'function' ? nameOf(fn) : String(fn)
  const texts = found.map((refusal) => refusalText(refusal, naming))
  const [first = '', ...rest] = texts
  const sentences = [first, ...rest.map((sentence) => `I${sentence.slice(1)}`)]
  return new FunctionCaptureError(`${caller}(${name || 'anonymous function'}): ${sentences.join(' ')}`, {
    details: { function: name, reasons: texts },
  })
}
