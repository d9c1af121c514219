/**
 * The text by which a class is made elsewhere, of the class as it is now. What was evaluated once when the class was made
 * is not evaluated again: nothing of what it used needs to be left, and what it did is done. Static fields and blocks are
 * left out of the text; what the class extends, and keys that were computed, are variables of ours.
 */
import { withKeys, type Key } from '../class-members.ts'
import { replaceAll } from '../class-text.ts'
import { analyseFunction, type FunctionAnalysis } from '../free-variables.ts'
import { keyNow } from './changed-members.ts'
import { symbolName } from './plain-objects.ts'

export type WrittenClass = Extract<FunctionAnalysis, { kind: 'class' }>

export interface MadeAgain {
  readonly analysis: WrittenClass
  /** The values of our variables in the text. */
  readonly given: ReadonlyMap<string, unknown>
}

/** The variable of what the class extends. */
export const parentName = '__outpool_parent'
const keyName = '__outpool_key'

/** Of a variable of ours in the text of a class. */
export function isGiven(name: string): boolean {
  return name === parentName || name.startsWith(keyName)
}

const nothing: ReadonlyMap<string, unknown> = new Map()

/** Undefined where the text cannot be told. */
export function madeAgain(fn: Function, analysis: WrittenClass): MadeAgain | undefined {
  const { heritage, members } = analysis
  const parent: unknown = Object.getPrototypeOf(fn)
  const extended = heritage === undefined ? 'nothing' : parent === Function.prototype ? 'null' : parentName
  if (members.computed.length === 0) {
    const again = textOf(analysis, extended, [])
    const given = extended === parentName ? new Map([[parentName, parent]]) : nothing
    return again && { analysis: again, given }
  }
  const given = new Map<string, unknown>(extended === parentName ? [[parentName, parent]] : [])
  const keys = keysNow(fn, analysis)
  // A symbol that nobody else has is what the expression gives, where it can be told there at all.
  const names = keys.map((key, index) => (travels(key) ? `${keyName}${index}` : undefined))
  names.forEach((name, index) => name !== undefined && given.set(name, keys[index]))
  const again = textOf(analysis, extended, names)
  return again && { analysis: withKeysOf(fn, again, keys), given }
}

function travels(key: Key): boolean {
  return typeof key === 'string' || symbolName(key) !== undefined
}

/** Whether `madeAgain` would give the same now. `again`: the analysis that it gave. */
export function isStillMade(fn: Function, analysis: WrittenClass, given: MadeAgain['given'], again: object): boolean {
  const parent: unknown = Object.getPrototypeOf(fn)
  if (analysis.heritage !== undefined && parent !== (given.get(parentName) ?? Function.prototype)) return false
  if (analysis.members.computed.length === 0) return true
  const now = madeAgain(fn, analysis)
  return now?.analysis === again && [...given].every(([name, value]) => now.given.get(name) === value)
}

const texts = new WeakMap<WrittenClass, Map<string, WrittenClass | undefined>>()

/** `names`: of the variables with the keys. */
function textOf(
  analysis: WrittenClass,
  extended: string,
  names: readonly (string | undefined)[],
): WrittenClass | undefined {
  let known = texts.get(analysis)
  if (known === undefined) texts.set(analysis, (known = new Map<string, WrittenClass | undefined>()))
  const variant = `${extended} ${names.join()}`
  if (!known.has(variant)) known.set(variant, textNow(analysis, extended, names))
  return known.get(variant)
}

function textNow(
  analysis: WrittenClass,
  extended: string,
  names: readonly (string | undefined)[],
): WrittenClass | undefined {
  const { heritage, lasting, members } = analysis
  const edits = members.computed.flatMap(({ start, end }, index) => {
    const by = names[index]
    return by === undefined ? [] : [{ start, end, by }]
  })
  const text = replaceAll(lasting, heritage === undefined ? edits : [{ ...heritage, by: extended }, ...edits])
  if (text === analysis.text) return analysis
  const again = analyseFunction(text)
  // By the text of the class itself its methods are known.
  return again.kind === 'class' ? { ...again, members } : undefined
}

const filled = new WeakMap<Function, { readonly keys: readonly Key[]; readonly analysis: WrittenClass }>()

function withKeysOf(fn: Function, analysis: WrittenClass, keys: readonly Key[]): WrittenClass {
  const known = filled.get(fn)
  if (known !== undefined && known.keys.length === keys.length && known.keys.every((key, i) => key === keys[i]))
    return known.analysis
  const made = { ...analysis, members: withKeys(analysis.members, keys) }
  filled.set(fn, { keys, analysis: made })
  return made
}

/** Where each method with a computed key is; one that is nowhere any more is made at a key that is taken away again. */
function keysNow(fn: Function, { members }: WrittenClass): readonly Key[] {
  const prototype = Object.getOwnPropertyDescriptor(fn, 'prototype')?.value as object
  const taken = new Set<string>()
  return members.computed.map(({ side, text }, index) => {
    const { part } = members[side].byText.get(text) ?? { part: 'value' }
    const key = keyNow(side === 'own' ? fn : prototype, text, part, (known) => {
      const mark = `${side} ${part} ${String(known)}`
      const isFree = !taken.has(mark)
      if (isFree) taken.add(mark)
      return isFree
    })
    return key ?? `${keyName}${index}`
  })
}
