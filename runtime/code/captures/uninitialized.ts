/**
 * Whether a variable that reads as undefined is, or only is not initialised yet: the inspector shows both alike, and
 * what would be a ReferenceError here must not become undefined elsewhere.
 *
 * It is undefined for certain when it is declared without a value, or above a function that did not exist before its
 * line was run, or in a file whose own code has run to its end. Anything else is refused.
 */
import type { AnyNode, Program } from 'acorn'
import { BoundedMap } from '../../base/bounded-map.ts'
import { lineStarts, parseProgram } from '../parse-function.ts'
import { addPatternNames, childNodes } from '../scope.ts'
import type { FunctionScopes } from './scopes.ts'
import { scriptOf, scriptText } from './scripts.ts'

const unknownReason =
  'which is undefined here, and it cannot be told whether it is only not initialised yet; ' +
  'give it a value before the function is written, or pass it as an argument'

/** Undefined where it is undefined for certain; else a clause that says what it is. */
export function whyUndefined({ location, scopes }: FunctionScopes, name: string): string | undefined {
  const inScript = scopes.find(({ variables }) => Object.hasOwn(variables, name))
  if (location === undefined || inScript === undefined) return unknownReason
  const { scriptId } = location
  const text = scriptText(scriptId)
  if (text === undefined) return unknownReason
  const program = programOf(scriptId, text)
  if (program === undefined) return unknownReason
  const offset = (lineStarts(text)[location.line] ?? 0) + location.column
  const isOfFile = /^(Module|Script)/.test(inScript.description) || inScript === scopes.at(-1)
  if (declaredFor(program, name, offset)) return undefined
  return isOfFile && hasRun(program, scriptOf(scriptId)?.url ?? '') ? undefined : unknownReason
}

const maxPrograms = 32
const programs = new BoundedMap<string, Program | null>(maxPrograms)

function programOf(scriptId: string, text: string): Program | undefined {
  return programs.getOrMake(scriptId, () => parseScript(scriptId, text)) ?? undefined
}

function parseScript(scriptId: string, text: string): Program | null {
  try {
    return parseProgram(text, scriptOf(scriptId)?.isModule === true ? 'module' : 'script')
  } catch {
    return null
  }
}

/** Whether the innermost declaration of `name` around `offset` has surely been reached when the function exists. */
function declaredFor(program: Program, name: string, offset: number): boolean {
  let answer = false
  const look = (node: AnyNode): void => {
    // A function declaration is there before the lines above it have run.
    if (node.type === 'FunctionDeclaration') answer = false
    for (const statement of statementsOf(node)) {
      const declared = declares(statement, name, offset)
      if (declared !== undefined) answer = declared
    }
    if ('params' in node) {
      const names = new Set<string>()
      for (const param of node.params as AnyNode[]) addPatternNames(param, names)
      if (names.has(name)) answer = true
    }
    for (const child of childNodes(node)) if (child.start <= offset && offset < child.end) look(child)
  }
  look(program)
  return answer
}

/** Whether the code of the file itself is over: nothing of it is under way now, and it never waits. */
function hasRun(program: Program, url: string): boolean {
  if (url === '' || program.body.some((statement) => waits(statement))) return false
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = Infinity
  const frames = (new Error('where').stack ?? '').split('\n')
  Error.stackTraceLimit = limit
  const path = url.replace(/^file:\/\//, '')
  return !frames.some(
    (frame) => frame.includes(path) && /at (async )?(file:|\/|Object\.<anonymous>|Module)/.test(frame),
  )
}

function waits(node: AnyNode): boolean {
  if (node.type === 'AwaitExpression') return true
  if ('params' in node) return false
  return childNodes(node).some(waits)
}

function statementsOf(node: AnyNode): readonly AnyNode[] {
  if (node.type === 'Program' || node.type === 'BlockStatement' || node.type === 'StaticBlock') return node.body
  if (node.type === 'SwitchCase') return node.consequent
  return node.type === 'ForStatement' && node.init ? [node.init] : []
}

function declares(statement: AnyNode, name: string, offset: number): boolean | undefined {
  const inner = 'declaration' in statement && statement.declaration ? (statement.declaration as AnyNode) : statement
  if (inner.type !== 'VariableDeclaration') return undefined
  for (const { id, init, end } of inner.declarations) {
    const names = new Set<string>()
    addPatternNames(id, names)
    if (!names.has(name)) continue
    // A `var` is undefined from the start; so is what nothing was ever given to, once its line is passed.
    return inner.kind === 'var' || end <= offset || isUndefined(init)
  }
  return undefined
}

function isUndefined(init: AnyNode | null | undefined): boolean {
  return init?.type === 'Identifier' && init.name === 'undefined'
}
