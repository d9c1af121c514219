/**
 * Which names a function's text uses without declaring them, and what else ties it to the place where it was written.
 * The result is kept by text.
 */
import type { Class, Pattern } from 'acorn'
import { classMembers, type ClassMembers } from './class-members.ts'
import { withoutStatics } from './class-text.ts'
import { findClassUses, findOutsideUses, type NameUse, type OutsideSyntax, type OutsideUses } from './outside-uses.ts'
import { lineStarts, parseFunction, position, type FunctionRoot } from './parse-function.ts'
import { isStandardGlobal } from './standard-globals.ts'
import { textCache } from './text-cache.ts'

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
      /** Parameters before one with a default, as its `length` says unless somebody changed that. */
      readonly length: number
    }
  | {
      readonly kind: 'class'
      readonly text: string
      readonly freeVariables: readonly FreeVariable[]
      readonly placeBound: readonly PlaceBoundSyntax[]
      readonly length: number
      /** The text without what is static and no method, as it is made again. */
      readonly lasting: string
      /** Where in the text the expression stands that says what it extends. */
      readonly heritage: { readonly start: number; readonly end: number } | undefined
      /** Names of fields that begin with `#`, whose values in instances nobody else can read. */
      readonly privateFields: { readonly instance: readonly string[]; readonly static: readonly string[] }
      readonly members: ClassMembers
    }
  | {
      readonly kind: 'accessor'
      /** What one half of an accessor is when it is taken as a function. */
      readonly half: Extract<FunctionAnalysis, { readonly kind: 'function' }>
    }
  | { readonly kind: 'native' }
  | { readonly kind: 'unparsable'; readonly reason: string }

const cache = textCache<FunctionAnalysis>()

/** Analyses what `Function.prototype.toString` gives. */
export function analyseFunction(text: string): FunctionAnalysis {
  return cache.getOrMake(text, analyse)
}

/**
 * The names that `text`, the source of one function, uses and does not declare, by first use; standard globals are
 * among them, marked. A text that is no analysable function is a SyntaxError.
 */
export function freeVariables(text: string): readonly FreeVariable[] {
  const analysis = analyseFunction(text)
  if (analysis.kind === 'function' || analysis.kind === 'class') return analysis.freeVariables
  throw new SyntaxError(analysis.kind === 'unparsable' ? analysis.reason : `not a plain function: ${analysis.kind}`)
}

function analyse(text: string): FunctionAnalysis {
  const parsed = parseFunction(text)
  if (parsed.kind === 'native' || parsed.kind === 'unparsable') return parsed
  const { strict, prefixLength } = parsed
  const starts = lineStarts(text)
  const found = (uses: OutsideUses): Pick<FunctionParts, 'freeVariables' | 'placeBound'> => {
    const where = (start: number) => position(starts, start - prefixLength)
    return {
      freeVariables: mergeUses(uses.names, where),
      placeBound: uses.syntax.map(({ syntax, start, detail }) => ({ syntax, detail, ...where(start) })),
    }
  }
  if (parsed.kind === 'class') {
    const { superClass } = parsed.node
    const heritage = superClass && { start: superClass.start - prefixLength, end: superClass.end - prefixLength }
    const facts = {
      heritage: heritage ?? undefined,
      privateFields: privateFields(parsed.node),
      members: classMembers(
        parsed.node,
        (node) => text.slice(node.start - prefixLength, node.end - prefixLength),
        prefixLength,
      ),
      lasting: withoutStatics(parsed.node, text, prefixLength),
      length: lengthOfClass(parsed.node),
    }
    return { kind: 'class', text, ...found(findClassUses(parsed.node)), ...facts }
  }
  const { node, keyEnd } = parsed
  const shipped = keyEnd === undefined ? text : withPlainKey(text, keyEnd - prefixLength, node)
  const analysis = {
    kind: 'function',
    text: shipped,
    ...found(findOutsideUses(node, strict)),
    length: lengthOf(node.params),
  } as const
  return parsed.kind === 'accessor' ? { kind: 'accessor', half: analysis } : analysis
}

function lengthOf(params: readonly Pattern[]): number {
  const first = params.findIndex(({ type }) => type === 'AssignmentPattern' || type === 'RestElement')
  return first < 0 ? params.length : first
}

function lengthOfClass({ body }: Class): number {
  for (const member of body.body)
    if (member.type === 'MethodDefinition' && member.kind === 'constructor') return lengthOf(member.value.params)
  return 0
}

type FunctionParts = Extract<FunctionAnalysis, { kind: 'function' }>

function privateFields({ body }: Class): { instance: string[]; static: string[] } {
  const fields: { instance: string[]; static: string[] } = { instance: [], static: [] }
  for (const member of body.body) {
    if (member.type !== 'PropertyDefinition' || member.key.type !== 'PrivateIdentifier') continue
    fields[member.static ? 'static' : 'instance'].push(`#${member.key.name}`)
  }
  return fields
}

/** `async *[key]() {}` as `async *m() {}`, with the line breaks of the key, so that lines stay what they were. */
function withPlainKey(text: string, keyEnd: number, { async, generator }: FunctionRoot): string {
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
