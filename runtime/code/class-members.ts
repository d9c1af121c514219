/**
 * Which methods and accessors of a class its text makes, and where. Others were put there later, by a decorator, a mixin
 * or an assignment, and may be no more enumerable than those of the text; some may be gone.
 */
import type { AnyNode, Class, Expression, MethodDefinition } from 'acorn'

export type Key = string | symbol
/** What of a property a method is: its value, or one half of an accessor. */
export type Part = 'value' | 'get' | 'set'
export type Side = 'own' | 'inherited'

export interface Member {
  /** Undefined where it is computed, which the text does not tell. */
  readonly key: Key | undefined
  readonly part: Part
}

export interface Members {
  /** By what `Function.prototype.toString` gives of each method and of each half of an accessor. */
  readonly byText: ReadonlyMap<string, Member>
  /** What the text makes under each key, as far as it tells. */
  readonly keys: ReadonlyMap<Key, ReadonlySet<Part>>
}

/** A key that was computed when the class was made. `start`, `end`: where the expression stands in the text of the class. */
export interface ComputedKey {
  readonly side: Side
  readonly text: string
  readonly start: number
  readonly end: number
}

export interface ClassMembers {
  /** Of the class itself, and of its prototype. */
  readonly own: Members
  readonly inherited: Members
  readonly computed: readonly ComputedKey[]
}

/** `textOf` gives the text of a node, `offset` is where the text of the class begins. */
export function classMembers({ body }: Class, textOf: (node: AnyNode) => string, offset: number): ClassMembers {
  const own = new Map<string, Member>()
  const inherited = new Map<string, Member>()
  const computed: ComputedKey[] = []
  for (const member of body.body) {
    if (member.type !== 'MethodDefinition' || member.key.type === 'PrivateIdentifier') continue
    if (member.kind === 'constructor') continue
    const text = member.static ? withoutStatic(textOf(member)) : textOf(member)
    const key = keyOf(member)
    const part = member.kind === 'method' ? 'value' : member.kind
    ;(member.static ? own : inherited).set(text, { key, part })
    const { start, end } = member.key
    if (key === undefined)
      computed.push({ side: member.static ? 'own' : 'inherited', text, start: start - offset, end: end - offset })
  }
  return { own: membersOf(own), inherited: membersOf(inherited), computed }
}

function membersOf(byText: ReadonlyMap<string, Member>): Members {
  const keys = new Map<Key, Set<Part>>()
  for (const { key, part } of byText.values()) {
    if (key === undefined) continue
    const parts = keys.get(key)
    if (parts === undefined) keys.set(key, new Set([part]))
    else parts.add(part)
  }
  return { byText, keys }
}

function keyOf({ computed, key }: MethodDefinition): Key | undefined {
  if (key.type === 'PrivateIdentifier') return undefined
  if (key.type === 'Literal') return key.value === null ? undefined : String(key.value)
  if (!computed) return key.type === 'Identifier' ? key.name : undefined
  return symbolOf(key)
}

/** `Symbol.iterator` as it is written; whoever has another `Symbol` finds the method elsewhere, and it goes along. */
function symbolOf(key: Expression): symbol | undefined {
  if (key.type !== 'MemberExpression' || key.computed || key.property.type !== 'Identifier') return undefined
  if (key.object.type !== 'Identifier' || key.object.name !== 'Symbol') return undefined
  const known = (Symbol as unknown as Readonly<Record<string, unknown>>)[key.property.name]
  return typeof known === 'symbol' ? known : undefined
}

/** A function's own text begins behind the word. */
function withoutStatic(text: string): string {
  return text.replace(/^static(?:\s|\/\*[^]*?\*\/|\/\/.*)+/, '')
}

/** `keys`: where those with computed keys are, in their order. */
export function withKeys(members: ClassMembers, keys: readonly Key[]): ClassMembers {
  const filled = (side: Side): Members => {
    const byText = new Map(members[side].byText)
    members.computed.forEach((one, index) => {
      const key = keys[index]
      const member = byText.get(one.text)
      if (one.side === side && key !== undefined && member !== undefined) byText.set(one.text, { ...member, key })
    })
    return membersOf(byText)
  }
  return { own: filled('own'), inherited: filled('inherited'), computed: members.computed }
}

/** What was found of each method: to take its text again costs more. */
const found = new WeakMap<Function, { readonly among: Members; readonly member: Member | undefined }>()

/** Of a class whose members are `among`, the one that this function was written as. */
export function memberOf(method: Function, among: Members): Member | undefined {
  const known = found.get(method)
  if (known?.among === among) return known.member
  const member = among.byText.get(Function.prototype.toString.call(method))
  found.set(method, { among, member })
  return member
}

/** A method of the text may be at the key of another one, too: where that was written, something else is made. */
export function isWrittenAt(method: Function, key: Key, part: Part, among: Members): boolean {
  const member = memberOf(method, among)
  return member !== undefined && member.key === key && member.part === part
}
