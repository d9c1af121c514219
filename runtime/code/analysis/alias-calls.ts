/** Calls in a function's text: what is passed where, and what comes back; part of the walk of `alias-walk.ts`. */
import type { AnyNode, Node } from 'acorn'
import { isStandardGlobal } from '../standard-globals.ts'
import { withGiven } from './instances.ts'
import { keepsGiven, resultOf } from './known-methods.ts'
import { memberName } from './member-name.ts'
import { holding, nothing, putAnywhere, reach, union, type Value } from './sources.ts'
import type { Frame, Walker } from './walker.ts'

const injectedHelper = '__name'

/** Arguments that are told apart, where their number is not known. */
export const mostGiven = 8

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
  const given = callbackResults(walk, callbacks, receiver, args)
  // What they give, or something new that holds it.
  const results = [given, holding([given])]
  if (value.functions.size > 0) {
    const self = isNew ? nothing : receiver
    results.push(walk.callLocal(value.functions, args, isNew ? nothing : indirect(walk, callee, args), self))
    if (isMember && isIndirect(name)) walk.callLocal(value.functions, [], nothing, union(args))
    // An instance has the methods of its class.
    if (isNew) results.push({ ...nothing, functions: value.functions })
  }
  const outer = [...value.is]
  // What a method keeps of its arguments, it keeps in what it is called on.
  if (isMember) {
    const kept = holding(args)
    const isKnown = outer.some(({ root }) => root !== putAnywhere)
    if (!isKnown && receiver.functions.size === 0 && keepsGiven(name))
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
    held: args.map(({ holds }) => [...holds]),
    toTheEnd: walk.toTheEnd.has(node.end),
    target: [...(args[0] ?? nothing).is],
    callback: callbacks.size > 0,
    local: value.functions.size > 0,
    within: isMember ? [...receiver.holds] : [],
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
    const value = inner.type === 'Super' ? (frame.parent ?? nothing) : walk.evaluate(inner, frame)
    return { value, receiver: nothing, name: inner.type === 'Identifier' ? inner.name : 'a function', isMember: false }
  }
  const receiver = walk.evaluate(inner.object, frame)
  if (inner.computed) walk.evaluate(inner.property, frame)
  const name = memberName(inner)
  const value = withGiven(walk.part(receiver, name ?? '*'), inner.object, name ?? '*', frame.ofClass)
  return { value, receiver, name: name ?? 'a method', isMember: true }
}

function argumentsOf(walk: Walker, node: CallNode, frame: Frame): Value[] {
  // The texts come first.
  if (node.type === 'TaggedTemplateExpression')
    return [nothing, ...node.quasi.expressions.map((part) => walk.evaluate(part, frame))]
  const values = node.arguments.map((argument) =>
    argument.type === 'SpreadElement'
      ? walk.part(walk.evaluate(argument.argument, frame), '*')
      : walk.evaluate(argument, frame),
  )
  const spread = node.arguments.findIndex(({ type }) => type === 'SpreadElement')
  if (spread < 0) return values
  // From there on each may be any of them.
  const rest = union(values.slice(spread))
  return [...values.slice(0, spread), ...Array.from({ length: mostGiven }, () => rest)]
}

function isIndirect(name: string): boolean {
  return name === 'call' || name === 'apply' || name === 'bind'
}

/** By `call`, `apply` and `bind` a function is given the arguments at other places. */
function indirect(walk: Walker, { name, isMember }: Callee, args: readonly Value[]): Value {
  if (!isMember || !isIndirect(name)) return nothing
  const given = union(args)
  return union([given, walk.part(given, '*')])
}

/** Functions that are passed are called with elements of what the method is called on, or of the other arguments. */
function callbackResults(walk: Walker, callbacks: ReadonlySet<Node>, receiver: Value, args: readonly Value[]): Value {
  if (callbacks.size === 0) return nothing
  const given = union([isGlobalClass(receiver) ? nothing : receiver, ...args])
  const elements = union([walk.part(given, '*'), { ...given, functions: new Set() }])
  const once = walk.callLocal(callbacks, [], { ...elements, functions: new Set() }, union(args))
  // A reducer is called with what it returned.
  return once === nothing ? nothing : union([once, walk.callLocal(callbacks, [once], nothing, nothing)])
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
/** Methods of `Object` and `Map` whose result holds the elements of what they were given. */
const keepsElements: ReadonlySet<string> = new Set(['values', 'groupBy', 'getOwnPropertyDescriptors'])

/** `Object` of `Object.values(x)`: what it makes has none of its own methods. */
function isGlobalClass({ is, holds }: Value): boolean {
  const [source] = is
  if (source === undefined || is.size > 1 || holds.size > 0) return false
  return source.path.length === 0 && /^[A-Z]/.test(source.root) && isStandardGlobal(source.root)
}

/** `new Set(x)` holds what is in `x`. */
function isCollection(value: Value): boolean {
  if (!isGlobalClass(value)) return false
  const [source] = value.is
  return source?.root === 'Set' || source?.root === 'Map'
}

/** What a view of memory is made by, of an `ArrayBuffer`; of anything else it is a copy. */
function isView(name: string): boolean {
  return name === 'DataView' || name.endsWith('Array')
}

function isWritten(fn: Value | undefined): boolean {
  return fn !== undefined && fn.functions.size > 0 && fn.is.size === 0
}

/** To change the view is to change the memory. */
function memoryOf(walk: Walker, value: Value, step: '@buffer' | '@slice'): Value {
  return value.is.size === 0 ? nothing : { ...nothing, is: walk.sources.steps(value.is, step) }
}

function resultValue(walk: Walker, call: Callee, args: readonly Value[], node: CallNode): Value {
  const { value, receiver, name, isMember } = call
  const found = isGlobalClass(receiver) ? nothing : walk.part(receiver, '*')
  const passed: Value = { ...union(args), functions: new Set<Node>() }
  // What a function that is not written here returns is looked up when it is known which one it is.
  const called: Value = { is: new Set([walk.sources.of(`#${node.end}`)]), holds: new Set(), functions: new Set() }
  if (node.type === 'NewExpression')
    return union([
      called,
      holding([isCollection(value) ? walk.part(passed, '*') : passed]),
      ...(isView(name) ? [memoryOf(walk, passed, '@buffer')] : []),
    ])
  switch (isMember ? resultOf(name) : 'unknown') {
    // That of the language's own is none of what is shared.
    case 'primitive':
      return called
    case 'new': {
      // Of what the function gives that it calls, which is written here.
      if ((name === 'map' || name === 'flatMap') && isWritten(args[0])) return called
      const inside = keepsArguments.has(name) || keepsElements.has(name) ? walk.part(passed, '*') : nothing
      const kept = keepsArguments.has(name) ? [passed, inside] : [inside]
      const memory =
        name === 'slice'
          ? memoryOf(walk, receiver, '@slice')
          : name === 'from'
            ? memoryOf(walk, passed, '@buffer')
            : nothing
      return union([called, memory, holding([found, ...kept])])
    }
    case 'element':
      return union([called, found, name.startsWith('reduce') ? passed : nothing])
    case 'self':
      return union([called, receiver])
    case 'unknown':
      return called
  }
}
