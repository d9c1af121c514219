/**
 * Which names a function's text uses without declaring them, and what else ties it to the place where it was written.
 * Parsing is acorn's, loaded on first need; the result is kept by text.
 */
import { createRequire } from 'node:module'
import type { ArrowFunctionExpression, FunctionExpression, Options, Program } from 'acorn'
import { BoundedCache } from './bounded-cache.ts'
import { findOutsideUses, type NameUse, type OutsideSyntax, type OutsideUses } from './outside-uses.ts'
import { isStandardGlobal } from './standard-globals.ts'

export interface FreeVariable {
  readonly name: string
  /** Where it is used first; both count from 1, in the function's own text. */
  readonly line: number
  readonly column: number
  /** Some use assigns to it. */
  readonly write: boolean
  /** Every use is `typeof name`, which is no error where the name does not exist. */
  readonly typeofOnly: boolean
  /** A global of every worker, unless a variable outside the function has the same name. */
  readonly standardGlobal: boolean
}

export interface PlaceBoundSyntax {
  readonly syntax: OutsideSyntax
  readonly line: number
  readonly column: number
  /** What was written: `#secret`, `./helper.js`, or the syntax itself. */
  readonly detail: string
}

export type FunctionAnalysis =
  | {
      readonly kind: 'function'
      /** The text to ship: a method whose key is computed or private gets a plain key, the rest is as written. */
      readonly text: string
      readonly freeVariables: readonly FreeVariable[]
      readonly placeBound: readonly PlaceBoundSyntax[]
    }
  | { readonly kind: 'class' | 'accessor' | 'native' }
  | { readonly kind: 'unparsable'; readonly reason: string }

const cache = new BoundedCache<FunctionAnalysis>(4096, 16 * 1024 * 1024)

/** Analyses what `Function.prototype.toString` gives. */
export function analyseFunction(text: string): FunctionAnalysis {
  const known = cache.get(text)
  if (known !== undefined) return known
  const analysis = analyse(text)
  cache.set(text, analysis, text.length)
  return analysis
}

/**
 * The names that `text`, the source of one function, uses and does not declare, by first use; standard globals are
 * among them, marked. A text that is no analysable function is a SyntaxError.
 */
export function freeVariables(text: string): readonly FreeVariable[] {
  const analysis = analyseFunction(text)
  if (analysis.kind === 'function') return analysis.freeVariables
  throw new SyntaxError(analysis.kind === 'unparsable' ? analysis.reason : `not a plain function: ${analysis.kind}`)
}

interface Form {
  readonly strict: boolean
  readonly before: string
  readonly after: string
  readonly privateMethod?: boolean
}

/**
 * The ways in which the text of a function can be an expression, in the order in which they are tried. Strict first:
 * ES modules and classes are strict and a text does not tell; sloppy code that also is valid strict code runs strict.
 */
const forms: readonly Form[] = [true, false].flatMap((strict) => [
  { strict, before: '(', after: '\n)' },
  { strict, before: '({', after: '\n})' },
  // A private method, `#m() {}`; a class that somebody wrote parses in the first form already.
  { strict, before: '(class{', after: '\n})', privateMethod: true },
])
/** Around every form: inside a function `new.target` parses too, to be refused by name. */
const opening = (strict: boolean): string => `function around(){${strict ? "'use strict';" : ''}return `
const nativeText = /\{\s*\[native code\]\s*\}$/

type Root =
  | {
      readonly kind: 'function'
      readonly node: FunctionExpression | ArrowFunctionExpression
      /** For a method whose key cannot be shipped as it is: where the key ends. */
      readonly keyEnd: number | undefined
    }
  | { readonly kind: 'class' | 'accessor' }

function analyse(text: string): FunctionAnalysis {
  if (nativeText.test(text)) return { kind: 'native' }
  let furthest: { readonly offset: number; readonly message: string } = { offset: -1, message: 'no function found' }
  for (const { strict, before, after, privateMethod = false } of forms) {
    const prefix = opening(strict) + before
    try {
      const root = findRoot(parse(`${prefix}${text}${after}}`), privateMethod)
      if (root === undefined) continue
      if (root.kind !== 'function') return { kind: root.kind }
      return functionAnalysis(text, prefix.length, root, findOutsideUses(root.node, strict))
    } catch (error) {
      const { pos, message } = error as SyntaxError & { pos?: number }
      const offset = pos === undefined ? 0 : pos - prefix.length
      if (offset > furthest.offset) furthest = { offset, message }
    }
  }
  return { kind: 'unparsable', reason: `${furthest.message.replace(/ \(\d+:\d+\)$/, '')}${at(text, furthest.offset)}` }
}

function at(text: string, offset: number): string {
  return offset < 0 ? '' : ` (line ${String(position(lineStarts(text), Math.min(offset, text.length)).line)})`
}

type Parse = (input: string, options: Options) => Program
let acornParse: Parse | undefined

function parse(input: string): Program {
  acornParse ??= (createRequire(import.meta.url)('acorn') as { parse: Parse }).parse
  return acornParse(input, {
    ecmaVersion: 'latest',
    // What only makes sense around the function is parsed all the same, to be refused by name.
    allowSuperOutsideMethod: true,
    allowImportExportEverywhere: true,
    checkPrivateFields: false,
  })
}

function findRoot(program: Program, privateMethod: boolean): Root | undefined {
  const [around, more] = program.body
  const statement = around?.type === 'FunctionDeclaration' && more === undefined ? around.body.body.at(-1) : undefined
  const expression = statement?.type === 'ReturnStatement' ? statement.argument : undefined
  if (!expression) return undefined
  if (expression.type === 'FunctionExpression' || expression.type === 'ArrowFunctionExpression') {
    return { kind: 'function', node: expression, keyEnd: undefined }
  }
  if (expression.type === 'ClassExpression') {
    if (!privateMethod) return { kind: 'class' }
    const [member, other] = expression.body.body
    if (member?.type !== 'MethodDefinition' || other !== undefined) return undefined
    if (member.kind !== 'method') return { kind: 'accessor' }
    return { kind: 'function', node: member.value, keyEnd: member.value.start }
  }
  if (expression.type !== 'ObjectExpression' || expression.properties.length !== 1) return undefined
  const property = expression.properties[0]
  if (property?.type !== 'Property') return undefined
  if (property.kind !== 'init') return { kind: 'accessor' }
  if (!property.method || property.value.type !== 'FunctionExpression') return undefined
  return { kind: 'function', node: property.value, keyEnd: property.computed ? property.value.start : undefined }
}

function functionAnalysis(
  text: string,
  prefixLength: number,
  root: Extract<Root, { kind: 'function' }>,
  uses: OutsideUses,
): FunctionAnalysis {
  const starts = lineStarts(text)
  const where = (start: number) => position(starts, start - prefixLength)
  return {
    kind: 'function',
    text: root.keyEnd === undefined ? text : withPlainKey(text, root.keyEnd - prefixLength, root.node),
    freeVariables: mergeUses(uses.names, where),
    placeBound: uses.syntax.map(({ syntax, start, detail }) => ({ syntax, detail, ...where(start) })),
  }
}

/** `async *[key]() {}` as `async *m() {}`, with the line breaks of the key, so that lines stay what they were. */
function withPlainKey(
  text: string,
  keyEnd: number,
  { async, generator }: FunctionExpression | ArrowFunctionExpression,
): string {
  const breaks = text.slice(0, keyEnd).replace(/[^\n]/g, '')
  return `${async ? 'async ' : ''}${generator ? '*' : ''}m${breaks}${text.slice(keyEnd)}`
}

function mergeUses(
  uses: readonly NameUse[],
  where: (start: number) => { line: number; column: number },
): readonly FreeVariable[] {
  const byName = new Map<string, FreeVariable>()
  for (const { name, start, kind } of uses) {
    const first = byName.get(name)
    byName.set(name, {
      ...(first ?? { name, standardGlobal: isStandardGlobal(name), ...where(start) }),
      write: kind === 'write' || (first?.write ?? false),
      typeofOnly: kind === 'typeof' && (first?.typeofOnly ?? true),
    })
  }
  return [...byName.values()]
}

function lineStarts(text: string): readonly number[] {
  const starts = [0]
  for (const { index, 0: lineBreak } of text.matchAll(/\r\n|[\n\r\u2028\u2029]/g)) starts.push(index + lineBreak.length)
  return starts
}

function position(starts: readonly number[], offset: number): { line: number; column: number } {
  const line = starts.findLastIndex((start) => start <= offset)
  return { line: Math.max(line, 0) + 1, column: offset - (starts[line] ?? 0) + 1 }
}
