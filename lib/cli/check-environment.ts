/** For `outpool check`: what code reads of the environment that workers do not have. */
import type { AnyNode } from 'acorn'
import { isPassedVariable } from '../../runtime/node/child-settings.ts'

/** Told of each variable, with the node that names it. Other names of `process` or of its environment are not followed. */
export function readVariables(node: AnyNode, found: (name: string, at: AnyNode) => void): void {
  if (node.type === 'MemberExpression' && isEnvironment(node.object)) {
    const name = nameOf(node)
    if (name !== undefined) found(name, node)
  } else if (node.type === 'VariableDeclarator' && node.init && isEnvironment(node.init)) {
    const properties = node.id.type === 'ObjectPattern' ? node.id.properties : []
    for (const property of properties)
      if (property.type === 'Property' && property.key.type === 'Identifier') found(property.key.name, property)
  }
}

/** Of variables and the lines that read them: those that a worker is not given, in words. */
export function missingVariables(read: ReadonlyMap<string, number>): string[] {
  const missing = [...read].filter(([name]) => !isPassedVariable(name))
  if (missing.length === 0) return []
  const names = missing.map(([name, line]) => `${name} (line ${line})`).join(', ')
  return [`workers are not given ${names} of the environment: name what they need in runtimeEnv: { env } of init`]
}

function isEnvironment(node: AnyNode): boolean {
  return node.type === 'MemberExpression' && nameOf(node) === 'env' && isProcess(node.object)
}

function isProcess(node: AnyNode): boolean {
  return (
    (node.type === 'Identifier' && node.name === 'process') ||
    (node.type === 'MemberExpression' && nameOf(node) === 'process')
  )
}

function nameOf({ computed, property }: AnyNode & { readonly type: 'MemberExpression' }): string | undefined {
  if (property.type === 'Identifier') return computed ? undefined : property.name
  return property.type === 'Literal' && typeof property.value === 'string' ? property.value : undefined
}
