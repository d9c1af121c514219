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
  const { scriptId, line, column } = location
  const file = fileOf(scriptId)
  if (file === undefined) return unknownReason
  const { program, lines, declared } = file
  const offset = (lines[line] ?? 0) + column
  const isOfFile = /^(Module|Script)/.test(inScript.description) || inScript === scopes.at(-1)
  if (declared.getOrMake(`${offset} ${name}`, () => declaredFor(program, name, offset))) return undefined
  if (isOfFile) file.hasRun ||= hasRun(program, scriptOf(scriptId)?.url ?? '')
  return isOfFile && file.hasRun ? undefined : unknownReason
}

interface ScriptFile {
  readonly program: Program
  /** Where its lines begin. */
  readonly lines: readonly number[]
  /** Whether a variable is surely declared, by the place of who uses it and its name. */
  readonly declared: BoundedMap<string, boolean>
  hasRun: boolean
}

const maxFiles = 32
const maxAnswers = 1000
const files = new BoundedMap<string, ScriptFile | null>(maxFiles)

function fileOf(scriptId: string): ScriptFile | undefined {
  return files.getOrMake(scriptId, () => parseScript(scriptId)) ?? undefined
}

function parseScript(scriptId: string): ScriptFile | null {
  const text = scriptText(scriptId)
  if (text === undefined) return null
  try {
    const program = parseProgram(text, scriptOf(scriptId)?.isModule === true ? 'module' : 'script')
    return { program, lines: lineStarts(text), declared: new BoundedMap(maxAnswers), hasRun: false }
  } catch {
    return null
  }
}

/** `from-the-start`: what reads as undefined is. `reached`: so it is for functions that exist once that line is passed. */
type Declared = 'from-the-start' | 'reached' | 'not-reached'

/** Whether the innermost declaration of `name` around `offset` has surely been reached when the function exists. */
function declaredFor(program: Program, name: string, offset: number): boolean {
  let answer: Declared = 'not-reached'
  const look = (node: AnyNode): void => {
    // A function declaration is there before the lines above it have run; parameters are before it.
    if (node.type === 'FunctionDeclaration' && answer === 'reached') answer = 'not-reached'
    for (const statement of statementsOf(node)) answer = declares(statement, name, offset) ?? answer
    if ('params' in node) {
      const names = new Set<string>()
      for (const param of node.params as AnyNode[]) addPatternNames(param, names)
      if (names.has(name)) answer = 'from-the-start'
    }
    for (const child of childNodes(node)) if (child.start <= offset && offset < child.end) look(child)
  }
  look(program)
  return answer !== 'not-reached'
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

function declares(statement: AnyNode, name: string, offset: number): Declared | undefined {
  const inner = 'declaration' in statement && statement.declaration ? (statement.declaration as AnyNode) : statement
  if (inner.type !== 'VariableDeclaration') return undefined
  for (const { id, init, end } of inner.declarations) {
    const names = new Set<string>()
    addPatternNames(id, names)
    if (!names.has(name)) continue
    if (inner.kind === 'var') return 'from-the-start'
    return end <= offset || isUndefined(init) ? 'reached' : 'not-reached'
  }
  return undefined
}

function isUndefined(init: AnyNode | null | undefined): boolean {
  return init?.type === 'Identifier' && init.name === 'undefined'
}
