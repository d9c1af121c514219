/**
 * Which methods and accessors of a class its text makes by itself. Others were put there later, by a decorator, a mixin
 * or an assignment, and may be no more enumerable than those of the text.
 */
import type { AnyNode, Class } from 'acorn'

export interface ClassMembers {
  /** Of each method and accessor, what `Function.prototype.toString` gives. */
  readonly texts: ReadonlySet<string>
  /** A static block may define methods, and does so again wherever the class is made. */
  readonly mayDefineMore: boolean
}

/** `textOf` gives the text of a node. */
export function classMembers({ body }: Class, textOf: (node: AnyNode) => string): ClassMembers {
  const texts = new Set<string>()
  let mayDefineMore = false
  for (const member of body.body) {
    if (member.type === 'MethodDefinition') texts.add(member.static ? withoutStatic(textOf(member)) : textOf(member))
    else if (member.type === 'StaticBlock') mayDefineMore ||= handsOut(textOf(member))
  }
  return { texts, mayDefineMore }
}

/** A function's own text begins behind the word. */
function withoutStatic(text: string): string {
  return text.replace(/^static(?:\s|\/\*[^]*?\*\/|\/\/.*)+/, '')
}

/** Whether the block gives the class, or its prototype, to something. A name that a compiler gives it does no harm. */
function handsOut(block: string): boolean {
  return /\bprototype\b|[(,]\s*this\b/.test(block.replace(/__name\(this\b/g, ''))
}

/** Whether evaluating the text of the class makes that property of it, or of its prototype, as it is. */
export function isOfText({ texts, mayDefineMore }: ClassMembers, property: PropertyDescriptor): boolean {
  const keys = ['value', 'get', 'set'] as const
  const functions = keys.map((key) => property[key] as unknown).filter((part) => typeof part === 'function')
  if (functions.length === 0) return false
  return mayDefineMore || functions.every((part) => isAmong(part, texts))
}

/** In which texts each method was found: to take the text of one again costs more. */
const found = new WeakMap<Function, ReadonlySet<string>>()

function isAmong(method: Function, texts: ReadonlySet<string>): boolean {
  if (found.get(method) === texts) return true
  if (!texts.has(Function.prototype.toString.call(method))) return false
  found.set(method, texts)
  return true
}
