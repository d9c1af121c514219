/** Calls in a function's text: what is passed where, and what comes back; part of the walk of `alias-walk.ts`. */
import type { AnyNode, Node } from 'acorn'
import { changesReceiver, resultOf } from './known-methods.ts'
import { memberName } from './member-name.ts'
import { holding, nothing, reach, union, type Value } from './sources.ts'
import type { Frame, Walker } from './walker.ts'

const injectedHelper = '__name'

type CallNode = Extract<AnyNode, { type: 'CallExpression' | 'NewExpression' | 'TaggedTemplateExpression' }>

interface Callee {
  readonly value: Value
  readonly receiver: Value
  readonly name: string
  readonly isMember: boolean
}

export function evaluateCall(walk: Walker, node: CallNode, frame: Frame): Value {
  const callee = evaluateCallee(walk, node.type === 'TaggedTemplateExpression' ? node.tag : node.callee, frame)
  const args = argumentsOf(walk, node, frame)
  const { value, receiver, name, isMember } = callee
  // A compiler's wrapper that names a function, and returns it.
  if (name === injectedHelper && !isMember) return args[0] ?? nothing
  const isNew = node.type === 'NewExpression'
  const callbacks = new Set(args.flatMap(({ functions }) => [...functions]))
  const results = [callbackResults(walk, callbacks, receiver, args)]
  if (value.functions.size > 0) results.push(walk.callLocal(value.functions, args, nothing))
  const outer = [...value.is]
  // What a method keeps of its arguments, it keeps in what it is called on.
  if (isMember) {
    const kept = holding(args)
    const changes = changesReceiver(name)
    if (outer.length === 0 && receiver.functions.size === 0 && (changes || resultOf(name) === 'unknown'))
      walk.changed(
        { ...receiver, is: new Set() },
        name,
        node.type === 'CallExpression' ? node.callee : node,
        kept,
        frame,
      )
  }
  walk.events.push({
    kind: 'call',
    callee: outer,
    name,
    isNew,
    receiver: [...receiver.is],
    args: args.map(reach),
    target: [...(args[0] ?? nothing).is],
    callback: callbacks.size > 0,
    local: value.functions.size > 0,
    isMember,
    start: node.start,
    end: node.end,
  })
  results.push(resultValue(walk, callee, args, node))
  return union(results)
}

function evaluateCallee(walk: Walker, node: AnyNode, frame: Frame): Callee {
  const inner = node.type === 'ChainExpression' || node.type === 'ParenthesizedExpression' ? node.expression : node
  if (inner.type !== 'MemberExpression') {
    const value = inner.type === 'Super' ? nothing : walk.evaluate(inner, frame)
    return { value, receiver: nothing, name: inner.type === 'Identifier' ? inner.name : 'a function', isMember: false }
  }
  const receiver = walk.evaluate(inner.object, frame)
  if (inner.computed) walk.evaluate(inner.property, frame)
  const name = memberName(inner)
  const value = walk.part(receiver, name ?? '*')
  return { value, receiver, name: name ?? 'a method', isMember: true }
}

function argumentsOf(walk: Walker, node: CallNode, frame: Frame): Value[] {
  if (node.type === 'TaggedTemplateExpression') return node.quasi.expressions.map((part) => walk.evaluate(part, frame))
  return node.arguments.map((argument) =>
    argument.type === 'SpreadElement'
      ? walk.part(walk.evaluate(argument.argument, frame), '*')
      : walk.evaluate(argument, frame),
  )
}

/** Functions that are passed are called with elements of what the method is called on, or of the other arguments. */
function callbackResults(walk: Walker, callbacks: ReadonlySet<Node>, receiver: Value, args: readonly Value[]): Value {
  if (callbacks.size === 0) return nothing
  const given = union([receiver, ...args])
  const elements = union([walk.part(given, '*'), { ...given, functions: new Set() }])
  const once = walk.callLocal(callbacks, [], { ...elements, functions: new Set() })
  // A reducer is called with what it returned.
  return once === nothing ? nothing : union([once, walk.callLocal(callbacks, [once], nothing)])
}

/** Methods whose result holds what they were given. */
const keepsArguments: ReadonlySet<string> = new Set([
  'concat',
  'with',
  'toSpliced',
  'of',
  'from',
  'entries',
  'fromEntries',
])

function resultValue(walk: Walker, call: Callee, args: readonly Value[], node: CallNode): Value {
  const { receiver, name, isMember } = call
  const passed: Value = { ...union(args), functions: new Set<Node>() }
  if (node.type === 'NewExpression') return holding([passed])
  // What a function that is not written here returns is looked up when it is known which one it is.
  const called: Value = { is: new Set([walk.sources.of(`#${node.end}`)]), holds: new Set(), functions: new Set() }
  switch (isMember ? resultOf(name) : 'unknown') {
    case 'primitive':
      return nothing
    case 'new': {
      const kept = keepsArguments.has(name) ? [passed, walk.part(passed, '*')] : []
      return union([called, holding([walk.part(receiver, '*'), ...kept])])
    }
    case 'element':
      return union([called, walk.part(receiver, '*'), name.startsWith('reduce') ? passed : nothing])
    case 'self':
      return union([called, receiver])
    case 'unknown':
      return called
  }
}
