/**
 * Which methods and accessors of a class its text makes by itself. Others were put there later, by a decorator, a mixin
 * or an assignment, and may be no more enumerable than those of the text.
 */
import type { AnyNode, Class, Identifier, MethodDefinition } from 'acorn'

/** By what `Function.prototype.toString` gives of each method and accessor: its key, undefined where that is computed. */
type KeyByText = ReadonlyMap<string, string | undefined>

export interface ClassMembers {
  /** Of the class itself, and of its prototype. */
  readonly own: KeyByText
  readonly inherited: KeyByText
  /** A static block may define methods, and does so again wherever the class is made. */
  readonly mayDefineMore: boolean
}

/** `textOf` gives the text of a node. */
export function classMembers({ body }: Class, textOf: (node: AnyNode) => string): ClassMembers {
  const own = new Map<string, string | undefined>()
  const inherited = new Map<string, string | undefined>()
  let mayDefineMore = false
  for (const member of body.body) {
    if (member.type === 'StaticBlock') mayDefineMore ||= handsOut(textOf(member))
    else if (member.type !== 'MethodDefinition') continue
    else if (member.static) own.set(withoutStatic(textOf(member)), keyOf(member))
    else inherited.set(textOf(member), keyOf(member))
  }
  return { own, inherited, mayDefineMore }
}

function keyOf({ computed, key }: MethodDefinition): string | undefined {
  if (computed) return undefined
  if (key.type === 'Literal') return String(key.value)
  return key.type === 'PrivateIdentifier' ? `#${key.name}` : (key as Identifier).name
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
export function isOfText(
  members: ClassMembers,
  side: 'own' | 'inherited',
  key: string | symbol,
  property: PropertyDescriptor,
): boolean {
  const keys = ['value', 'get', 'set'] as const
  const functions = keys.map((part) => property[part] as unknown).filter((part) => typeof part === 'function')
  if (functions.length === 0) return false
  return members.mayDefineMore || functions.every((part) => isWrittenAs(part, key, members[side]))
}

/** What was found of each method: to take its text again costs more. */
const found = new WeakMap<Function, { readonly among: KeyByText; readonly key: string | undefined }>()

/** A method of the text may be at the key of another one, too: where that was written, something else is made. */
function isWrittenAs(method: Function, key: string | symbol, among: KeyByText): boolean {
  let known = found.get(method)
  if (known?.among !== among) {
    const text = Function.prototype.toString.call(method)
    if (!among.has(text)) return false
    known = { among, key: among.get(text) }
    found.set(method, known)
  }
  if (known.key !== undefined) return known.key === key
  return typeof key === 'symbol' || !new Set(among.values()).has(key)
}
