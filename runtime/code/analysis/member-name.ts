import type { MemberExpression } from 'acorn'

/** The name of the property, where it is written out. */
export function memberName(node: MemberExpression): string | undefined {
  const { property } = node
  if (!node.computed) return property.type === 'Identifier' ? property.name : undefined
  return property.type === 'Literal' && typeof property.value === 'string' ? property.value : undefined
}
