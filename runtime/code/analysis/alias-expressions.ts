/** What an expression of a function's text may stand for; part of the walk of `alias-walk.ts`. */
import type { AnyNode } from 'acorn'
import { childNodes } from '../scope.ts'
import { evaluateCall } from './alias-calls.ts'
import { findBinding } from './bindings.ts'
import { withGiven } from './instances.ts'
import { isUnnamed, memberName } from './member-name.ts'
import { either, holding, nothing, union, type Value } from './sources.ts'
import type { Frame, Walker } from './walker.ts'

export function evaluateExpression(walk: Walker, node: AnyNode, frame: Frame): Value {
  switch (node.type) {
    case 'Identifier':
      return nameValue(walk, node, frame)
    case 'ThisExpression':
      return frame.self
    case 'Super':
      return union([frame.self, frame.parent ?? nothing])
    case 'Literal':
    case 'TemplateElement':
      return nothing
    case 'MetaProperty':
      return frame.ofClass?.value ?? nothing
    case 'FunctionExpression':
    case 'ArrowFunctionExpression':
      return walk.define(node, frame, nothing)
    case 'ClassExpression':
      return walk.defineClass(node, frame, nothing)
    case 'MemberExpression':
      return memberValue(walk, node, frame)
    case 'CallExpression':
    case 'NewExpression':
    case 'TaggedTemplateExpression':
      return evaluateCall(walk, node, frame)
    case 'AssignmentExpression':
      return assignment(walk, node, frame)
    case 'UpdateExpression':
      walk.assign(node.argument, nothing, frame, false)
      return nothing
    case 'UnaryExpression':
      return unary(walk, node, frame)
    case 'ObjectExpression':
      return objectValue(walk, node, frame)
    case 'ArrayExpression':
      return holding(node.elements.map((element) => (element ? elementValue(walk, element, frame) : nothing)))
    case 'ConditionalExpression':
      walk.evaluate(node.test, frame)
      return either([walk.evaluate(node.consequent, frame), walk.evaluate(node.alternate, frame)])
    case 'LogicalExpression':
      return either([walk.evaluate(node.left, frame), walk.evaluate(node.right, frame)])
    case 'SequenceExpression':
      return node.expressions.map((expression) => walk.evaluate(expression, frame)).at(-1) ?? nothing
    case 'AwaitExpression':
    case 'ChainExpression':
    case 'ParenthesizedExpression':
      return walk.evaluate(node.type === 'AwaitExpression' ? node.argument : node.expression, frame)
    case 'YieldExpression':
      if (node.argument) {
        const value = walk.evaluate(node.argument, frame)
        walk.yielded(node.delegate ? walk.part(value, '*') : value, frame, node)
      }
      // Whoever goes on with it may give it something.
      return walk.part(nothing, '*')
    case 'ImportExpression': {
      walk.evaluate(node.source, frame)
      const specifier = node.source.type === 'Literal' ? String(node.source.value) : '...'
      walk.events.push({ kind: 'import', specifier, start: node.start })
      return nothing
    }
    default:
      // Arithmetic, comparisons and templates: made of what is in them, and none of it.
      for (const child of childNodes(node)) walk.evaluate(child, frame)
      return nothing
  }
}

function nameValue(walk: Walker, node: Extract<AnyNode, { type: 'Identifier' }>, { scope }: Frame): Value {
  const { name, start } = node
  const binding = findBinding(scope, name)
  if (binding !== undefined) return binding.value
  if (name === 'undefined' || name === 'NaN' || name === 'Infinity') return nothing
  walk.events.push({ kind: 'use', name, start })
  return { is: new Set([walk.sources.of(name)]), holds: new Set(), functions: new Set() }
}

function memberValue(walk: Walker, node: Extract<AnyNode, { type: 'MemberExpression' }>, frame: Frame): Value {
  const object = walk.evaluate(node.object, frame)
  if (node.computed) walk.evaluate(node.property, frame)
  const name = memberName(node)
  // Of something new it is a number.
  if (name === 'length') return object.is.size === 0 ? nothing : { ...nothing, is: walk.sources.steps(object.is, name) }
  return withGiven(walk.part(object, name ?? '*'), node.object, name ?? '*', frame.ofClass)
}

function assignment(walk: Walker, node: Extract<AnyNode, { type: 'AssignmentExpression' }>, frame: Frame): Value {
  const right = walk.evaluate(node.right, frame)
  const keeps = node.operator === '=' || /^(\|\||&&|\?\?)=$/.test(node.operator)
  walk.assign(node.left, keeps ? right : nothing, frame, false)
  if (!keeps) return nothing
  if (node.operator === '=') return right
  return union([
    right,
    node.left.type === 'Identifier' || node.left.type === 'MemberExpression'
      ? walk.evaluate(node.left, frame)
      : nothing,
  ])
}

function unary(walk: Walker, node: Extract<AnyNode, { type: 'UnaryExpression' }>, frame: Frame): Value {
  const { argument: whole } = node
  const argument =
    whole.type === 'ChainExpression' || whole.type === 'ParenthesizedExpression' ? whole.expression : whole
  if (node.operator === 'delete' && argument.type === 'MemberExpression') {
    const target = walk.evaluate(argument.object, frame)
    if (argument.computed) walk.evaluate(argument.property, frame)
    const name = memberName(argument)
    walk.changed(target, name === undefined ? 'deletes an element' : `deletes .${name}`, argument, nothing, frame)
  } else walk.evaluate(argument, frame)
  return nothing
}

function elementValue(walk: Walker, node: AnyNode, frame: Frame): Value {
  if (node.type === 'SpreadElement') return walk.part(walk.evaluate(node.argument, frame), '*')
  return walk.evaluate(node, frame)
}

function objectValue(walk: Walker, node: Extract<AnyNode, { type: 'ObjectExpression' }>, frame: Frame): Value {
  const values: Value[] = []
  for (const property of node.properties) {
    if (property.type === 'SpreadElement') {
      values.push(elementValue(walk, property, frame))
      continue
    }
    if (property.computed) walk.evaluate(property.key, frame)
    const value = walk.evaluate(property.value, frame)
    if ((property.kind !== 'init' || property.method) && isUnnamed(property))
      walk.calledUnnamed(value.functions, property.kind === 'set')
    values.push(value)
  }
  return holding(values)
}
