/**
 * Evaluates the text of a shipped function.
 *
 * The text begins in line 1 of a script of its own, so that a stack trace counts in the function's own lines.
 * It sees the globals, and nothing of this module. `import()` in it resolves packages from the working folder of the
 * process, which is the job's.
 */
import { join } from 'node:path'
import vm from 'node:vm'
import { BoundedMap } from '../base/bounded-map.ts'
import { RuntimeEnvSetupError } from '../base/errors.ts'
import { workingFolder } from '../base/working-folder.ts'
import { textCache } from './text-cache.ts'
import { textLabel } from './text-label.ts'

export type LoadedFunction = (...args: unknown[]) => unknown

type NameFunction = (fn: Function, name: string) => Function
type Factory = (nameFunction: NameFunction) => unknown

interface Form {
  readonly directive: string
  readonly open: string
  readonly close: string
  readonly isMethod: boolean
}

/** As in the analysis: strict before sloppy, and what is no expression is a method. */
const forms: readonly Form[] = ["'use strict';", ''].flatMap((directive) => [
  { directive, open: '(', close: '\n)', isMethod: false },
  { directive, open: '({', close: '\n})', isMethod: true },
])

/** Throws RuntimeEnvSetupError where the text is no function in this Node. */
export function evaluateSource(text: string, name: string): LoadedFunction {
  if (/\bimport\b/.test(text)) readyDynamicImport()
  let syntaxError: SyntaxError | undefined
  for (const form of forms) {
    let script: vm.Script
    try {
      script = compile(text, name, form)
    } catch (error) {
      syntaxError ??= error as SyntaxError
      continue
    }
    const made = (script.runInThisContext() as Factory)(nameFunction)
    const fn: unknown = form.isMethod ? Object.values(made as object)[0] : made
    if (typeof fn !== 'function') break
    return (name === '' || fn.name === name ? fn : nameFunction(fn, name)) as LoadedFunction
  }
  throw new RuntimeEnvSetupError(
    `function ${name || 'anonymous'} could not be loaded from its text: ${syntaxError === undefined ? 'it is no function' : String(syntaxError)}. ` +
      `Run the same major version of Node everywhere (here: ${process.version}).`,
    { ...(syntaxError === undefined ? {} : { cause: syntaxError }), details: { function: name } },
  )
}

/** The text of a function or class that uses variables from around it, ready to be made. */
export interface Evaluated {
  /** Gives the variables their values, in the order of their names; again and again, what was made sees the last. */
  readonly set: (values: readonly unknown[]) => void
  readonly make: () => unknown
}

interface Compiled {
  readonly script: vm.Script
  readonly isMethod: boolean
}

const compiled = textCache<Compiled>(1024, 8 * 1024 * 1024)

/** Each call gives variables of their own. Throws RuntimeEnvSetupError where the text is no function or class here. */
export function evaluateWithVariables(text: string, name: string, variables: readonly string[]): Evaluated {
  const key = `${name}\0${variables.join()}\0${text}`
  const { script, isMethod } = compiled.getOrMake(key, () => compileWithVariables(text, name, variables))
  const { set, make } = (script.runInThisContext() as (nameFunction: NameFunction) => Evaluated)(nameFunction)
  return {
    set,
    make: () => {
      const made = make()
      const fn = (isMethod ? Object.values(made as object)[0] : made) as Function
      return name === '' || Object.getOwnPropertyDescriptor(fn, 'name')?.value === name ? fn : nameFunction(fn, name)
    },
  }
}

function compileWithVariables(text: string, name: string, variables: readonly string[]): Compiled {
  if (/\bimport\b/.test(text)) readyDynamicImport()
  const declared = variables.length === 0 ? '' : `let ${variables.join()};`
  const given = variables.map((variable, index) => `${variable}=__values[${index}]`).join(';')
  let syntaxError: unknown
  for (const { directive, open, close, isMethod } of forms) {
    const head = `(function(__name){${directive}${declared}return{set:(__values)=>{${given}},make:()=>${open}`
    try {
      return { script: scriptOf(head, text, `${close}}})`, name), isMethod }
    } catch (error) {
      syntaxError ??= error
    }
  }
  throw new RuntimeEnvSetupError(
    `function ${name || 'anonymous'} could not be loaded from its text: ${String(syntaxError)}. ` +
      `Run the same major version of Node everywhere (here: ${process.version}).`,
    { cause: syntaxError, details: { function: name } },
  )
}

/**
 * Where what is ours of a script that `evaluateWithVariables` made ends: there the variables get their values, which is
 * no change of them. 0 for any other script.
 */
export function variablesSetUntil(script: string): number {
  return /^\(function\(__name\)\{[^{}]*return\{set:\(__values\)=>\{[^{}]*\}/.exec(script)?.[0].length ?? 0
}

function compile(text: string, name: string, { directive, open, close }: Form): vm.Script {
  return scriptOf(`(function(__name){${directive}return ${open}`, text, `${close}})`, name)
}

/** What was evaluated, by the URL of its script; null where different texts have the same. */
const evaluated = new BoundedMap<string, string | null>(1024, {
  readingRenews: true,
  maxWeight: 8 * 1024 * 1024,
  weightOf: (url, text) => url.length + (text?.length ?? 0),
})

/** The whole text of a script of ours, by its URL; undefined for any other, and where that cannot be told. */
export function evaluatedText(url: string): string | undefined {
  return evaluated.get(url) ?? undefined
}

function scriptOf(prefix: string, text: string, suffix: string, name: string): vm.Script {
  const url = textLabel(name, text, prefix.length)
  const whole = `${prefix}${text}${suffix}\n//# sourceURL=${url}`
  const before = evaluated.get(url)
  evaluated.set(url, before === undefined || before === whole ? whole : null)
  // Stack traces show the sourceURL; the file name is the base of `import()`, and needs to be in the working folder.
  return new vm.Script(whole, {
    filename: join(workingFolder(), '[outpool]'),
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
}

/** What esbuild's `keepNames` calls in function bodies. */
function nameFunction(fn: Function, name: string): Function {
  return Object.defineProperty(fn, 'name', { value: name, configurable: true })
}

let dynamicImportIsReady = false

/**
 * Node warns, once per process, at the first `import()` through this loader constant, that it is experimental. Users
 * would read that in the output of their workers and can do nothing about it; so the first one is made here, unheard.
 */
function readyDynamicImport(): void {
  if (dynamicImportIsReady) return
  dynamicImportIsReady = true
  const script = new vm.Script("import('node:vm')", {
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  const heard = Object.getOwnPropertyDescriptor(process, 'emitWarning')
  process.emitWarning = () => undefined
  try {
    void script.runInThisContext()
  } finally {
    if (heard === undefined) Reflect.deleteProperty(process, 'emitWarning')
    else Object.defineProperty(process, 'emitWarning', heard)
  }
}
