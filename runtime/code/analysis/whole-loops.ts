/**
 * Loops that call something until it answers with nothing, as `while ((match = pattern.exec(text)))` does: where nothing
 * leaves the loop before, the pattern stands at its beginning again. Pure.
 */
import type { AnyNode } from 'acorn'
import { childNodes } from '../scope.ts'

/** Where the calls of such loops end. */
export function callsToTheEnd(root: AnyNode): ReadonlySet<number> {
  const ends = new Set<number>()
  collect(root, ends)
  return ends
}

function collect(node: AnyNode, ends: Set<number>): void {
  if ((node.type === 'WhileStatement' || node.type === 'ForStatement') && node.test && !isLeft(node.body)) {
    const call = calledUntilNothing(node.test)
    if (call !== undefined) ends.add(call.end)
  }
  for (const child of childNodes(node)) collect(child, ends)
}

/** `call`, `name = call`, `(name = call) !== null`. */
function calledUntilNothing(test: AnyNode): AnyNode | undefined {
  switch (test.type) {
    case 'ParenthesizedExpression':
      return calledUntilNothing(test.expression)
    case 'CallExpression':
      return test
    case 'AssignmentExpression':
      return test.operator === '=' ? calledUntilNothing(test.right) : undefined
    case 'BinaryExpression': {
      const isNull = test.right.type === 'Literal' && test.right.value === null
      return isNull && /^!==?$/.test(test.operator) ? calledUntilNothing(test.left) : undefined
    }
    default:
      return undefined
  }
}

/** Others may run, or the loop may end, within its body. */
function isLeft(node: AnyNode): boolean {
  if (/^(Break|Return|Throw)Statement$|^(Await|Yield)Expression$/.test(node.type)) return true
  if (node.type === 'ContinueStatement') return node.label !== null && node.label !== undefined
  if (/Function/.test(node.type)) return false
  return childNodes(node).some(isLeft)
}
