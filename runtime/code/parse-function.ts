/**
 * Parses what `Function.prototype.toString` gives: of a function, a method, an accessor or a class. The parser is acorn,
 * loaded on first need.
 */
import type { ArrowFunctionExpression, ClassExpression, FunctionExpression, Options, Program } from 'acorn'
import { requireCompiled } from '../base/compiled-script.ts'

export type FunctionRoot = FunctionExpression | ArrowFunctionExpression

export type ParsedFunction =
  | {
      /** 'accessor': one half of one. */
      readonly kind: 'function' | 'accessor'
      readonly node: FunctionRoot
      readonly strict: boolean
      /** Offset in the parsed text at which the function's own text begins. */
      readonly prefixLength: number
      /** For what cannot be shipped with its key as it is, a method or an accessor: where the key ends. */
      readonly keyEnd: number | undefined
      /** It was written as a method: `super` in it has a meaning, that of the object that it belongs to. */
      readonly method: boolean
    }
  | {
      readonly kind: 'class'
      readonly node: ClassExpression
      readonly strict: boolean
      readonly prefixLength: number
    }
  | { readonly kind: 'native' }
  | { readonly kind: 'unparsable'; readonly reason: string }

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

export function parseFunction(text: string): ParsedFunction {
  if (nativeText.test(text)) return { kind: 'native' }
  let furthest: { readonly offset: number; readonly message: string } = { offset: -1, message: 'no function found' }
  for (const { strict, before, after, privateMethod = false } of forms) {
    const prefix = opening(strict) + before
    try {
      const root = findRoot(parseProgram(`${prefix}${text}${after}}`), privateMethod)
      if (root !== undefined) return { strict, prefixLength: prefix.length, ...root }
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

/** Throws what acorn throws: SyntaxError with `pos`. */
export function parseProgram(input: string, sourceType: 'script' | 'module' = 'script'): Program {
  acornParse ??= (requireCompiled('acorn', 'dist/acorn.js') as { parse: Parse }).parse
  return acornParse(input, {
    ecmaVersion: 'latest',
    sourceType,
    allowHashBang: true,
    // What only makes sense around the function is parsed all the same, to be refused by name.
    allowSuperOutsideMethod: true,
    allowImportExportEverywhere: true,
    allowReturnOutsideFunction: true,
    allowAwaitOutsideFunction: sourceType === 'module',
    checkPrivateFields: false,
  })
}

type Root =
  | Pick<Extract<ParsedFunction, { node: FunctionRoot }>, 'kind' | 'node' | 'keyEnd' | 'method'>
  | { readonly kind: 'class'; readonly node: ClassExpression }

function findRoot(program: Program, privateMethod: boolean): Root | undefined {
  const [around, more] = program.body
  const statement = around?.type === 'FunctionDeclaration' && more === undefined ? around.body.body.at(-1) : undefined
  const expression = statement?.type === 'ReturnStatement' ? statement.argument : undefined
  if (!expression) return undefined
  if (expression.type === 'FunctionExpression' || expression.type === 'ArrowFunctionExpression') {
    return { kind: 'function', node: expression, keyEnd: undefined, method: false }
  }
  if (expression.type === 'ClassExpression') {
    if (!privateMethod) return { kind: 'class', node: expression }
    const [member, other] = expression.body.body
    if (member?.type !== 'MethodDefinition' || other !== undefined) return undefined
    const kind = member.kind === 'method' ? 'function' : 'accessor'
    return { kind, node: member.value, keyEnd: member.value.start, method: true }
  }
  if (expression.type !== 'ObjectExpression' || expression.properties.length !== 1) return undefined
  const property = expression.properties[0]
  if (property?.type !== 'Property') return undefined
  if (property.value.type !== 'FunctionExpression') return undefined
  if (property.kind !== 'init')
    return { kind: 'accessor', node: property.value, keyEnd: property.value.start, method: true }
  if (!property.method) return undefined
  const keyEnd = property.computed ? property.value.start : undefined
  return { kind: 'function', node: property.value, keyEnd, method: true }
}

export interface TextPosition {
  /** Both count from 1. */
  readonly line: number
  readonly column: number
}

export function lineStarts(text: string): readonly number[] {
  const starts = [0]
  for (const { index, 0: lineBreak } of text.matchAll(/\r\n|[\n\r\u2028\u2029]/g)) starts.push(index + lineBreak.length)
  return starts
}

export function position(starts: readonly number[], offset: number): TextPosition {
  const line = starts.findLastIndex((start) => start <= offset)
  return { line: Math.max(line, 0) + 1, column: offset - (starts[line] ?? 0) + 1 }
}
