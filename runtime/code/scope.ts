/**
 * Scopes of a function's text: which names a node declares. Pure, over the tree that acorn makes.
 *
 * A scope's names are all collected on entry, before any of its references is looked at: `var` and function
 * declarations hoist, and a `let` shadows in its whole block, also above its line.
 */
import type { AnyNode } from 'acorn'

export interface Scope {
  readonly names: Set<string>
  readonly parent: Scope | undefined
}

export function childScope(parent: Scope | undefined, names: Iterable<string> = []): Scope {
  return { names: new Set(names), parent }
}

export function isDeclared(scope: Scope | undefined, name: string): boolean {
  for (let at = scope; at !== undefined; at = at.parent) if (at.names.has(name)) return true
  return false
}

/** The nodes directly below `node`, in the order of the text. */
export function childNodes(node: AnyNode): AnyNode[] {
  const out: AnyNode[] = []
  for (const value of Object.values(node) as unknown[]) {
    if (Array.isArray(value)) for (const item of value as unknown[]) pushNode(out, item)
    else pushNode(out, value)
  }
  return out
}

function pushNode(out: AnyNode[], value: unknown): void {
  if (typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string') {
    out.push(value as AnyNode)
  }
}

/** Adds the names that a pattern binds: `{ a, b: [c = 1], ...d }` binds a, c and d. */
export function addPatternNames(pattern: AnyNode | null, names: Set<string>): void {
  switch (pattern?.type) {
    case 'Identifier':
      names.add(pattern.name)
      return
    case 'ObjectPattern':
      for (const property of pattern.properties) {
        addPatternNames(property.type === 'RestElement' ? property.argument : property.value, names)
      }
      return
    case 'ArrayPattern':
      for (const element of pattern.elements) addPatternNames(element, names)
      return
    case 'AssignmentPattern':
      addPatternNames(pattern.left, names)
      return
    case 'RestElement':
      addPatternNames(pattern.argument, names)
      return
    default:
      return
  }
}

/** Adds what statements declare for their own block: `let`, `const`, `using`, classes and functions. */
export function addLexicalNames(statements: readonly AnyNode[], names: Set<string>): void {
  for (const statement of statements) {
    if (statement.type === 'VariableDeclaration') {
      if (statement.kind !== 'var') for (const { id } of statement.declarations) addPatternNames(id, names)
    } else if (statement.type === 'ClassDeclaration') {
      if (statement.id) names.add(statement.id.name)
    } else {
      const declared = unlabelled(statement)
      if (declared.type === 'FunctionDeclaration' && declared.id) names.add(declared.id.name)
    }
  }
}

function unlabelled(statement: AnyNode): AnyNode {
  return statement.type === 'LabeledStatement' ? unlabelled(statement.body) : statement
}

/**
 * Adds the `var` names of a function body, however deep in blocks, not those of functions inside. In sloppy code a
 * plain function declared in a block is a `var` of the function as well (Annex B.3.2).
 */
export function addVarNames(node: AnyNode, names: Set<string>, strict: boolean): void {
  switch (node.type) {
    case 'FunctionDeclaration':
      if (!strict && !node.async && !node.generator && node.id) names.add(node.id.name)
      return
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
    case 'ClassDeclaration':
    case 'ClassExpression':
    case 'StaticBlock':
      return
    case 'VariableDeclaration':
      if (node.kind === 'var') for (const { id } of node.declarations) addPatternNames(id, names)
      break
    default:
  }
  for (const child of childNodes(node)) addVarNames(child, names, strict)
}
