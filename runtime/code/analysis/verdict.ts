/**
 * Would a function behave the same in another process? Its text says what it does (`behaviour.ts`), the values around it
 * say to what: an escape of a number is none, a call of a helper is as harmless as the helper.
 *
 * `ship`: it only computes, and leaves what it shares with others as it is. `keep`: it certainly does something whose
 * effect would be lost. `maybe`: that could not be told. Functions that are called are looked into, with what they are
 * given; nothing is run.
 */
import { findVariable, readScopes, type FunctionScopes } from '../captures/scopes.ts'
import { fileOf } from '../captures/file-of-function.ts'
import {
  isNamedByPackage,
  isOfPackage,
  isShared,
  packageName,
  referenceByValue,
} from '../captures/module-references.ts'
import { referenceByFile } from '../captures/package-functions.ts'
import { scriptOf } from '../captures/scripts.ts'
import { isBare } from '../bare-functions.ts'
import { analyseFunction, type FreeVariable } from '../free-variables.ts'
import { isStandardGlobal } from '../standard-globals.ts'
import { behaviourOf, type TextBehaviour } from './behaviour.ts'
import type { Change, SetUp } from './file-bindings.ts'
import { resultOf } from './known-methods.ts'
import { builtInExport, globalEffect, intrinsicName } from './known-values.ts'
import type { FunctionVerdict, Reason } from './reasons.ts'
import { merge, own, resolveAll, withHeld, type Environment, type Resolved } from './resolve.ts'
import { Scene, type Judgement } from './scene.ts'
import type { Call } from './walker.ts'

export interface AnalyseOptions {
  /**
   * The arguments of a call, where the caller goes on using them: a change of one counts as of a captured variable.
   * Without this arguments belong to the call.
   */
  readonly args?: readonly unknown[]
  /** What `changedBuiltIns` gives: a function that may use one of them counts as one that is not known. */
  readonly changed?: ReadonlyMap<string, string>
  /** What it captured of packages goes as it is here, and not by name. */
  readonly isExact?: boolean
}

/** How a text looks that may never settle on a worker, or otherwise than here; and what is said of it. */
const waiting: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/\bnew\s+Promise\s*\(\s*(?:\(\s*\)\s*=>|function\s*\(\s*\))/, 'makes a promise that nothing settles'],
  [/\.\s*addEventListener\s*\(|\.\s*onabort\b/, 'listens to something that is another one on a worker, as a signal is'],
]
interface Variables {
  readonly freeVariables: readonly FreeVariable[]
}

/** Functions that are looked into for one verdict, and calls within calls. */
const maxFunctions = 64
const maxDepth = 20

/** Throws nothing. */
export function analyse(fn: Function, options: AnalyseOptions = {}): FunctionVerdict {
  const judge = new Judge(options)
  const args = options.args?.map((value) => ({ values: new Set([value]), unknown: false }))
  try {
    judge.look(fn, args ?? [], undefined, undefined)
  } catch (error) {
    judge.add({ kind: 'unknown', verdict: 'maybe', message: `it could not be looked into: ${String(error)}`, line: 1 })
  }
  return judge.verdict()
}

class Judge implements Judgement {
  readonly #reasons = new Map<string, Reason>()
  readonly #path: Function[] = []
  readonly #scopes = new Map<Function, FunctionScopes | undefined>()
  readonly #resolving = new Set<Call>()
  readonly #changed: ReadonlyMap<string, string> | undefined
  readonly #isExact: boolean
  #looked = 0

  constructor({ changed, isExact = false }: AnalyseOptions) {
    this.#changed = changed
    this.#isExact = isExact
  }

  verdict(): FunctionVerdict {
    const reasons = [...this.#reasons.values()]
    const keep = reasons.some(({ verdict }) => verdict === 'keep')
    return { verdict: keep ? 'keep' : reasons.length > 0 ? 'maybe' : 'ship', reasons }
  }

  add(reason: Reason): void {
    const key = `${reason.message} ${reason.within ?? ''}`
    if (!this.#reasons.has(key)) this.#reasons.set(key, reason)
  }

  /** `within`: the name that a reason gives, when the function is not the analysed one itself. */
  look(fn: Function, args: readonly Resolved[], self: Resolved | undefined, within: string | undefined): void {
    if (this.#path.includes(fn)) return
    if (++this.#looked > maxFunctions) {
      return this.add({ kind: 'unknown', verdict: 'maybe', message: 'it calls more code than is looked into', line: 1 })
    }
    const text = Function.prototype.toString.call(fn)
    if (this.#changed !== undefined) this.#lookForChanged(text, this.#changed)
    this.#lookForWaiting(text)
    const analysis = analyseFunction(text)
    if (analysis.kind !== 'function' && analysis.kind !== 'class') {
      const what = analysis.kind === 'unparsable' ? 'that cannot be parsed' : `that is ${analysis.kind}`
      return this.#unknown(`it calls code ${what}`, within)
    }
    const of = within === undefined ? this.#exporterOf(fn, analysis) : this.#packageOf(fn, analysis)
    if (of !== undefined)
      return this.#unknown(
        within === undefined ? `it is ${fn.name || 'a function'} of ${of}` : `it calls ${within} of ${of}`,
        undefined,
      )
    const { events, isWhole } = behaviourOf(text)
    if (!isWhole) {
      const message = `${within === undefined ? 'it is' : `it calls ${within}, which is`} too large to be looked into`
      return this.add({ kind: 'unknown', verdict: 'maybe', message, line: 1 })
    }
    this.#path.push(fn)
    try {
      const scene = new Scene(this, fn, this.#environment(fn, args, self), within)
      for (const { event, line } of events) scene.judge(event, line)
      if (within === undefined) for (const { values } of args) for (const value of values) scene.lookUnnamed(value)
    } finally {
      this.#path.pop()
    }
  }

  /** What never settles keeps no program alive, but whoever waits for a worker; and a signal there is another one. */
  #lookForWaiting(text: string): void {
    for (const [pattern, what] of waiting) {
      const found = pattern.exec(text)
      if (found === null) continue
      const line = text.slice(0, found.index).split('\n').length
      this.add({ kind: 'effect', verdict: 'maybe', message: `it ${what} (line ${line})`, line })
    }
  }

  #lookForChanged(text: string, changed: ReadonlyMap<string, string>): void {
    for (const [name, path] of changed) {
      if (!text.includes(name)) continue
      const message = `it may use ${path}, which this program has changed and a worker has not`
      this.add({ kind: 'unknown', verdict: 'maybe', message, line: 1 })
    }
  }

  #unknown(message: string, within: string | undefined): void {
    const text = `${message}, which is not looked into`
    this.add({ kind: 'unknown', verdict: 'maybe', message: text, line: 1, ...(within !== undefined && { within }) })
  }

  /** The package whose insides a function uses, or Node: nobody's code to be looked into. */
  #packageOf(fn: Function, analysis: Variables): string | undefined {
    if (usesNothing(analysis)) return undefined
    const url = this.#urlOf(fn)
    if (url === undefined) return undefined
    return url.startsWith('node:') ? 'Node' : isShared(url) ? packageName(url) : undefined
  }

  /** The package by whose name for it the function goes: a worker has it, and what it uses, as that makes it. */
  #exporterOf(fn: Function, analysis: Variables): string | undefined {
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

  #environment(fn: Function, args: readonly Resolved[], self: Resolved | undefined): Environment {
    const environment: Environment = {
      variable: (name) => this.#variable(fn, name),
      argument: (index) => args[index],
      self,
      subject: fn,
      result: (end) => this.#resultOf(fn, end, environment),
    }
    return environment
  }

  /** Whether the name is a variable around the function; the global of that name otherwise. */
  captured(fn: Function, name: string): { readonly value: unknown } | undefined {
    const text = behaviourOf(Function.prototype.toString.call(fn))
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

  goesByName(fn: Function, name: string, value: unknown): boolean {
    return !this.#isExact && isNamedByPackage(this.#scopesOf(fn)?.location?.scriptId, name, value)
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

  #variable(fn: Function, name: string): { readonly value: unknown } | undefined {
    const captured = this.captured(fn, name)
    if (captured !== undefined) return captured
    const isKnown = isStandardGlobal(name) && globalEffect(name) === undefined
    return isKnown ? { value: (globalThis as Record<string, unknown>)[name] } : undefined
  }

  /** What a call in the text of `fn` hands out of what is shared. */
  #resultOf(fn: Function, end: number, environment: Environment): Resolved {
    const { calls } = behaviourOf(Function.prototype.toString.call(fn))
    const call = calls.get(end)
    // A variable that is given what a call of itself returns is what else it may be.
    if (call === undefined || this.#resolving.has(call) || this.#path.length > maxDepth) return own
    this.#resolving.add(call)
    try {
      return this.#resultOfCall(call, environment)
    } finally {
      this.#resolving.delete(call)
    }
  }

  #resultOfCall(call: Call, environment: Environment): Resolved {
    const receiver = resolveAll(call.receiver, environment)
    const args = call.args.map((sources, index) =>
      withHeld(resolveAll(sources, environment), resolveAll(call.held[index] ?? [], environment)),
    )
    const callee = resolveAll(call.callee, environment)
    const results: Resolved[] = []
    for (const value of callee.values)
      if (typeof value === 'function') results.push(this.#returned(value, args, receiver))
    const isKnown = callee.values.size > 0 && !callee.unknown
    // A method of well-known name has been counted by its name.
    if (!isKnown && !call.local && resultOf(call.name) === 'unknown') results.push(...args, receiver)
    return merge(results)
  }

  #returned(fn: Function, args: readonly Resolved[], receiver: Resolved): Resolved {
    const intrinsic = intrinsicName(fn)
    if (intrinsic !== undefined)
      return /^(JSON|Math|Number|String|Date|structuredClone$|Object\.(keys|getOwnPropertyNames)$)/.test(intrinsic) ||
        intrinsic.includes('.prototype.')
        ? own
        : merge(args)
    if (builtInExport(fn) !== undefined || this.#path.includes(fn)) return own
    const text = Function.prototype.toString.call(fn)
    const analysis = analyseFunction(text)
    if (analysis.kind !== 'function') return analysis.kind === 'class' ? own : merge([...args, receiver])
    // That it is called is reason enough: what it gives out of its package is not asked.
    if (this.#packageOf(fn, analysis) !== undefined) return merge(args)
    const { returned } = behaviourOf(text)
    if (returned.length === 0) return own
    this.#path.push(fn)
    try {
      return resolveAll(returned, this.#environment(fn, args, receiver))
    } finally {
      this.#path.pop()
    }
  }
}

function usesNothing({ freeVariables }: Variables): boolean {
  return freeVariables.every(({ standardGlobal }) => standardGlobal)
}
