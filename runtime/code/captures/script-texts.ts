/** Texts of scripts, where they are to be had elsewhere than in the engine and are certainly what was loaded. */
import { readFileSync, statSync, type Stats } from 'node:fs'
import Module, { createRequire } from 'node:module'
import { performance } from 'node:perf_hooks'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { types } from 'node:util'
import { lineStarts } from '../parse-function.ts'
import { evaluatedText } from '../evaluate-source.ts'
import { readScopes, type Witness } from './scopes.ts'

/** What is known of a script; offsets and lengths in UTF-16 units. */
export interface ScriptFacts {
  readonly url: string
  readonly length?: number
  /** Where functions in it begin and end, where its length is not known. */
  readonly ends?: readonly number[]
}

/**
 * The text of a script: that of its file, if nothing has touched it since before this process began, or what was
 * evaluated here. It has the length of the script, and the witness stands in it where the engine says. Undefined for any
 * other, also for TypeScript, which is compiled on its way.
 */
export function textOf(facts: ScriptFacts, witness: Witness): string | undefined {
  const fn = witness.fn.deref()
  const text = fn === undefined ? undefined : (evaluatedText(facts.url) ?? textOfFile(facts.url))
  if (fn === undefined || text === undefined) return undefined
  if (!isAsKnown(text, facts) || !standsThere(text, fn, witness)) return undefined
  // What a hook (rewire) has put behind the text of a file shows in its length alone.
  const mayBeLonger = facts.length === undefined && facts.url.startsWith('file:') && !isLoadedByNode()
  return mayBeLonger ? undefined : text
}

/** Whether CommonJS files are loaded by Node's own functions, not by a hook of somebody else's. */
function isLoadedByNode(): boolean {
  const { prototype, _extensions, _nodeModulePaths } = Module as unknown as {
    readonly prototype: { readonly _compile: Function; readonly load: Function }
    readonly _extensions: Readonly<Record<string, Function>>
    readonly _nodeModulePaths: Function
  }
  const { '.js': extension = isLoadedByNode } = _extensions
  const own = readScopes(_nodeModulePaths)?.location?.scriptId
  return [prototype._compile, prototype.load, extension].every((fn) => readScopes(fn)?.location?.scriptId === own)
}

function textOfFile(url: string): string | undefined {
  if (!/^file:[^?#]*\.[cm]?js$/.test(url)) return undefined
  try {
    const path = fileURLToPath(url)
    return isOlderThanProcess(statSync(path)) ? readFileSync(path, 'utf8').replace(/^\uFEFF/, '') : undefined
  } catch {
    return undefined
  }
}

/** Files may have been changed a clock tick of the kernel later than they say. FAT and HFS+ count in seconds. */
function isOlderThanProcess({ ctimeMs }: Stats): boolean {
  const tick = ctimeMs % 1000 === 0 ? 2000 : 10
  return ctimeMs + tick < performance.timeOrigin
}

function isAsKnown(text: string, { length, ends = [] }: ScriptFacts): boolean {
  if (length !== undefined) return text.length === length
  return ends.every((offset) => offset <= text.length && !isWithin(text, offset))
}

/** Whether no function can begin or end there. */
function isWithin(text: string, offset: number): boolean {
  const around = text.slice(Math.max(0, offset - 1), offset + 1)
  return /^(?:[\w$]{2}|\s\s)$/.test(around)
}

/** The engine names where the parameters begin, or the constructor of a class; the text begins at its first word. */
function standsThere(text: string, fn: Function, { line, column }: Witness): boolean {
  const own = Function.prototype.toString.call(fn)
  const offset = (lineStarts(text)[line] ?? Infinity) + column
  const start = offset < text.length ? text.lastIndexOf(own, offset) : -1
  return start >= 0 && offset < start + own.length
}

/** The URL of the CommonJS file that the function is written in and an export of. */
export function requiredFileOf(witness: Witness): string | undefined {
  const wanted = witness.fn.deref()
  if (wanted === undefined || witness.isModule) return undefined
  ownRequire ??= createRequire(import.meta.url)
  for (const [filename, loaded] of Object.entries(ownRequire.cache)) {
    if (loaded === undefined || !exportsIt(loaded.exports, wanted)) continue
    const url = pathToFileURL(filename).href
    // Others may pass it on.
    if (textOf({ url }, witness) !== undefined) return url
  }
  return undefined
}

let ownRequire: NodeJS.Require | undefined

function exportsIt(exported: unknown, wanted: Function): boolean {
  if (exported === wanted) return true
  if ((typeof exported !== 'object' && typeof exported !== 'function') || exported === null) return false
  if (types.isProxy(exported)) return false
  // Compilers export by getters; elsewhere a getter may do work, and is left alone.
  const isCompiled = Object.hasOwn(exported, '__esModule')
  return Object.entries(Object.getOwnPropertyDescriptors(exported)).some(([name, property]) => {
    if (!isCompiled || property.get === undefined) return property.value === wanted
    try {
      return Reflect.get(exported, name) === wanted
    } catch {
      return false
    }
  })
}

/** As the engine finds it: '' where there is none, undefined where it is not plain which comment counts. */
export function sourceMapUrlIn(text: string): string | undefined {
  const word = 'sourceMappingURL'
  const at = text.indexOf(word)
  if (at < 0) return ''
  if (text.includes(word, at + word.length)) return undefined
  return /^[ \t]*\/\/[#@][ \t]sourceMappingURL=([^\s'"]+)\s*$/.exec(text.slice(text.lastIndexOf('\n', at) + 1))?.[1]
}
