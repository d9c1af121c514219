import type { AnyNode, MemberExpression, MethodDefinition, Property } from 'acorn'

/** The name of the property, where it is written out. */
export function memberName(node: MemberExpression): string | undefined {
  const { property } = node
  if (!node.computed)
    return property.type === 'Identifier'
      ? property.name
      : property.type === 'PrivateIdentifier'
        ? `#${property.name}`
        : undefined
  if (property.type === 'Literal' && typeof property.value === 'string') return property.value
  return isSymbolIterator(property) ? '[Symbol.iterator]' : undefined
}

function isSymbolIterator(node: AnyNode): boolean {
  if (node.type !== 'MemberExpression' || node.computed) return false
  const { object, property } = node
  return (
    object.type === 'Identifier' &&
    object.name === 'Symbol' &&
    property.type === 'Identifier' &&
    property.name === 'iterator'
  )
}

/** What the language calls of an object, where no text names it. */
export const namesOfUnnamed: ReadonlySet<string> = new Set('toString valueOf toJSON then next return throw'.split(' '))

/** Whether a member is an accessor, or a method that is called where no text names it, as far as its name tells. */
export function isUnnamed({ kind, computed, key }: MethodDefinition | Property): boolean {
  if (kind === 'get' || kind === 'set' || computed) return true
  return key.type === 'Identifier' ? namesOfUnnamed.has(key.name) : key.type === 'Literal'
}

/** A text that is written out. */
export function constantText(node: AnyNode): string | undefined {
  if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : undefined
  if (node.type === 'TemplateLiteral' && node.expressions.length === 0) return node.quasis[0]?.value.cooked ?? undefined
  return undefined
}
